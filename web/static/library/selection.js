// Images that are selected: to be tagged or deleted together.
import { $, announce, count, plain, say } from "../core/dom.js";
import * as retag from "../tags/retag.js";

const chosen = new Map(); // image_id -> image
let selecting = false;
let run = { total: () => 0, every: async () => [], drawn: () => {}, remove: () => {} };

export const has = ({ image_id: id }) => (selecting ? chosen.has(id) : null);

/** `total` tells how many images the list has, `every` loads all of them, `drawn` runs when other
 * ones are selected, `remove` gets those to delete, `saved` runs when tags have changed. */
export function begin(given) {
  run = given;
  retag.begin(run.saved);
  $("select").onclick = () => {
    turn(true);
    $("select-all").focus();
  };
  $("select-done").onclick = done;
  $("select-all").onclick = all;
  $("tag-selected").onclick = () => retag.edit([...chosen.values()]);
  $("delete").onclick = () => run.remove([...chosen.values()]);
  $("images").addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && selecting) done();
  });
}

function done() {
  turn(false);
  $("select").focus();
}

/** Begin to select images, or end it. */
export function turn(on) {
  if (on === selecting) return;
  selecting = on;
  chosen.clear();
  $("select").hidden = on;
  draw();
}

/** Tell whether a click on an image selects it; select it, or do so no longer. */
export function toggle(image) {
  if (!selecting) return false;
  if (!chosen.delete(image.image_id)) chosen.set(image.image_id, image);
  draw();
  return true;
}

/** Forget an image that is gone. */
export function drop({ image_id: id }) {
  if (chosen.delete(id)) draw();
}

/** Keep to what the list has now: the records of images may have changed. */
export function refresh(images) {
  if (!images.length) turn(false);
  $("select").hidden = selecting || !images.length;
  for (const image of images) if (chosen.has(image.image_id)) chosen.set(image.image_id, image);
  draw();
}

async function all() {
  if (chosen.size === run.total()) {
    chosen.clear();
    return draw();
  }
  say($("selection-text"), "Selecting all …");
  try {
    for (const image of await run.every()) chosen.set(image.image_id, image);
    draw();
    announce(`${count(chosen.size, "image")} selected.`);
  } catch (error) {
    say($("selection-text"), error.message, true);
  }
  return undefined;
}

function draw() {
  const every = chosen.size > 0 && chosen.size === run.total();
  $("selection").hidden = !selecting;
  say($("selection-text"), chosen.size ? `${plain(chosen.size)} selected` : "Click images to select them");
  $("select-all").textContent = every ? "Select none" : "Select all";
  for (const id of ["tag-selected", "delete"]) $(id).disabled = !chosen.size;
  $("delete-words").textContent = chosen.size ? `Delete ${count(chosen.size, "image")}` : "Delete";
  run.drawn();
}
