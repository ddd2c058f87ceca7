// What a search found: the found images first, look-alikes below, each with its boxes.
import { imageSources, titleOf } from "./api.js";
import { $, announce, button, count, icon, known, make, percent, img, plain, say } from "./dom.js";
import { named, overlay, places, words } from "./overlay.js";
import * as tabs from "./tabs.js";
import * as viewer from "./viewer.js";

const LIKELY = 0.5; // an image that holds it rather than not
let actions = { unlike: () => {} };

/** `unlike` gets a match and a box of it that are not what was looked for. */
export function begin(given) {
  actions = given;
}

/** Say that a search runs. */
export function wait(name, preview) {
  tabs.turnTo("results", { found: true });
  head(`Looking for ${name} …`, "", preview);
  $("results").setAttribute("aria-busy", "true");
  $("search-cancel").hidden = false;
  $("search-error").hidden = true;
  $("share").hidden = true;
  $("groups").replaceChildren(make("div", { className: "skeletons", "aria-hidden": "true" },
    ...Array.from({ length: 6 }, () => make("span"))));
  announce(`Looking for ${name}`);
}

/** Say why there is no result. */
export function fail(message) {
  tabs.turnTo("results", { found: true });
  done();
  head("Nothing to show", "");
  $("search-error").hidden = false;
  say($("search-error-text"), message);
  $("groups").replaceChildren();
  announce(message);
}

/** Take an image that was deleted out of the result. */
export function forget(id) {
  document.querySelector(`#groups [data-image="${CSS.escape(id)}"]`)?.remove();
}

/** Forget the result. */
export function clear() {
  done();
  $("groups").replaceChildren();
  tabs.turnTo("images", { found: false });
}

/** Show a result; `query` has its name, a small image of it, and its options. */
export function show(result, query) {
  done();
  const { collection } = query;
  const matches = result.matches.map((match) => ({ ...match, collection, objects: result.objects }));
  const isFound = (match) => result.found !== false
    && (match.verified || match.probability >= LIKELY);
  const sure = matches.filter(isFound);
  const others = matches.filter((match) => !isFound(match));
  const alike = others.filter(({ likeness }) => likeness !== "kind");
  const ofKind = others.filter(({ likeness }) => likeness === "kind");
  const sentence = verdict(result, sure.length);
  head(sentence, facts(result), query.preview, query.name);
  $("share").hidden = false;
  const open = (match) => viewer.open(matches, matches.indexOf(match), query);
  $("groups").replaceChildren(...[
    things(result.objects),
    group("Found", sure, { query, open, best: true }),
    group("Look-alikes", alike, { query, open, best: !sure.length }),
    group("Perhaps of the same kind", ofKind, { query, open, best: !sure.length && !alike.length }),
  ].filter(Boolean));
  if (!matches.length) $("groups").append(empty(result, query));
  announce(`${sentence} ${count(matches.length, "image")} shown.`);
  const { top } = $("views").getBoundingClientRect();
  if (top < 0 || top > innerHeight * 0.4) $("views").scrollIntoView({ block: "start" });
}

function done() {
  $("results").removeAttribute("aria-busy");
  $("search-cancel").hidden = true;
  $("search-error").hidden = true;
}

function head(title, line, preview = "", name = "") {
  $("results-title").textContent = title;
  say($("results-text"), line);
  const alt = name ? `Looked for: ${name}` : "";
  $("results-query").replaceChildren(...(preview ? [img([preview], { alt })] : [icon("search")]));
}

/** Say in one sentence what was found, no more than is known. */
function verdict(result, sure) {
  if (!result.index.images) return "There is nothing to look through yet.";
  if (sure) return `Found in ${count(sure, "image")}`;
  if (!result.matches.length) return "Nothing is alike enough.";
  if (result.found === false) return "Probably not in these images";
  if (result.verification?.checked) return "Not found for certain. These look most alike:";
  return `The ${result.matches.length === 1 ? "best" : `${result.matches.length} best`}:`;
}

function facts({ index, timings_ms: timings, verification }) {
  const seconds = (timings.total / 1000).toFixed(2);
  const parts = [`${count(index.images, "image")} with ${count(index.regions, "region")} in ${seconds} s`];
  if (verification?.checked) {
    const rest = verification.complete ? "" : ", then the time was up";
    parts.push(`${plain(verification.checked)} looked at closely${rest}`);
  }
  return parts.join(" · ");
}

function empty(result, { search }) {
  const narrow = search.min_score > -1 || Object.keys(search.filter ?? {}).length;
  const why = !result.index.images ? "Add some large images first, then search again."
    : narrow ? "No image meets the filter and the lowest score. Loosen them in the options."
      : "No image came back.";
  return make("p", { className: "empty small" }, why);
}

/** Say of each thing that a search told apart in its query whether any image holds it. */
function things(objects = []) {
  if (!objects.length) return null;
  const line = (object, n) => make("li", {},
    make("strong", {}, named(object, n)),
    known(object.probability) ? ` ${percent(object.probability)}` : "");
  return make("ul", { className: "things", "aria-label": "Things in the query" },
    ...objects.map(line));
}

function group(title, matches, { query, open, best }) {
  if (!matches.length) return null;
  const list = make("ul", { className: "images" },
    ...matches.slice(best ? 1 : 0).map((match) => card(match, open)));
  return make("section", { className: "group" }, make("h3", {}, title),
    best ? hero(matches[0], query, open) : null, list.children.length ? list : null);
}

const ratio = ({ width, height }) => Math.min(2.4, Math.max(0.55, width / height));
const mark = () => make("span", { className: "mark", title: "Found again by local features" },
  icon("check"), "verified");

function framed(match, sources, eager) {
  const { width, height, hits } = match;
  const image = img(sources, { alt: "", loading: eager ? "eager" : "lazy" });
  const [x1, y1] = hits[0].box;
  const tag = make("span", { className: "tag", "aria-hidden": "true" }, words(match, match.objects));
  const [across, down] = [x1 / width, y1 / height];
  tag.style[across > 0.6 ? "right" : "left"] = `${(across > 0.6 ? 1 - hits[0].box[2] / width : across) * 100}%`;
  if (down > 0.12) tag.style.bottom = `${(1 - down) * 100}%`;
  else tag.style.top = `${hits[0].box[3] / height * 100}%`;
  return make("span", { className: "image" }, image, overlay(match), tag);
}

function label(match) {
  const many = places(match).length;
  const sure = match.verified ? ", verified" : "";
  const alike = known(match.probability) ? percent(match.probability) : `score ${match.score.toFixed(2)}`;
  return `Open ${match.filename}, ${alike}${sure}${many > 1 ? `, ${many} places` : ""}`;
}

function card(match, open) {
  const inside = framed(match, [match.urls.thumbnail, match.urls.file]);
  const item = make("li", { className: "tile", "data-image": match.image_id },
    make("button", { type: "button", className: "open", "aria-label": label(match),
      onclick: () => open(match) }, inside),
    make("div", { className: "caption" },
      make("span", { className: "name", title: titleOf(match) }, match.filename),
      match.verified ? mark() : null,
      score(match), make("span", { className: "tools" }, unlike(match))));
  item.style.setProperty("--ratio", ratio(match));
  return item;
}

/** The best match: large, with the query beside what was found. */
function hero(match, query, open) {
  const view = make("button", { type: "button", className: "open", "aria-label": label(match),
    onclick: () => open(match) }, framed(match, imageSources(match), true));
  view.style.setProperty("--ratio", match.width / match.height);
  const pair = make("div", { className: "pair" },
    figure(query.preview, "Looked for"),
    figure(match.urls.crop, match.verified ? "Found here" : looks(match)));
  const side = make("div", { className: "side" }, pair,
    make("strong", { className: "name", title: titleOf(match) }, match.path ?? match.filename),
    make("p", { className: "facts" }, match.verified ? mark() : null,
      score(match), make("span", { className: "muted" }, where(match))),
    make("div", { className: "deeds" },
      button("Full view", { name: "expand", onclick: () => open(match) }), unlike(match)));
  return make("article",
    { className: "hero", "aria-label": "Best match", "data-image": match.image_id }, view, side);
}

/** Return what searches again for what is not like this match's best place. */
function unlike(match) {
  return button(`Not like this: ${match.filename}`, { name: "not", bare: true,
    onclick: () => actions.unlike(match, match.hits[0].box) }, "button bare");
}

const looks = ({ likeness }) => (likeness === "kind" ? "Perhaps of its kind" : "Looks alike");

/** Return how sure it is that the image holds what was looked for; else how alike they look. */
function score({ score: value, probability, likeness }) {
  const kinds = likeness === "kind" ? "the kinds of thing are" : "they look";
  const alike = `score ${value.toFixed(2)}: how alike ${kinds} (cosine similarity)`;
  if (!known(probability)) return make("span", { className: "score", title: alike }, value.toFixed(2));
  return make("span", { className: "score", title: `Probability that it is there; ${alike}` },
    percent(probability));
}

function where(match) {
  return match.verified ? count(places(match).length, "place") : looks(match).toLowerCase();
}

function figure(src, caption) {
  if (!src) return null;
  return make("figure", {}, img([src], { alt: caption }), make("figcaption", {}, caption));
}
