// What a search found: the finds first, then what may be of the same kind; look-alikes are folded.
import { namer } from "../core/api.js";
import * as cards from "./cards.js";
import * as csv from "./csv.js";
import { $, announce, button, count, icon, img, make, plain, say } from "../core/dom.js";
import * as tabs from "../core/tabs.js";
import * as things from "./things.js";
import { cutShort, explained, facts, grouped, titleOfPossible, verdict } from "./verdict.js";
import * as viewer from "./viewer.js";

let actions = { unlike: () => {}, goOn: () => {}, more: () => {} };
let shown = null; // {matches, query, facts}

/** `unlike` gets a match and a box of it that are not what was looked for, `goOn` the id of a
 * search to go on with, `more` a match and how many places of it are wanted. */
export function begin(given) {
  actions = given;
  $("csv").onclick = () => csv.save(csv.table(shown.matches), "needle-results.csv");
  $("go-on").onclick = () => actions.goOn(shown.query.job);
}

/** Say that a search runs; what was found before stays where the search `goesOn`. */
export function wait(name, preview, { goesOn = false } = {}) {
  tabs.turnTo("results", { found: true, title: `Searching for ${name}` });
  $("results").setAttribute("aria-busy", "true");
  $("search-cancel").hidden = false;
  $("search-error").hidden = true;
  $("time-up").hidden = true;
  announce(goesOn ? "The search continues." : `Searching for ${name}`);
  if (goesOn) return say($("results-text"), "Double-checking the rest …");
  head(`Searching for ${name} …`, "", preview);
  offer(false);
  return $("groups").replaceChildren(make("div", { className: "skeletons", "aria-hidden": "true" },
    ...Array.from({ length: 6 }, () => make("span"))));
}

/** Say why there is no result. */
export function fail(message) {
  tabs.turnTo("results", { found: true, title: "No result" });
  done();
  offer(false);
  head("No result", "");
  $("search-error").hidden = false;
  say($("search-error-text"), message);
  $("groups").replaceChildren();
  announce(message);
}

/** Say why a search could not go on; what it found stays. */
export function failOn(message) {
  done();
  say($("results-text"), shown.facts);
  $("time-up").hidden = false;
  say($("time-up-text"), message, true);
  announce(message);
}

/** Take an image that was deleted out of the result. */
export function forget(id) {
  document.querySelector(`#groups [data-image="${CSS.escape(id)}"]`)?.remove();
  if (shown) shown.matches = shown.matches.filter((match) => match.image_id !== id);
}

/** Forget the result. */
export function clear() {
  done();
  shown = null;
  $("groups").replaceChildren();
  tabs.turnTo("images", { found: false });
}

/** Show an image of the result in full view, if it is there; return whether it is. */
export function open(id) {
  const at = shown ? shown.matches.findIndex((match) => match.image_id === id) : -1;
  if (at >= 0) viewer.open(shown.matches, at, shown.query);
  return at >= 0;
}

/** Show a result; `query` has its name, its image, a small image of it, its options and its job. */
export function show(result, query) {
  done();
  const name = namer(result.matches);
  const matches = result.matches.map((match) => ({
    ...match, called: name(match), collection: query.search.collection, objects: result.objects,
    shows: result.objects?.length > 1 ? match.shows : undefined }));
  const groups = grouped(result, matches);
  const order = Object.values(groups).flat();
  shown = { matches: order, query, facts: facts(result) };
  const sentence = verdict(result, groups, query.search);
  tabs.turnTo("results", { found: true, title: `${sentence}: ${query.name}` });
  head(sentence, shown.facts, query.preview, query.name);
  say($("results-note"), explained(result, groups));
  say($("time-up-text"), cutShort(result));
  $("time-up").hidden = !cutShort(result);
  offer(true);
  const doing = { query, unlike: actions.unlike, open: (match) => open(match.image_id) };
  $("groups").replaceChildren(...[
    things.list(result.objects, groups, query.image),
    group("Found", groups.found, doing, { best: true }),
    group("This image", groups.own, { ...doing, unlike: null }, {
      line: query.search.box ? "The query was cut from it." : "It is the query itself." }),
    group(titleOfPossible(groups), groups.possible, doing),
    group("Perhaps of the same kind", groups.kind, doing),
    folded(groups.alike, doing),
  ].filter(Boolean));
  if (!matches.length) $("groups").append(empty(result, query));
  const alike = groups.alike.length;
  announce([`${sentence}.`, explained(result, groups), `${count(order.length - alike, "image")} shown${
    alike ? `, ${plain(alike)} more that look a little like it` : ""}.`,
  cutShort(result)].filter(Boolean).join(" "));
  const { top } = $("views").getBoundingClientRect();
  if (top < 0 || top > innerHeight * 0.4) $("views").scrollIntoView({ block: "start" });
}

function done() {
  $("results").removeAttribute("aria-busy");
  $("search-cancel").hidden = true;
  $("search-error").hidden = true;
}

function offer(any) {
  $("share").hidden = !any;
  $("csv").hidden = !any || !shown?.matches.length;
  if (!any) $("time-up").hidden = true;
  if (!any) say($("results-note"), "");
}

function head(title, line, preview = "", name = "") {
  $("results-title").textContent = title;
  say($("results-text"), line);
  const alt = name ? `Searched for: ${name}` : "";
  $("results-query").replaceChildren(...(preview ? [img([preview], { alt })] : [icon("search")]));
}

/** Say what to do where nothing is left to show. */
function empty({ index }, { search }) {
  const filters = Object.keys(search.filter ?? {}).length > 0;
  const least = search.min_score > -1;
  const words = !index.images ? "Add some large images first."
    : filters && least ? "Change the filter or the lowest score under “Filter and options”."
      : filters ? `None of the ${count(index.images, "image")} meets the filter. Change it under “Filter and options”.`
        : least ? `Nothing reaches the lowest score of ${search.min_score}. Choose a lower one under “Filter and options”.`
          : "All that was found looks like something you do not want.";
  return make("p", { className: "empty" }, words);
}

/** Return a group of matches, the best of them large; null without any. */
function group(title, matches, doing, { best = false, line = "" } = {}) {
  if (!matches.length) return null;
  const list = make("ul", { className: best ? "images" : "images small" },
    ...matches.slice(best ? 1 : 0).map((match) => cards.card(match, doing)));
  return make("section", { className: "group", "aria-label": title }, make("h3", {}, title),
    line ? make("p", { className: "muted" }, line) : null,
    best ? cards.hero(matches[0], doing) : null, list.children.length ? list : null);
}

/** Return the look-alikes behind a button that shows them; null without any. */
function folded(matches, doing) {
  if (!matches.length) return null;
  const section = make("section", { className: "group", "aria-label": "Look-alikes" });
  const words = matches.length === 1 ? "Show 1 that looks a little like it"
    : `Show ${plain(matches.length)} that look a little like it`;
  const unfold = button(words, { "aria-expanded": "false", onclick: () => {
    const shownNow = group("Look-alikes", matches, doing);
    section.replaceChildren(...shownNow.children);
    section.querySelector(".open").focus();
    announce(`${count(matches.length, "image")} shown.`);
  } }, "button unfold");
  section.append(unfold);
  return section;
}
