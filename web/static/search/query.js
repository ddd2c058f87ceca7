// The query: an image of the reader, an indexed image, a box on either, or words; and its options.
import { DEFAULTS } from "../core/address.js";
import { imageSources } from "../core/api.js";
import { BoxEditor } from "../view/box.js";
import { $, announce, plain, say } from "../core/dom.js";
import * as extras from "./extras.js";
import * as regions from "../view/regions.js";
import { Rows } from "../tags/rows.js";
import { Stage } from "../view/stage.js";
import { kept } from "../view/preview.js";

const MOST_SIDE = 8192; // pixels of a JPEG that the service makes
const WHOLE_OR_PART = "Draw a box around a part of it, or search with all of it.";
const stage = new Stage($("query-stage"));
const filter = new Rows($("filter"), { tests: true, add: "Add a condition" });
const corners = ["x1", "y1", "x2", "y2"].map((name) => $(`box-${name}`));
const box = new BoxEditor(stage, { label: "The query: draw a box on it", change: showBox, tap: pickRegion, enter: () => search() });
let queryImage = null; // {file, url, name} or {image, name}
let found = []; // the detections of an indexed image, or the things that a search told apart
let hasText = false;
let hasKinds = false;
let search = () => {};
let spoken;

export const image = () => queryImage;

/** Show the panel's ways in; `start` runs when a search is asked for, `findUrl` gets the address of
 * an image to look for. */
export function begin(start, findUrl) {
  search = start;
  const byUrl = () => {
    const text = $("find-url").value.trim();
    const right = /^https?:\/\/[^/\s]+/i.test(text) && URL.canParse(text);
    say($("find-url-text"), right || !text ? "" : "Paste the whole address of an image, from “http” on.", true);
    if (!right) return $("find-url").focus();
    $("find-url").value = "";
    return findUrl(text);
  };
  $("find-url-go").onclick = byUrl;
  $("find-url").onkeydown = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    byUrl();
  };
  $("query-form").onsubmit = (event) => {
    event.preventDefault();
    search();
  };
  $("query-clear").onclick = () => {
    choose(null);
    $("find-input").focus();
  };
  $("box-clear").onclick = () => {
    box.set(null);
    stage.sheet.focus();
  };
  $("region-more").onclick = () => {
    list(found.length);
    $("region-list").focus();
  };
  $("region-list").onchange = ({ target }) => {
    if (target.value !== "") box.set(found[target.value].box);
  };
  for (const field of corners) {
    field.onchange = () => {
      const given = corners.map((each) => Number(each.value));
      if (corners.every((each) => each.value !== "")) box.set(given);
    };
  }
  for (const kind of ["image", "words"]) $(`tab-${kind}`).onclick = () => turnTo(kind);
  document.querySelector(".segments").onkeydown = ({ key }) => {
    if (key !== "ArrowLeft" && key !== "ArrowRight") return;
    turnTo(kindNow() === "image" ? "words" : "image");
    $(`tab-${kindNow()}`).focus();
  };
}

const kindNow = () => ($("query-words").hidden ? "image" : "words");

/** Turn to images or to words. */
export function turnTo(kind) {
  for (const each of ["image", "words"]) {
    $(`query-${each}`).hidden = each !== kind;
    $(`tab-${each}`).setAttribute("aria-selected", each === kind);
    $(`tab-${each}`).tabIndex = each === kind ? 0 : -1;
  }
  showReady();
}

/** Say what the models understand: words, and kinds of things. */
export function allow({ has_text: allowed, has_kinds: kinds, name: models }) {
  hasText = allowed;
  hasKinds = Boolean(kinds);
  $("words").disabled = !allowed;
  $("words-why").hidden = allowed;
  say($("words-why"), `The models in use (${models}) cannot search by text. `
    + "Start Needle with NEEDLE_MODELS=standard for that.");
  showReady();
}

/** Show words that were looked for. */
export function showWords(text) {
  $("words").value = text;
  turnTo("words");
}

/** Return the image at an address as a query. */
export function remote(url) {
  const { host, pathname } = new URL(url);
  const last = pathname.split("/").filter(Boolean).at(-1) ?? host;
  try {
    return { remote: url, name: decodeURIComponent(last) };
  } catch {
    return { remote: url, name: last };
  }
}

/** Take an image as the query: {file, url, name}, {image, name}, {url, name} of one that the
 * service keeps, {remote, name} of one elsewhere, or null; `given` is a box on it, `objects` are
 * what a search saw in it. */
export async function choose(next, given = null, objects = []) {
  if (queryImage?.file && queryImage.url !== next?.url) URL.revokeObjectURL(queryImage.url);
  queryImage = next;
  found = [];
  extras.show();
  box.set(null);
  regions.draw(stage, []);
  $("find-ways").hidden = Boolean(next);
  $("query-shown").hidden = !next;
  $("region-row").hidden = true;
  showReady();
  if (!next) return;
  turnTo("image");
  say($("query-name"), next.name);
  $("query-stage").hidden = Boolean(next.remote);
  if (next.remote) {
    $("box-row").hidden = true;
    $("query-hint").textContent = `Needle downloads it from ${new URL(next.remote).host}; this page does not show it.`;
    return;
  }
  $("query-hint").textContent = WHOLE_OR_PART;
  const { image } = next;
  const shown = await stage.show({
    sources: image ? imageSources(image) : next.file ? [next.url] : [next.url, kept(next.url, { most: MOST_SIDE })],
    width: image?.width, height: image?.height, alt: `Searched for: ${next.name}`,
  });
  if (queryImage !== next) return;
  box.enabled = shown && inItsPixels();
  next.shown = shown;
  if (!shown) $("query-hint").textContent = "Your browser cannot show this image. Needle may still be able to read it.";
  if (given) box.set(given);
  if (objects?.length) showObjects(objects);
  else if (image) await showRegions(next);
}

/** Show a query that the browser could not show, as the service keeps it. */
export async function showKept(next, url) {
  if (queryImage !== next || next.shown !== false) return;
  const shown = await stage.show({ sources: [kept(url, { most: MOST_SIDE })], alt: `Searched for: ${next.name}` });
  if (queryImage !== next || !shown) return;
  next.shown = true;
  box.enabled = inItsPixels();
  $("query-hint").textContent = box.enabled ? WHOLE_OR_PART : "";
}

/** Tell whether what is shown has the query's own pixels: only then is a box on it one on the query. */
const inItsPixels = () => !stage.image.src.includes("max_side=") || Math.max(...stage.size) < MOST_SIDE;

async function showRegions(next) {
  const detected = await regions.detections(next.image);
  if (queryImage === next && detected.length) showObjects(detected, regions.SUREST);
}

/** Outline things of the query, to be picked as the box; list the first `most` of them. */
export function showObjects(objects, most = objects.length) {
  if (queryImage?.remote) return;
  found = objects.filter((object) => object.box);
  if (!found.length) return;
  const near = regions.draw(stage, found);
  list(most);
  $("region-list").onfocus = $("region-list").onkeyup = ({ target }) =>
    near(target.value === "" ? -1 : Number(target.value));
  $("region-list").onblur = () => near(-1);
  $("region-row").hidden = false;
  $("query-hint").textContent = "Draw a box, or click an outlined thing.";
}

function list(most) {
  regions.list($("region-list"), found, most);
  $("region-more").hidden = most >= found.length;
  $("region-more").textContent = `Show all ${plain(found.length)}`;
}

function pickRegion(place) {
  const region = regions.regionAt(found, place);
  if (!region) return;
  const n = found.indexOf(region);
  $("region-list").value = n < $("region-list").length - 1 ? n : ""; // not all may be listed
  box.set(region.box);
}

function showBox(now) {
  corners.forEach((field, n) => {
    field.value = now ? now[n] : "";
    field.max = stage.size[n % 2];
  });
  $("box-clear").disabled = !now;
  $("box-row").hidden = !queryImage || Boolean(queryImage.remote);
  showReady();
  clearTimeout(spoken);
  if (now) {
    spoken = setTimeout(() => announce(
      `Box from ${now[0]}, ${now[1]} to ${now[2]}, ${now[3]}`), 400);
  }
}

function showReady() {
  const words = kindNow() === "words";
  extras.allow({ words: hasText, kinds: hasKinds, alone: words ? !hasText : !queryImage, image: !words });
  $("search").disabled = words ? $("words").disabled : !queryImage;
  $("search-words").textContent = !words && box.box ? "Search with this box" : "Search";
}

/** Have the next searches show so many places of each image. */
export const showPlaces = (places) => { $("hits_per_image").value = places; };

/** Set the options to those of a search. */
export function showOptions(given) {
  for (const name of Object.keys(DEFAULTS)) $(name).value = given[name];
  $("verify").checked = given.verify !== false;
  filter.show(given.filter);
  if (given.text) $("words").value = given.text;
}

/** Return the query as it is now: the search, and the image with its box where there is one. */
export function current() {
  const options = { filter: filter.read(), verify: $("verify").checked };
  for (const name of Object.keys(DEFAULTS)) {
    const given = $(name).valueAsNumber;
    options[name] = Number.isFinite(given) ? given : DEFAULTS[name];
  }
  if (kindNow() === "words") return { search: { ...options, text: $("words").value.trim() } };
  const where = box.box ? { box: box.box } : {};
  const image = queryImage?.image?.image_id;
  return { search: { ...options, ...where, ...(image && { image }) }, queryImage };
}
