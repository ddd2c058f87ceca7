// The detected regions of an indexed image: outlines to click, and a list for the keyboard.
import { call } from "./api.js";
import { make, shape } from "./dom.js";

const DRAWN = ["detector"]; // tiles and slices cover everything; to click them would say nothing
const OUTLINED = 30; // the surest; the others show themselves under the pointer
const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
const holds = ([x1, y1, x2, y2], [x, y]) => x1 <= x && x < x2 && y1 <= y && y < y2;

/** Return the detections of an image, the surest first; none where they cannot be had. */
export async function detections(image) {
  const found = await call("GET", image.urls.image).catch(() => ({}));
  const regions = Array.isArray(found.regions) ? found.regions : [];
  return regions.filter((region) => DRAWN.includes(region.source))
    .sort((one, other) => (other.confidence ?? 0) - (one.confidence ?? 0));
}

/** Return the smallest region at a place, undefined when there is none. */
export function regionAt(regions, place) {
  return regions.filter((region) => holds(region.box, place))
    .sort((one, other) => area(one.box) - area(other.box))[0];
}

/** Draw regions on a stage, under what else is drawn there. */
export function draw(stage, regions) {
  stage.layer.replaceChildren(...regions.map(({ box: [x1, y1, x2, y2] }, n) => shape("rect", {
    class: n < OUTLINED ? "region" : "region faint", x: x1, y: y1, width: x2 - x1, height: y2 - y1 })));
  stage.sheet.onpointermove = (event) => {
    const under = event.buttons ? undefined : regionAt(regions, stage.place(event));
    [...stage.layer.children].forEach((child, n) =>
      child.classList.toggle("near", regions[n] === under));
  };
}

/** Fill a list of regions; the first entry stands for none. */
export function list(select, regions) {
  const named = regions.map((region, n) => {
    const sure = region.confidence === null ? "" : ` ${Math.round(region.confidence * 100)} %`;
    return make("option", { value: n }, `${n + 1}. ${region.label ?? "thing"}${sure}`);
  });
  select.replaceChildren(make("option", { value: "" }, `Choose of ${regions.length} …`), ...named);
}
