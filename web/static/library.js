// The indexed images: a page at a time, by name, to search with, to look at, to delete.
import { call, fields, titleOf } from "./api.js";
import * as collections from "./collections.js";
import { ask } from "./confirm.js";
import { $, announce, button, count, make, img, plain, say } from "./dom.js";
import { forget } from "./results.js";
import * as viewer from "./viewer.js";

const PAGE = 48;
const chosen = new Map(); // image_id -> image, while images are selected
let images = [];
let total = 0;
let selecting = false;
let turn = 0;
let choose = () => {};

/** Show the images; `take` gets the one that is to be searched with. */
export function begin(take) {
  choose = take;
  $("more").onclick = () => load(images.length);
  $("select").onclick = () => select(!selecting);
  $("delete").onclick = () => remove([...chosen.values()]);
  $("sort").onchange = show;
  let typing;
  $("name").oninput = () => {
    clearTimeout(typing);
    typing = setTimeout(show, 250);
  };
}

/** Load the newest images again, at least as many as are shown. */
export const show = () => load(0, Math.max(PAGE, Math.min(images.length, 1000)));

async function load(offset, limit = PAGE) {
  const mine = ++turn;
  const name = $("name").value.trim();
  const collection = collections.current();
  const sort = $("sort").value;
  try {
    const params = fields({ collection, offset: offset || "", limit, name,
      sort: sort === "newest" ? "" : sort });
    const found = await call("GET", `/api/v1/images?${params}`);
    if (mine !== turn) return;
    images = offset ? [...images, ...found.images] : found.images;
    total = found.total ?? (found.next ? Infinity : images.length);
    $("name").hidden = !("next" in found) || (!name && total < 2);
    $("sort").hidden = $("name").hidden;
    draw(name);
  } catch (error) {
    if (mine === turn) say($("library-text"), error.message, true);
  }
}

function draw(name) {
  const any = images.length > 0;
  const words = { 0: "No images yet", Infinity: `More than ${count(images.length, "image")}` };
  say($("library-text"), name && !any ? `No image has “${name}” in its name.`
    : words[total] ?? `${count(total, "image")}${name ? " found" : ""}`);
  $("images").classList.toggle("first-run", !any && !name);
  $("library-empty").hidden = any || Boolean(name);
  $("select").hidden = !any;
  $("more").hidden = images.length >= total;
  $("count").textContent = Number.isFinite(total) && !name ? plain(total) : "";
  $("library").replaceChildren(...images.map(tile));
  if (!any && selecting) select(false);
}

/** Return an image of the list: a click takes it as the query, or selects it. */
function tile(image, n) {
  const { filename, urls, width, height } = image;
  const view = make("span", { className: "image" },
    img([urls.thumbnail, urls.file], { alt: "", loading: "lazy" }));
  const open = make("button", { type: "button", className: "open",
    "aria-label": selecting ? `Select ${filename}` : `Search with ${filename}`,
    onclick: () => (selecting ? toggle(image, open) : choose(image)) }, view);
  if (selecting) open.setAttribute("aria-pressed", chosen.has(image.image_id));
  const tools = make("span", { className: "tools" },
    button(`Look at ${filename}`, { name: "expand", bare: true,
      onclick: () => viewer.open(images, n) }, "button bare"),
    button(`Delete ${filename}`, { name: "trash", bare: true,
      onclick: () => remove([image]) }, "button bare"));
  const item = make("li", { className: "tile" }, open,
    make("div", { className: "caption" },
      make("span", { className: "name", title: titleOf(image) }, filename), tools));
  item.style.setProperty("--ratio", Math.min(2.4, Math.max(0.55, width / height)));
  return item;
}

function select(on) {
  selecting = on;
  chosen.clear();
  $("select").textContent = on ? "Done" : "Select";
  $("select").setAttribute("aria-pressed", on);
  showChosen();
  $("library").replaceChildren(...images.map(tile));
}

function toggle(image, open) {
  if (!chosen.delete(image.image_id)) chosen.set(image.image_id, image);
  open.setAttribute("aria-pressed", chosen.has(image.image_id));
  showChosen();
}

function showChosen() {
  $("delete").hidden = !selecting;
  $("delete").disabled = !chosen.size;
  $("delete-words").textContent = chosen.size ? `Delete ${count(chosen.size, "image")}` : "Delete";
}

/** Delete images, after asking; those that are gone already count as deleted. */
export async function remove(doomed) {
  const what = doomed.length === 1 ? `“${doomed[0].filename}”` : count(doomed.length, "image");
  if (!doomed.length || !await ask(`Delete ${what}?`,
    "The image, its regions and its files are removed for good.", "Delete")) return;
  viewer.close();
  let gone = 0;
  let fault = null;
  for (const { image_id: id, collection } of doomed) {
    say($("library-text"), `Deleting ${gone + 1} of ${count(doomed.length, "image")} …`);
    await call("DELETE", `/api/v1/images/${id}?${fields({ collection })}`).then(
      (job) => { if (job.status === "failed") fault = job.error; else gone += 1; },
      (error) => { if (error.status === 404) gone += 1; else fault = error; });
    chosen.delete(id);
    if (!fault) forget(id);
  }
  if (selecting) select(false);
  await show();
  collections.refresh();
  if (fault) say($("library-text"), fault.message, true);
  announce(fault ? fault.message : `Deleted ${count(gone, "image")}.`);
  (document.querySelector("#work [role=tabpanel]:not([hidden]) .open") ?? $("add-input")).focus();
}
