// The collections: which one is worked in, how to begin another, how to delete one.
import { call, ended, isFinal } from "./api.js";
import { ask } from "./confirm.js";
import { $, button, count, make, say } from "./dom.js";
import { ofCollection } from "./title.js";

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const DEFAULT = "default";
let known = [];
let now = DEFAULT;
let encoder = null; // the one in use
let changed = () => {};

export const current = () => now;
export const list = () => known;

/** `then` runs when another collection is chosen by hand. */
export function begin(then) {
  changed = then;
  $("collection").onchange = ({ target }) => turn(target.value);
  $("manage").onclick = () => {
    $("collections").showModal();
    say($("collection-text"), "");
    refresh();
  };
  $("collections-close").onclick = () => $("collections").close();
  $("new-collection").onsubmit = (event) => {
    event.preventDefault();
    create($("collection-name").value.trim());
  };
}

/** Say which encoder is in use: a collection of another one can be looked at, not searched. */
export function useEncoder(name) {
  encoder = name;
  draw();
}

/** Work in a collection, which an address named. */
export async function choose(name) {
  const other = name !== now;
  now = name;
  await refresh();
  if (other) changed();
}

function turn(name) {
  now = name;
  draw();
  changed({ byHand: true });
}

/** Ask for the collections again. */
export async function refresh() {
  const found = await call("GET", "/api/v1/collections").catch(() => null);
  if (found) known = found.collections;
  draw();
}

function draw() {
  ofCollection(now);
  const names = [...new Set([DEFAULT, now, ...known.map(({ name }) => name)])].sort();
  $("collection").replaceChildren(...names.map((name) =>
    make("option", { value: name, selected: name === now }, name)));
  $("collection-list").replaceChildren(...known.map(row));
  $("collection-list").hidden = !known.length;
  const bound = known.find(({ name }) => name === now);
  const other = Boolean(encoder && bound && bound.encoder !== encoder);
  $("mismatch").hidden = !other;
  say($("mismatch"), other ? `“${now}” was indexed with other models (${bound.encoder}) than are in `
    + `use (${encoder}), so it cannot be searched. Index it again with “needle reindex ${now}”, or `
    + "choose another collection." : "");
}

function row({ name, images, encoder: held }) {
  return make("li", {},
    make("span", {}, make("strong", {}, name),
      make("small", {}, `${count(images, "image")}${held === encoder ? "" : ` · models: ${held}`}`)),
    name === now ? make("small", {}, "open")
      : button("Open", { onclick: () => turn(name), "aria-label": `Open the collection ${name}` }, "button quiet"),
    button(`Delete the collection ${name}`, {
      name: "trash", bare: true, onclick: () => remove(name, images) }, "button bare"));
}

async function create(name) {
  if (!NAME.test(name)) {
    return say($("collection-text"), "Use at most 63 of these: a-z, 0-9, - and _. Begin with "
      + "a letter or a digit.", true);
  }
  try {
    await call("POST", "/api/v1/collections", { name });
    $("collection-name").value = "";
    turn(name);
    await refresh();
    return say($("collection-text"), `“${name}” is ready and open.`);
  } catch (error) {
    return say($("collection-text"), error.message, true);
  }
}

async function remove(name, images) {
  const inside = images === 1 ? "Its only image is" : `Its ${count(images, "image")} are`;
  const lost = images ? `${inside} deleted from Needle for good, with all tags. Your own `
    + `${images === 1 ? "copy stays" : "copies stay"}.` : "It is empty.";
  if (!await ask(`Delete the collection “${name}”?`, lost, "Delete")) return;
  try {
    say($("collection-text"), `Deleting “${name}” …`);
    const job = await call("DELETE", `/api/v1/collections/${name}`);
    const last = isFinal(job) ? job : await ended(job.job_id);
    if (last.error) throw new Error(last.error.message);
    if (name === now) turn(DEFAULT);
    await refresh();
    say($("collection-text"), `“${name}” is deleted.`);
  } catch (error) {
    say($("collection-text"), error.message, true);
  }
}
