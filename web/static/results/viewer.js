// The full view of an image: zoom, every place of a match, its regions, a box to search with.
import * as address from "../core/address.js";
import { call, fields, imageSources, titleOf } from "../core/api.js";
import { BoxEditor } from "../view/box.js";
import { $, announce, plain, say } from "../core/dom.js";
import { frames, places, sureness } from "../view/overlay.js";
import * as placesOf from "./places.js";
import * as regions from "../view/regions.js";
import { Stage } from "../view/stage.js";
import * as tags from "../tags/tags.js";
import { before } from "../tags/unsaved.js";
import { ofView } from "../core/title.js";

const dialog = $("viewer");
const stage = new Stage($("view-stage"));
stage.zoomable = stage.wheelZooms = true;
const box = new BoxEditor(stage, { label: "The image: draw a box on it", change: boxChanged, tap: tapped, enter: () => searchHere() });
let shown = null; // {images, at, query, hit}
let detected = [];
let leaving = false; // for something else: the address is that one's
let actions = { search: () => {}, refine: () => {}, more: () => {}, remove: () => {} };

const image = () => shown.images[shown.at];
const hits = () => image().hits ?? [];

/** Let the viewer's tools work; `search` gets an image and a box, `refine` a kind of example,
 * a match and a box of it, `more` a match and how many places are wanted, `remove` an image. */
export function begin(given) {
  actions = given;
  $("view-close").onclick = () => before(close);
  dialog.onclose = () => {
    tags.drop();
    if (!leaving) address.leaveView();
    leaving = false;
    ofView("");
  };
  $("view-in").onclick = () => stage.enlarge(1.5);
  $("view-out").onclick = () => stage.enlarge(1 / 1.5);
  $("view-fit").onclick = () => stage.enlarge(0);
  $("view-before").onclick = () => turn(-1);
  $("view-after").onclick = () => turn(1);
  $("view-search").onclick = searchHere;
  for (const [id, kind] of [["view-like", "examples"], ["view-unlike", "negatives"]]) {
    $(id).onclick = () => before(() => {
      leave();
      actions.refine(kind, image(), hits()[shown.hit].box);
    });
  }
  $("view-delete").onclick = () => actions.remove(image());
  for (const tool of ["move", "draw"]) $(`tool-${tool}`).onclick = () => take(tool);
  dialog.onkeydown = keys;
  tags.begin();
  dialog.onclick = ({ target }) => { if (target === dialog) before(close); };
  dialog.oncancel = ended;
  panning();
}

/** Show an image of a list; matches show where the `query` was found. */
export function open(images, at, query = null) {
  shown = { images, at, query, hit: 0 };
  if (!dialog.open) dialog.showModal();
  return show();
}

/** Close the full view; the address says so. */
export const close = () => dialog.close();

/** Close the full view, if it is open, for what has an address of its own. */
export function leave() {
  if (!dialog.open) return;
  leaving = true;
  dialog.close();
}

async function show() {
  const now = image();
  address.enterView(now.image_id);
  ofView(now.filename);
  box.set(null);
  detected = [];
  $("view-regions").hidden = true;
  regions.draw(stage, []);
  shown.hit = 0;
  take(now.hits ? "move" : "draw");
  $("view-title").textContent = now.path ?? now.filename;
  $("view-title").title = titleOf(now);
  $("view-file").href = now.urls.file;
  $("view-before").disabled = shown.at === 0;
  $("view-after").disabled = shown.at === shown.images.length - 1;
  say($("view-facts"), `${shown.at + 1} of ${plain(shown.images.length)} · `
    + `${now.width} × ${now.height} pixels${now.hits ? ` · ${sureness(now).words}` : ""}`);
  tags.show(now);
  showHits();
  const { width, height, filename } = now;
  await stage.show({ sources: imageSources(now), width, height, alt: filename });
  if (!now.hits) showRegions(now);
}

async function showRegions(now) {
  const found = await regions.detections(now);
  if (!dialog.open || image() !== now) return;
  detected = found;
  const near = regions.draw(stage, detected);
  $("view-regions").hidden = !detected.length;
  $("view-regions-more").onclick = () => {
    const before = $("view-region-list").children.length;
    listRegions(now, near, detected.length);
    $("view-region-list").children[before].firstChild.focus();
  };
  listRegions(now, near, regions.SUREST);
}

function listRegions(now, near, most) {
  const all = detected.length;
  const said = most < all ? `The ${plain(most)} surest of ${plain(all)}, the largest first`
    : `${plain(all)}, the ${all > regions.SUREST ? "surest" : "largest"} first`;
  say($("view-regions-text"), `${said}. Choose one to search with it.`);
  $("view-region-list").replaceChildren(...regions.buttons(now, detected.slice(0, most), {
    near, take: (region) => box.set(region.box) }));
  $("view-regions-more").hidden = most >= all;
  $("view-regions-more").textContent = `Show all ${plain(all)}`;
}

function showHits() {
  const now = image();
  $("view-hits").hidden = !hits().length;
  if (!hits().length) {
    stage.layer.replaceChildren();
    $("view-pair").replaceChildren();
    return boxChanged(box.box);
  }
  const chosen = hits()[shown.hit];
  const drawn = hits().filter((hit) => hit === chosen || places(now).includes(hit));
  stage.layer.replaceChildren(...frames(drawn, drawn.indexOf(chosen)));
  placesOf.show(now, { hit: shown.hit, query: shown.query, choose,
    more: (wanted, searching) => before(async () => {
      searching(true);
      await actions.more(now, wanted);
      searching(false);
    }) });
  return boxChanged(box.box);
}

function choose(n) {
  shown.hit = n;
  showHits();
  stage.focus(hits()[n].box);
  $("view-places").children[n].firstChild.focus();
  announce(`Place ${n + 1} of ${hits().length}: ${placesOf.title(hits()[n], image(), n)}`);
}

function boxChanged(now) {
  $("view-search-words").textContent = now ? "Search with this box"
    : hits().length ? "Search with this place" : "Search with this image";
}

function tapped(where) {
  const region = regions.regionAt(detected, where);
  if (region) box.set(region.box);
}

function searchHere() {
  before(search);
}

function search() {
  const now = image();
  const where = box.box ?? hits()[shown.hit]?.box ?? null;
  leave();
  if (now.hits) { // a match: the record of its image says more
    const { image_id: id, collection } = now;
    call("GET", `/api/v1/images/${id}?${fields({ collection })}`)
      .then((image) => actions.search(image, where), () => actions.search(now, where));
  } else {
    actions.search(now, where);
  }
}

function turn(step) {
  const next = shown.at + step;
  if (!shown.images[next]) return;
  before(() => {
    shown.at = next;
    show();
    announce(image().filename);
  });
}

/** Take a tool: `move` drags the image about, `draw` draws a box on it. */
function take(tool) {
  box.enabled = tool === "draw";
  dialog.dataset.tool = tool;
  for (const each of ["move", "draw"]) $(`tool-${each}`).setAttribute("aria-pressed", each === tool);
}

/** End the editing of tags rather than the full view. */
function ended(event) {
  if (!tags.editing()) return;
  event.preventDefault();
  before(tags.cancel);
}

function keys(event) {
  if (event.key === "Escape" && !event.isComposing) ended(event);
  if (event.target.matches("input, select") || event.defaultPrevented) return;
  const deeds = { "+": () => stage.enlarge(1.5), "-": () => stage.enlarge(1 / 1.5),
    0: () => stage.enlarge(0), ArrowLeft: () => turn(-1), ArrowRight: () => turn(1),
    d: () => take("draw"), m: () => take("move") };
  if (event.ctrlKey || event.metaKey || event.altKey || !deeds[event.key]) return;
  event.preventDefault();
  deeds[event.key]();
}

function panning() {
  let from = null;
  const { frame } = stage;
  frame.addEventListener("pointerdown", (event) => {
    if (box.enabled || event.button !== 0 || event.pointerType === "touch") return;
    from = { x: event.clientX + frame.scrollLeft, y: event.clientY + frame.scrollTop };
    frame.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  frame.addEventListener("pointermove", (event) => {
    if (!from) return;
    frame.scrollLeft = from.x - event.clientX;
    frame.scrollTop = from.y - event.clientY;
  });
  for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => { from = null; });
}
