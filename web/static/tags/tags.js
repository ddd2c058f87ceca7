// The tags of the image in the viewer: shown, and edited in place.
import { $, announce, make, say } from "../core/dom.js";
import { Rows } from "./rows.js";
import { edits, fault, inWords, save } from "./tagging.js";
import * as unsaved from "./unsaved.js";

const rows = new Rows($("view-rows"), { tests: false, add: "Add a tag" });
let shown = null;
let begunWith = {}; // what the rows said when the editing began
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

const made = () => edits(shown.metadata ?? {}, begunWith, rows.read());
const changed = () => editing() && Boolean(fault($("view-rows")) || Object.keys(made()).length);

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
  begunWith = rows.read();
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
  const wrong = fault($("view-rows"));
  say($("view-tags-text"), wrong, true);
  if (wrong) return false;
  const now = made();
  if (!Object.keys(now).length) {
    cancel();
    return true;
  }
  say($("view-tags-text"), "Saving …");
  const at = document.activeElement;
  $("view-rows").inert = true; // what was typed now would not be saved
  try {
    await save(image, now);
  } catch (error) {
    $("view-rows").inert = false;
    at.focus();
    if (shown === image) say($("view-tags-text"), error.message, true);
    return false;
  }
  $("view-rows").inert = false;
  announce("Saved.");
  if (shown !== image) return true;
  const open = editing();
  show(image);
  if (open) $("view-edit").focus();
  return true;
}
