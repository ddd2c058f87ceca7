// The tags of several images, edited together in a dialog.
import { $, announce, count, make, plain, say } from "../core/dom.js";
import { Rows } from "./rows.js";
import { changes, fault, inWords, save } from "./tagging.js";
import * as unsaved from "./unsaved.js";

const AT_ONCE = 4;
const SHOWN_FAULTS = 20;
const rows = new Rows($("tags-rows"), { tests: false, add: "Add a tag" });
const dialog = $("tags");
let images = [];
let shared = {};
let base = {}; // what the rows stood for before they were edited
let saved = () => {};
let saving = null; // whether the reader has ended it

/** Let the dialog work; `then` runs when tags have been saved. */
export function begin(then) {
  saved = then;
  const close = () => dialog.close();
  $("tags-cancel").onclick = close;
  $("tags-close").onclick = () => unsaved.before(close);
  unsaved.guard({ changed, of: () => count(images.length, "image"), save: keep, drop: close });
  // Of a dialog that is being cancelled a browser lets itself be stopped once; of the key each time.
  dialog.onkeydown = dialog.oncancel = (event) => {
    if (event.type === "keydown" && (event.key !== "Escape" || event.isComposing)) return;
    event.preventDefault();
    unsaved.before(close);
  };
  dialog.onclose = () => { if (saving) saving.ended = true; };
  $("tags-form").onsubmit = (event) => {
    event.preventDefault();
    keep();
  };
}

/** Edit the tags of images; those that not all of them share stay unless they are named. */
export function edit(chosen) {
  images = chosen;
  const [first, ...others] = images.map(({ metadata }) => metadata ?? {});
  const same = ([name, value]) => others.every((tags) => name in tags && inWords(tags[name]) === inWords(value));
  shared = Object.fromEntries(Object.entries(first).filter(same));
  const names = new Set([first, ...others].flatMap(Object.keys).filter((name) => !(name in shared)));
  $("tags-title").textContent = `Tags of ${count(images.length, "image")}`;
  const any = Object.keys(shared).length > 0;
  const sentence = any ? "These tags are the same for all of them." : "They share no tags yet.";
  $("tags-about").textContent = others.length
    ? `${sentence}${names.size ? ` Others differ and stay as they are: ${
      [...names].sort().join(", ")}. Add one of these here to change it for all.` : ""}`
      + " A tag without a value is removed."
    : "A tag without a value is removed.";
  rows.show(any ? shared : { "": "" });
  base = rows.read();
  say($("tags-text"), "");
  $("tags-faults").replaceChildren();
  dialog.showModal();
  unsaved.begun();
  $("tags-rows").querySelector(any ? "[name=value]" : "[name=key]").focus();
}

const wrongNow = () => fault($("tags-rows"), { before: shared, base });
const changed = () => dialog.open && !saving
  && Boolean(wrongNow() || Object.keys(changes(shared, rows.read(), base)).length);

/** Save the tags; return whether those of all images are saved. */
async function keep() {
  if (saving) return false;
  const wrong = wrongNow();
  say($("tags-text"), wrong, true);
  if (wrong) return false;
  const now = rows.read();
  if (!Object.keys(changes(shared, now, base)).length) {
    dialog.close();
    return true;
  }
  saving = { ended: false };
  $("tags-save").disabled = true;
  rows.lock(true);
  const mine = saving;
  const faults = await saveAll(now, mine);
  $("tags-save").disabled = false;
  rows.lock(false);
  saving = null;
  saved();
  $("tags-faults").replaceChildren(...faults.slice(0, SHOWN_FAULTS).map(([name, why]) =>
    make("li", {}, make("strong", {}, `${name}:`), ` ${why}`)));
  if (!faults.length) {
    dialog.close();
    announce(mine.ended ? "Stopped." : `Saved the tags of ${count(images.length, "image")}.`);
  } else {
    say($("tags-text"), `The tags of ${count(faults.length, "image")} were not saved.`, true);
  }
  return !faults.length && !mine.ended;
}

/** Save the tags of each image, some at a time; return pairs of a name and what went wrong. */
async function saveAll(now, mine) {
  const left = [...images];
  const faults = [];
  let done = 0;
  const worker = async () => {
    for (let image = left.shift(); image && !mine.ended; image = left.shift()) {
      say($("tags-text"), `Saving ${plain(done + 1)} of ${plain(images.length)} …`);
      const before = Object.fromEntries(Object.entries(image.metadata ?? {})
        .filter(([name]) => name in shared || name in now));
      const changed = changes(before, now, base);
      if (Object.keys(changed).length) {
        await save(image, changed).catch((error) => faults.push([image.filename, error.message]));
      }
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return faults;
}
