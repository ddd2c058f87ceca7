// The tags of the image in the viewer: shown, and edited in place.
import { $, announce, make, say } from "../core/dom.js";
import { Rows } from "./rows.js";
import { changes, fault, inWords, save } from "./tagging.js";

const rows = new Rows($("view-rows"), { tests: false, add: "Add a tag" });
let shown = null;

export function begin() {
  $("view-edit").onclick = () => edit(true);
  $("view-keep").onclick = keep;
  $("view-cancel").onclick = cancel;
}

/** Show the tags of an image. */
export function show(image) {
  shown = image;
  const held = Object.entries(image.metadata ?? {});
  $("view-details").replaceChildren(...held.flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", {}, inWords(value))]));
  edit(false);
}

/** End the editing without saving; return whether there was any. */
export function cancel() {
  if ($("view-tags").hidden) return false;
  edit(false);
  $("view-edit").focus();
  return true;
}

function edit(on) {
  $("view-details").hidden = on || !$("view-details").children.length;
  $("view-edit").hidden = on;
  $("view-tags").hidden = !on;
  say($("view-tags-text"), "");
  if (!on) return;
  const any = Object.keys(shown.metadata ?? {}).length > 0;
  rows.show(any ? shown.metadata : { "": "" });
  $("view-tags").scrollIntoView({ block: "nearest" });
  $("view-rows").querySelector(any ? "[name=value]" : "[name=key]").focus();
}

async function keep() {
  const image = shown;
  const wrong = fault($("view-rows"));
  if (wrong) return say($("view-tags-text"), wrong, true);
  const changed = changes(image.metadata ?? {}, rows.read());
  if (!Object.keys(changed).length) return void cancel();
  say($("view-tags-text"), "Saving …");
  try {
    await save(image, changed);
    announce("Saved.");
    if (shown !== image) return undefined;
    const open = !$("view-tags").hidden;
    show(image);
    if (open) $("view-edit").focus();
  } catch (error) {
    if (shown === image) say($("view-tags-text"), error.message, true);
  }
  return undefined;
}
