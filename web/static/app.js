// The page: a client of the public API. Here its parts are joined.
import * as address from "./core/address.js";
import * as collections from "./core/collections.js";
import * as details from "./tags/details.js";
import { $, announce, count } from "./core/dom.js";
import * as drop from "./upload/drop.js";
import * as elsewhere from "./upload/elsewhere.js";
import * as extras from "./search/extras.js";
import { wanted } from "./upload/files.js";
import * as library from "./library/library.js";
import { begin as beginKey } from "./core/key.js";
import * as query from "./search/query.js";
import * as results from "./results/results.js";
import { onChange } from "./upload/run.js";
import * as search from "./search/search.js";
import * as status from "./core/status.js";
import * as tabs from "./core/tabs.js";
import { holdsBack } from "./tags/unsaved.js";
import * as upload from "./upload/upload.js";
import * as viewer from "./results/viewer.js";

const RELOAD_MS = 1500;
let reload = null;

function add(chosen) {
  tabs.turnTo("images");
  const options = details.read();
  if (!options) return;
  upload.add(chosen, options);
  status.again();
}

/** Show images as they come, a few times a minute rather than with each. */
function come({ over = false } = {}) {
  library.showUnderway();
  if (over) collections.refresh();
  reload ??= setTimeout(() => {
    reload = null;
    library.show();
  }, over ? 0 : RELOAD_MS);
}

async function find(file) {
  if (!file) return;
  await query.choose({ file, name: file.name || "Pasted image", url: URL.createObjectURL(file) });
  await search.start();
}

async function findUrl(url) {
  await query.choose(query.remote(url));
  await search.start();
}

function files(input, take) {
  input.onchange = () => {
    const chosen = wanted(input);
    input.value = "";
    take(chosen);
  };
}

function pick(image) {
  query.choose({ image, name: image.filename });
  $("query").scrollIntoView({ block: "nearest" });
  $("query-stage").querySelector(".sheet").focus({ preventScroll: true });
}

function indexed() {
  const now = collections.list().find(({ name }) => name === collections.current());
  return now ? `${now.name}, ${count(now.images, "image")}` : null;
}

tabs.begin();
beginKey();
details.begin();
extras.begin();
query.begin(search.start, findUrl);
results.begin({
  unlike: (match, box) => search.refine("negatives", match, box), goOn: search.goOn });
library.begin(pick);
viewer.begin({
  search: search.startWith,
  refine: search.refine,
  more: search.more,
  remove: (image) => library.remove([image]),
});
collections.begin(({ byHand } = {}) => {
  library.show();
  library.showUnderway();
  if (byHand) {
    address.write({ collection: collections.current() });
    search.cancel();
    tabs.turnTo("images", { found: false });
  }
});
files($("add-input"), add);
files($("folder-input"), add);
for (const id of ["find-input", "camera-input"]) files($(id), ({ files: [file] }) => find(file));
drop.begin({ find, findUrl, add });
onChange(come);
$("search-cancel").onclick = search.cancel;
$("share").onclick = () => navigator.clipboard?.writeText(location.href).then(() => {
  $("share-words").textContent = "Link copied";
  announce("The link to this search is copied.");
  setTimeout(() => { $("share-words").textContent = "Copy link"; }, 2000);
});
address.onTravel(({ same }) => {
  if (holdsBack()) return;
  for (const id of ["confirm", "collections", "tags"]) $(id).close();
  if (!same || !address.view()) viewer.leave();
  if (!same) search.open();
  else if (address.view()) search.look(address.view());
});
status.watch((models) => {
  query.allow(models);
  collections.useEncoder(models.encoder);
}, { facts: indexed, back: () => collections.refresh().then(library.show) });
search.open().then(library.show);
upload.resume().catch(() => {}).then(() => elsewhere.watch(come));
