// The tags of the image in the viewer: shown, and edited in place.
import { $, announce, make, say } from "../core/dom.js";
import { Rows } from "./rows.js";
import { changes, fault, inWords, save } from "./tagging.js";
import * as unsaved from "./unsaved.js";

const rows = new Rows($("view-rows"), { tests: false, add: "Add a tag" });
let shown = null;
let base = {}; // what the rows stood for before they were edited
let saving = null; // a promise of whether the tags are saved

export function begin() {
  $("view-edit").onclick = () => edit(true);
  $("view-keep").onclick = keep;
  $("view-cancel").onclick = cancel;
  unsaved.guard({ changed, of: () => `“${shown.filename}”`, save: keep, drop, saving: () => saving });
}

/** Show the tags of an image. */
export function show(image) {
  shown = image;
  const held = Object.entries(image.metadata ?? {});
  $("view-details").replaceChildren(...held.flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", {}, inWords(value))]));
  edit(false);
}

/** Tell whether the tags are being edited. */
export const editing = () => !$("view-tags").hidden;

const wrongNow = () => fault($("view-rows"), { before: shown.metadata ?? {}, base });
const changed = () => editing()
  && Boolean(wrongNow() || Object.keys(changes(shown.metadata ?? {}, rows.read(), base)).length);

/** End the editing without saving. */
export const drop = () => edit(false);

/** The same, for a reader who goes on with this image. */
export function cancel() {
  drop();
  $("view-edit").focus();
}

function edit(on) {
  $("view-details").hidden = on || !$("view-details").children.length;
  $("view-edit").hidden = on;
  $("view-tags").hidden = !on;
  say($("view-tags-text"), "");
  if (!on) return;
  unsaved.begun();
  const any = Object.keys(shown.metadata ?? {}).length > 0;
  rows.show(any ? shown.metadata : { "": "" });
  base = rows.read();
  $("view-tags").scrollIntoView({ block: "nearest" });
  $("view-rows").querySelector(any ? "[name=value]" : "[name=key]").focus();
}

/** Save the tags; return whether they are saved. */
function keep() {
  saving ??= kept().finally(() => { saving = null; });
  return saving;
}

async function kept() {
  const image = shown;
  const wrong = wrongNow();
  say($("view-tags-text"), wrong, true);
  if (wrong) return false;
  const now = changes(image.metadata ?? {}, rows.read(), base);
  if (!Object.keys(now).length) {
    cancel();
    return true;
  }
  say($("view-tags-text"), "Saving …");
  lock(true);
  try {
    await save(image, now);
  } catch (error) {
    if (shown === image) say($("view-tags-text"), error.message, true);
    return false;
  } finally {
    lock(false);
  }
  announce("Saved.");
  if (shown !== image) return true;
  const open = editing();
  show(image);
  if (open) $("view-edit").focus();
  return true;
}

/** Let nothing be edited meanwhile: it would be lost when the tags are shown as they were saved. */
function lock(on) {
  rows.lock(on);
  $("view-cancel").disabled = on;
}
