// The tags of the image in the viewer: shown, and edited in place.
import { $, announce, make, say } from "../core/dom.js";
import { Rows } from "./rows.js";
import { changes, fault, inWords, save } from "./tagging.js";

const rows = new Rows($("view-rows"), { tests: false, add: "Add a tag" });
let shown = null;

export function begin() {
  $("view-edit").onclick = () => edit(true);
  $("view-keep").onclick = keep;
}

/** Show the tags of an image. */
export function show(image) {
  shown = image;
  const held = Object.entries(image.metadata ?? {});
  $("view-details").replaceChildren(...held.flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", {}, inWords(value))]));
  edit(false);
}

function edit(on) {
  $("view-details").hidden = on || !$("view-details").children.length;
  $("view-edit").hidden = on;
  $("view-tags").hidden = !on;
  say($("view-tags-text"), "");
  if (on) rows.show(shown.metadata);
}

async function keep() {
  const image = shown;
  const wrong = fault($("view-rows"));
  if (wrong) return say($("view-tags-text"), wrong, true);
  const changed = changes(image.metadata ?? {}, rows.read());
  if (!Object.keys(changed).length) return edit(false);
  say($("view-tags-text"), "Saving …");
  try {
    await save(image, changed);
    announce("Saved.");
    if (shown === image) {
      show(image);
      $("view-edit").focus();
    }
  } catch (error) {
    if (shown === image) say($("view-tags-text"), error.message, true);
  }
  return undefined;
}
