// A match as it stands among the results: a tile, or large with the query beside what was found.
import { imageSources, titleOf } from "../core/api.js";
import { button, icon, img, make } from "../core/dom.js";
import { overlay, proves, sureness, words } from "../view/overlay.js";
import { placesIn } from "./verdict.js";

const TAIL = 14; // letters of the end of a name that stay when it has to be cut

// What is narrower than that has no room for its name.
const ratio = ({ width, height }) => Math.min(2.4, Math.max(0.8, width / height));
const isVerified = (match) => match.hits.some((hit) => proves(hit, match));
const mark = () => make("span", { className: "mark", title: "Its details were found again" },
  icon("check"), "verified");

/** Return a name that is cut in its middle: the ends of names tell images apart. */
export function nameOf(image) {
  const letters = [...image.called];
  const parts = [letters.slice(0, -TAIL), letters.slice(-TAIL)].map((part) => part.join(""));
  return make("span", { className: "name split", title: titleOf(image) },
    parts[0] ? make("span", { className: "head" }, parts[0]) : null,
    make("span", { className: "tail" }, parts[1]));
}

function framed(match, sources, eager) {
  const { width, height, hits } = match;
  const image = img(sources, { alt: "", loading: eager ? "eager" : "lazy" });
  const [x1, y1] = hits[0].box;
  const tag = make("span", { className: "tag", "aria-hidden": "true" }, words(match));
  const [across, down] = [x1 / width, y1 / height];
  tag.style[across > 0.6 ? "right" : "left"] = `${(across > 0.6 ? 1 - hits[0].box[2] / width : across) * 100}%`;
  if (down > 0.12) tag.style.bottom = `${(1 - down) * 100}%`;
  else tag.style.top = `${hits[0].box[3] / height * 100}%`;
  return make("span", { className: "image" }, image, overlay(match), tag);
}

function label(match) {
  const parts = [`Open ${match.called}`, sureness(match).words, isVerified(match) ? "verified" : "", placesIn(match)];
  return parts.filter(Boolean).join(", ");
}

/** Return a match as a tile; `open` and `unlike`, if it can be refused, are what its buttons do. */
export function card(match, { open, unlike }) {
  const inside = framed(match, [match.urls.thumbnail, match.urls.file]);
  const item = make("li", { className: "tile found", "data-image": match.image_id },
    make("button", { type: "button", className: "open", "aria-label": label(match),
      onclick: () => open(match) }, inside),
    make("div", { className: "about" },
      make("div", { className: "name-line" }, nameOf(match)),
      make("div", { className: "facts" }, score(match), isVerified(match) ? mark() : null,
        make("span", { className: "muted" }, placesIn(match))),
      unlike && refuse(match, unlike)));
  item.style.setProperty("--ratio", ratio(match));
  return item;
}

/** Return the best match: large, with the query beside what was found. */
export function hero(match, { query, open, unlike }) {
  const view = make("button", { type: "button", className: "open", "aria-label": label(match),
    onclick: () => open(match) }, framed(match, imageSources(match), true));
  view.style.setProperty("--ratio", match.width / match.height);
  const pair = make("div", { className: "pair" },
    figure(query.preview, "Searched for"),
    figure(match.hits[0].urls.crop, match.sure ? "Found here" : looks(match)));
  const side = make("div", { className: "side" }, pair,
    make("strong", { className: "whole-name" }, match.path ?? match.filename),
    make("p", { className: "facts" }, score(match), isVerified(match) ? mark() : null,
      make("span", { className: "muted" }, placesIn(match))),
    make("div", { className: "deeds" },
      button("Full view", { name: "expand", onclick: () => open(match) }), refuse(match, unlike)));
  return make("article",
    { className: "hero", "aria-label": "Best match", "data-image": match.image_id }, view, side);
}

/** Return what searches again for what is not like this match's best place. */
function refuse(match, unlike) {
  return button("Not like this", { name: "not", "aria-label": `Not like this: ${match.called}`,
    title: "Search again without what looks like this",
    onclick: () => unlike(match, match.hits[0].box) }, "button quiet refuse");
}

export const looks = ({ likeness }) => (likeness === "kind" ? "Perhaps of its kind" : "Looks alike");

function score(match) {
  const { words: text, title } = sureness(match);
  return make("span", { className: "score", title }, text);
}

function figure(src, caption) {
  if (!src) return null;
  return make("figure", {}, img([src], { alt: "" }), make("figcaption", {}, caption));
}
