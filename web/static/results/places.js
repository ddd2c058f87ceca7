// The places of a match in the full view: the crop beside the query, and a list of where it is.
import { cropUrl } from "../core/api.js";
import { $, button, icon, img, make, plain } from "../core/dom.js";
import { looks } from "./cards.js";
import { proves, thing } from "../view/overlay.js";
import { placesIn, placesOf } from "./verdict.js";

const MOST = 100; // places of one image that a search answers

/** Show the places of a match and the chosen one beside the query; `choose` gets the number of one
 * that is pressed, `more` how many are wanted where there are more, and what says that they are
 * being searched for, or are not. */
export function show(match, { hit, query, choose, more }) {
  const chosen = match.hits[hit];
  const pair = [[query?.preview, "Searched for"],
    [cropUrl(match, chosen.box), proves(chosen, match) ? "Found here" : looks(match)]];
  $("view-pair").replaceChildren(...pair.filter(([src]) => src).map(([src, words]) => make(
    "figure", {}, img([src], { alt: "" }), make("figcaption", {}, words))));
  $("view-places-title").textContent = match.sure ? "Where it is" : "What looks like it";
  $("view-places").replaceChildren(...match.hits.map((each, n) =>
    place(each, { match, n, pressed: n === hit, choose })));
  const { shown, all } = placesOf(match);
  $("view-count").replaceChildren(placesIn(match));
  if (all > shown && shown < MOST) $("view-count").append(" ", everything(all, more));
}

function everything(all, more) {
  const words = all > MOST ? `Show ${MOST} of ${plain(all)}` : `Show all ${plain(all)}`;
  const searching = (on) => {
    ask.disabled = on;
    ask.textContent = on ? "Searching again …" : words;
  };
  const ask = button(words, { onclick: () => more(Math.min(MOST, all), searching) }, "button quiet");
  return ask;
}

/** Say what a place shows, where there is a word for it, and whether that is proven. */
export function title(hit, match, n) {
  const of = thing(hit, match.objects);
  if (of && match.shows && !proves(hit, match)) return `Looks like ${of}`;
  const what = of || (match.sure && match.verified && !hit.verified ? "Looks alike" : `Place ${n + 1}`);
  return proves(hit, match) ? `${what} · verified` : what;
}

function place(hit, { match, n, pressed, choose }) {
  const about = [];
  if (hit.rotation !== undefined && Math.abs(hit.rotation) >= 3) {
    about.push(`turned by ${Math.round(hit.rotation)}°`);
  }
  if (hit.mirrored) about.push("mirrored");
  if (hit.inliers) about.push(`${plain(hit.inliers)} details agree`);
  const choice = make("button", { type: "button", className: "place", "aria-pressed": pressed,
    onclick: () => choose(n) },
  img([hit.urls.crop], { alt: "", loading: "lazy" }),
  make("span", {}, make("strong", {}, proves(hit, match) ? icon("check") : null, title(hit, match, n)),
    make("small", { title: `Score ${hit.score.toFixed(2)} (cosine similarity)` },
      about.join(" · ") || size(hit))));
  return make("li", {}, choice);
}

const size = ({ box: [x1, y1, x2, y2] }) => `${x2 - x1} × ${y2 - y1} pixels`;
