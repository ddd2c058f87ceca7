// Boxes and outlines drawn over an image, in the image's own pixels.
import { known, percent, shape } from "../core/dom.js";

const corners = ([x1, y1, x2, y2]) => [[x1, y1], [x2, y1], [x2, y2], [x1, y2]];

/** Return the outline of a hit: its verified quadrilateral, else its box. */
export function outline(hit) {
  return hit.quad?.length === 4 ? hit.quad : corners(hit.box);
}

const path = (points) => `M${points.map((point) => point.join(" ")).join("L")}Z`;

/** Return the shapes: every hit framed, the chosen one strongest. Beside verified hits those that
 * only look alike are dashed. */
export function frames(hits, chosen = 0) {
  const proven = hits.some((hit) => hit.verified);
  const framed = hits.map((hit, n) => {
    const guess = proven && !hit.verified ? " guess" : "";
    const kind = (n === chosen ? "best" : "other") + guess;
    const d = path(outline(hit));
    return [shape("path", { class: `halo ${kind}`, d }), shape("path", { class: kind, d })];
  });
  const [strongest = []] = framed.splice(chosen, 1);
  return [...framed.flat(), ...strongest];
}

/** Return a whole overlay for an image that fills its frame: its verified hits, else its best. */
export function overlay(match) {
  const { width, height } = match;
  const viewBox = `0 0 ${width} ${height}`;
  return shape("svg", { class: "layer", viewBox, "aria-hidden": "true" },
    ...frames(places(match)));
}

/** Tell whether a hit proves its match: it is verified, of a thing that the image shows. */
export const proves = ({ verified, object }, { sure, shows }) =>
  Boolean(sure && verified && (!shows || shows.includes(object)));

/** Return the hits of a match that count: those that prove it, else the best alone. */
export function places(match) {
  const proven = match.hits.filter((hit) => proves(hit, match));
  return proven.length ? proven : match.hits.slice(0, 1);
}

const ANY = "object"; // the one class of a detector of things of any kind: it says nothing

/** Return the name of what a hit is of: the thing of the query, or the detector's word; "" else. */
export function thing(hit, objects = []) {
  return known(hit.object) ? named(objects[hit.object], hit.object) : word(hit.label);
}

const word = (label) => (label === ANY ? "" : label ?? "");

/** Return what to call a thing of the query, by its number where there is no word for it. */
export const named = (object, n) => word(object?.label) || `Thing ${n + 1}`;

/** Return how sure or how alike a match is, in `words`, and what that means. */
export function sureness({ score, probability, likeness, sure, closest, shows, objects }) {
  const cosine = `score ${score.toFixed(2)} (cosine similarity)`;
  if (shows?.length) {
    return { words: shows.map((n) => named(objects[n], n)).join(", "),
      title: `The things of the query that the image probably shows; ${cosine}` };
  }
  if (likeness === "kind" && !sure && !closest) {
    return { words: `${percent(Math.max(0, score))} alike`, title: `How alike the kinds of thing are: ${cosine}` };
  }
  if (!known(probability)) return { words: score.toFixed(2), title: `How alike they look: ${cosine}` };
  if (shows) { // of several things it probably shows none: the number is a share of them
    return { words: `${percent(probability)} of the things`,
      title: `The share of the things of the query that the image is expected to show; ${cosine}` };
  }
  return { words: `${percent(probability)} likely`, title: `How probable it is that the image shows it; ${cosine}` };
}

/** Say what an image's best hit is: of what, how sure or how alike, whether it is verified. */
export function words(match) {
  const [hit] = match.hits;
  const what = match.shows?.length ? "" : thing(hit, match.objects);
  return [what, sureness(match).words, proves(hit, match) ? "verified" : ""].filter(Boolean).join(" · ");
}
