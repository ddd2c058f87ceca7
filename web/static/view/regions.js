// The detected regions of an indexed image: outlines to click, a list for the keyboard, the surest
// before the others, of each the largest first. One of them is near: the one under the pointer, or the one that the list stands at.
import { call, cropUrl } from "../core/api.js";
import { img, make, plain, shape } from "../core/dom.js";

const DRAWN = ["detector"]; // tiles and slices cover everything; to click them would say nothing
export const SUREST = 24; // so many are worth a look: of some hundred, most are parts of these
const OUTLINED = 12; // the surest that lie apart; the others show themselves when they are near
const SHARED = 0.2; // of the smaller of two regions that lie apart
const ANY = "object"; // the one class of a detector of things of any kind: it says nothing
const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
const holds = ([x1, y1, x2, y2], [x, y]) => x1 <= x && x < x2 && y1 <= y && y < y2;

/** Return the detections of an image, the `SUREST` before the others, of each the largest first;
 * none where they cannot be had. */
export async function detections(image) {
  const found = await call("GET", image.urls.image).catch(() => ({}));
  const regions = Array.isArray(found.regions) ? found.regions : [];
  const all = bySureness(regions.filter((region) => DRAWN.includes(region.source)));
  return [all.slice(0, SUREST), all.slice(SUREST)].flatMap((some) =>
    some.sort((one, other) => area(other.box) - area(one.box)));
}

const bySureness = (regions) =>
  regions.toSorted((one, other) => (other.confidence ?? 0) - (one.confidence ?? 0));

/** Return the smallest region at a place, undefined when there is none. */
export function regionAt(regions, place) {
  return regions.filter((region) => holds(region.box, place))
    .sort((one, other) => area(one.box) - area(other.box))[0];
}

/** Return the share of the smaller of two boxes that lies in the other. */
function shared(one, other) {
  const [left, top] = [0, 1].map((n) => Math.max(one[n], other[n]));
  const [right, bottom] = [2, 3].map((n) => Math.min(one[n], other[n]));
  const both = Math.max(0, right - left) * Math.max(0, bottom - top);
  return both / Math.min(area(one), area(other));
}

/** Return the regions to outline: the surest, no two of them in one place. */
function outlined(regions) {
  const kept = [];
  for (const region of bySureness(regions)) {
    if (kept.length === OUTLINED) break;
    if (kept.every((other) => shared(region.box, other.box) < SHARED)) kept.push(region);
  }
  return kept;
}

/** Return what to call a region, by its number where there is no word for it. */
const nameOf = ({ label }, n) => (!label || label === ANY ? `Thing ${n + 1}` : `${n + 1}. ${label}`);
const sure = ({ confidence }) => (confidence === null ? "" : ` ${Math.round(confidence * 100)}\u00a0%`);

/** Draw regions on a stage, under what else is drawn there; return what brings one near, by its
 * number, or none. */
export function draw(stage, regions) {
  const apart = outlined(regions);
  const shapes = regions.map((region) => {
    const [x, y, right, bottom] = region.box;
    return ["rim", "region"].map((kind) => shape("rect", {
      class: apart.includes(region) ? kind : `${kind} faint`, x, y, width: right - x, height: bottom - y }));
  });
  const tag = make("span", { className: "region-tag", hidden: true, "aria-hidden": "true" });
  stage.sheet.querySelector(".region-tag")?.remove();
  stage.layer.replaceChildren(...shapes.flat());
  if (regions.length) stage.sheet.append(tag);
  const near = (chosen) => {
    shapes.forEach((pair, n) => pair.forEach((each) => each.classList.toggle("near", n === chosen)));
    tag.hidden = !regions[chosen];
    if (tag.hidden) return;
    const [width, height] = stage.size;
    const [x1, y1, x2, y2] = regions[chosen].box;
    tag.textContent = `${nameOf(regions[chosen], chosen)}${sure(regions[chosen])}`;
    const above = y1 / height > 0.1;
    const share = (part) => `${part * 100}%`;
    const right = x1 / width > 0.5; // there it ends where its box does, and is not cut off
    Object.assign(tag.style, { left: right ? "" : share(x1 / width), right: right ? share(1 - x2 / width) : "",
      top: above ? "" : share(y2 / height), bottom: above ? share(1 - y1 / height) : "" });
  };
  stage.sheet.onpointermove = (event) =>
    near(event.buttons ? -1 : regions.indexOf(regionAt(regions, stage.place(event))));
  stage.sheet.onpointerleave = () => near(-1);
  return near;
}

/** Fill a list with the first `most` of some regions; the first entry stands for none. */
export function list(select, regions, most) {
  const named = regions.slice(0, most).map((region, n) =>
    make("option", { value: n }, `${nameOf(region, n)}${sure(region) && ` ·${sure(region)} sure`}`));
  const which = regions.length > most ? `the ${plain(most)} surest` : plain(regions.length);
  select.replaceChildren(make("option", { value: "" }, `Choose one of ${which} …`), ...named);
}

/** Return buttons for the regions of an image: each is near while it is pointed at or focused, and
 * `take` gets the one that is pressed. */
export function buttons(image, regions, { near, take }) {
  return regions.map((region, n) => {
    const [x1, y1, x2, y2] = region.box;
    const choice = make("button", { type: "button", className: "place",
      onclick: () => take(region), onfocus: () => near(n), onblur: () => near(-1),
      onpointerenter: () => near(n), onpointerleave: () => near(-1) },
    img([cropUrl(image, region.box)], { alt: "", loading: "lazy" }),
    make("span", {}, make("strong", {}, nameOf(region, n)),
      make("small", {}, `${plain(x2 - x1)} × ${plain(y2 - y1)} pixels${sure(region) && ` ·${sure(region)} sure`}`)));
    return make("li", {}, choice);
  });
}
