// The images of a collection: a page at a time, sorted, by name; to open, to search with, to delete.
import { call, fields, namer } from "../core/api.js";
import * as collections from "../core/collections.js";
import { ask } from "../core/confirm.js";
import { $, announce, count, plain, say } from "../core/dom.js";
import { forget } from "../results/results.js";
import { underway } from "../upload/run.js";
import * as selection from "./selection.js";
import { mark, tile } from "./tiles.js";
import * as viewer from "../results/viewer.js";

const PAGE = 48;
const MOST_AT_ONCE = 1000;
const TYPING_MS = 250;
let images = [];
let items = new Map(); // image_id -> its element
let total = 0;
let listed = ""; // what of which collection is shown
let turn = 0;
let search = () => {};

/** Show the images; `take` gets the one that is to be searched with. */
export function begin(take) {
  search = take;
  selection.begin({ total: () => total, every, remove, drawn: marks, saved: show });
  $("more").onclick = () => load(images.length);
  $("sort").onchange = show;
  let typing;
  $("name").oninput = () => {
    clearTimeout(typing);
    typing = setTimeout(show, TYPING_MS);
  };
}

const place = (id) => images.findIndex((image) => image.image_id === id);
const deeds = {
  open: (id) => selection.toggle(images[place(id)]) || viewer.open(images, place(id)),
  search: (id) => search(images[place(id)]),
  remove: (id) => remove([images[place(id)]]),
};

/** Load the list again, at least as many images as are shown. */
export const show = () => load(0, Math.max(PAGE, Math.min(images.length, MOST_AT_ONCE)));

function asked(offset, limit) {
  const [collection, name, sort] = [collections.current(), $("name").value.trim(), $("sort").value];
  return fields({ collection, offset: offset || "", limit, name, sort: sort === "newest" ? "" : sort });
}

async function load(offset, limit = PAGE) {
  const mine = ++turn;
  const what = asked();
  if (what !== listed) selection.turn(false);
  try {
    const found = await call("GET", `/api/v1/images?${asked(offset, limit)}`);
    if (mine !== turn) return;
    images = offset ? [...images, ...found.images] : found.images;
    total = found.total ?? (found.next ? Infinity : images.length);
    if (what !== listed) items = new Map();
    listed = what;
    draw($("name").value.trim());
  } catch (error) {
    if (mine === turn) say($("library-text"), error.message, true);
  }
}

/** Load every image of the list, shown or not. */
async function every() {
  const found = [];
  for (let next = true; next;) {
    const page = await call("GET", `/api/v1/images?${asked(found.length, MOST_AT_ONCE)}`);
    found.push(...page.images);
    next = page.next && page.images.length;
  }
  total = found.length;
  return found;
}

function draw(name) {
  const any = images.length > 0;
  say($("library-text"), heading(name));
  $("images").classList.toggle("first-run", !any && !name);
  $("library-empty").hidden = any || Boolean(name);
  for (const id of ["name", "sort"]) $(id).hidden = !name && total < 2;
  $("more").hidden = images.length >= total;
  $("count").textContent = Number.isFinite(total) && !name ? plain(total) : "";
  const before = items; // what is drawn anew would flicker
  const held = document.activeElement;
  const tileHeld = [...before.values()].find((one) => one.contains(held));
  const place = tileHeld && [...tileHeld.querySelectorAll("button, a, input")].indexOf(held);
  const called = namer(images);
  items = new Map(images.map((image) => {
    const known = before.get(image.image_id);
    const same = known?.dataset.called === called(image);
    return [image.image_id, same ? known : tile(image, called(image), deeds)];
  }));
  $("library").replaceChildren(...items.values());
  if (held !== document.activeElement) {
    const anew = items.get(tileHeld?.dataset.image)?.querySelectorAll("button, a, input")[place];
    (held.isConnected ? held : anew)?.focus({ preventScroll: true });
  }
  selection.refresh(images);
}

function heading(name) {
  if (name && !images.length) return `No image has “${name}” in its name or folder`;
  const many = Number.isFinite(total) ? count(total, "image") : `More than ${count(images.length, "image")}`;
  const undated = $("sort").value === "date" && !images.some(({ metadata }) => "date" in (metadata ?? {}));
  return `${many}${name ? " found" : ""}${undated ? ", none with a date" : ""}`;
}

function marks() {
  for (const image of images) {
    const item = items.get(image.image_id);
    if (item) mark(item, selection.has(image));
  }
}

/** Say how far the images of this collection are that are being indexed. */
export function showUnderway() {
  const now = underway(collections.current());
  const said = now && `${plain(now.done)} of ${count(now.total, "image")} ${now.total === 1 ? "is" : "are"} ready`;
  $("indexing").hidden = !now;
  say($("indexing"), now ? `Images are being indexed: ${said}. A search looks through those.` : "");
  say($("empty-title"), now ? "Your first images are being indexed" : "Start with some large images");
  say($("empty-text"), now ? `${said}. You can search as soon as the first one is.`
    : "Add photos of shelves, streets or scenes, or scans. Then give Needle a small image of one thing. "
      + "It shows which of your images contain it, and where.");
}

/** Delete images, after asking; those that are gone already count as deleted. */
export async function remove(doomed) {
  const what = doomed.length === 1 ? `“${doomed[0].path ?? doomed[0].filename}”` : count(doomed.length, "image");
  if (!doomed.length || !await ask(`Delete ${what}?`, doomed.length === 1
    ? "The image and its tags are deleted from Needle for good. Your own copy stays."
    : "The images and their tags are deleted from Needle for good. Your own copies stay.", "Delete")) return;
  viewer.close();
  let gone = 0;
  let fault = null;
  for (const image of doomed) {
    const { image_id: id, collection } = image;
    say($("library-text"), `Deleting ${plain(gone + 1)} of ${count(doomed.length, "image")} …`);
    const failed = await call("DELETE", `/api/v1/images/${id}?${fields({ collection })}`).then(
      (job) => (job.status === "failed" ? job.error : null),
      (error) => (error.status === 404 ? null : error));
    if (failed) {
      fault = failed;
      continue;
    }
    gone += 1;
    selection.drop(image);
    forget(id);
  }
  if (!fault) selection.turn(false);
  await show();
  collections.refresh();
  if (fault) say($("library-text"), `${plain(doomed.length - gone)} could not be deleted: ${fault.message}`, true);
  announce(fault ? fault.message : `Deleted ${count(gone, "image")}.`);
  (document.querySelector("#work [role=tabpanel]:not([hidden]) .open") ?? $("add-input")).focus();
}
