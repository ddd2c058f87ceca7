// The full view of an image: zoom, every occurrence, the crop beside the query, a box to search with.
import { call, cropUrl, fields, imageSources, titleOf } from "./api.js";
import { BoxEditor } from "./box.js";
import { $, announce, icon, known, make, percent, img, plain, say } from "./dom.js";
import { frames, places, thing } from "./overlay.js";
import * as regions from "./regions.js";
import { Stage } from "./stage.js";
import * as tags from "./tags.js";

const dialog = $("viewer");
const stage = new Stage($("view-stage"));
stage.zoomable = stage.wheelZooms = true;
const box = new BoxEditor(stage, { change: boxChanged, tap: tapped, enter: () => searchHere() });
let shown = null; // {images, at, query, hit}
let detected = [];
let actions = { search: () => {}, refine: () => {}, remove: () => {} };

const image = () => shown.images[shown.at];
const hits = () => image().hits ?? [];

/** Let the viewer's tools work; `search` gets an image and a box, `refine` a kind of example,
 * a match and a box of it, `remove` an image. */
export function begin(given) {
  actions = given;
  $("view-close").onclick = () => dialog.close();
  $("view-in").onclick = () => stage.enlarge(1.5);
  $("view-out").onclick = () => stage.enlarge(1 / 1.5);
  $("view-fit").onclick = () => stage.enlarge(0);
  $("view-before").onclick = () => turn(-1);
  $("view-after").onclick = () => turn(1);
  $("view-search").onclick = () => searchHere();
  for (const [id, kind] of [["view-like", "examples"], ["view-unlike", "negatives"]]) {
    $(id).onclick = () => {
      dialog.close();
      actions.refine(kind, image(), hits()[shown.hit].box);
    };
  }
  $("view-delete").onclick = () => actions.remove(image());
  for (const tool of ["move", "draw"]) $(`tool-${tool}`).onclick = () => take(tool);
  dialog.onkeydown = keys;
  tags.begin();
  dialog.onclick = ({ target }) => { if (target === dialog) dialog.close(); };
  panning();
}

/** Show an image of a list; matches show where the `query` was found. */
export function open(images, at, query = null) {
  shown = { images, at, query, hit: 0 };
  if (!dialog.open) dialog.showModal();
  return show();
}

export const close = () => dialog.close();

async function show() {
  const now = image();
  box.set(null);
  detected = [];
  regions.draw(stage, []);
  shown.hit = 0;
  take(now.hits ? "move" : "draw");
  $("view-title").textContent = now.path ?? now.filename;
  $("view-title").title = titleOf(now);
  $("view-file").href = now.urls.file;
  $("view-before").disabled = shown.at === 0;
  $("view-after").disabled = shown.at === shown.images.length - 1;
  say($("view-facts"), `${shown.at + 1} of ${plain(shown.images.length)} · `
    + `${now.width} × ${now.height} pixels${known(now.probability) ? ` · ${percent(now.probability)}` : ""}`);
  tags.show(now);
  showHits();
  const { width, height, filename } = now;
  await stage.show({ sources: imageSources(now), width, height, alt: filename });
  if (!now.hits) showRegions(now);
}

async function showRegions(now) {
  const found = await regions.detections(now);
  if (!dialog.open || image() !== now) return;
  detected = found;
  regions.draw(stage, detected);
}

function showHits() {
  const now = image();
  $("view-hits").hidden = !hits().length;
  if (!hits().length) {
    stage.layer.replaceChildren();
    $("view-pair").replaceChildren();
    return boxChanged(box.box);
  }
  const chosen = hits()[shown.hit];
  const drawn = hits().filter((hit) => hit === chosen || places(now).includes(hit));
  stage.layer.replaceChildren(...frames(drawn, now.width, now.height, drawn.indexOf(chosen)));
  const pair = [[shown.query?.preview, "Looked for"],
    [cropUrl(now, chosen.box), chosen.verified ? "Found here" : "Looks alike"]];
  $("view-pair").replaceChildren(...pair.filter(([src]) => src).map(([src, words]) => make(
    "figure", {}, img([src], { alt: words }), make("figcaption", {}, words))));
  $("view-places").replaceChildren(...hits().map(place));
  return boxChanged(box.box);
}

/** Say what a place shows, where there is a word for it, and whether that is proven. */
function title(hit, n) {
  const alike = image().verified && !hit.verified;
  const what = thing(hit, image().objects) || (alike ? "Looks alike" : `Place ${n + 1}`);
  return hit.verified ? `${what} · verified` : what;
}

/** Return one occurrence of the list. */
function place(hit, n) {
  const about = [];
  if (hit.rotation !== undefined && Math.abs(hit.rotation) >= 3) {
    about.push(`turned by ${Math.round(hit.rotation)}°`);
  }
  if (hit.mirrored) about.push("mirrored");
  if (hit.inliers) about.push(`${plain(hit.inliers)} points agree`);
  const choice = make("button", { type: "button", className: "place",
    "aria-pressed": n === shown.hit, onclick: () => choose(n) },
  img([hit.urls.crop], { alt: "", loading: "lazy" }),
  make("span", {}, make("strong", {}, hit.verified ? icon("check") : null, title(hit, n)),
    make("small", {}, about.join(" · ") || size(hit), ` · score ${hit.score.toFixed(2)}`)));
  return make("li", {}, choice);
}

const size = ({ box: [x1, y1, x2, y2] }) => `${x2 - x1} × ${y2 - y1} pixels`;

function choose(n) {
  shown.hit = n;
  showHits();
  stage.focus(hits()[n].box);
  $("view-places").children[n].firstChild.focus();
  announce(`Place ${n + 1} of ${hits().length}: ${title(hits()[n], n)}`);
}

function boxChanged(now) {
  $("view-search-words").textContent = now ? "Search with this box"
    : hits().length ? "Search with this region" : "Search with this image";
}

function tapped(where) {
  const region = regions.regionAt(detected, where);
  if (region) box.set(region.box);
}

function searchHere() {
  const now = image();
  const where = box.box ?? hits()[shown.hit]?.box ?? null;
  dialog.close();
  if (now.hits) { // a match: the record of its image says more
    const { image_id: id, collection } = now;
    call("GET", `/api/v1/images/${id}?${fields({ collection })}`)
      .then((image) => actions.search(image, where), () => actions.search(now, where));
  } else {
    actions.search(now, where);
  }
}

function turn(step) {
  const next = shown.at + step;
  if (!shown.images[next]) return;
  shown.at = next;
  show();
  announce(image().filename);
}

/** Take a tool: `move` drags the image about, `draw` draws a box on it. */
function take(tool) {
  box.enabled = tool === "draw";
  dialog.dataset.tool = tool;
  for (const each of ["move", "draw"]) $(`tool-${each}`).setAttribute("aria-pressed", each === tool);
}

function keys(event) {
  if (event.target.matches("input, select") || event.defaultPrevented) return;
  const deeds = { "+": () => stage.enlarge(1.5), "-": () => stage.enlarge(1 / 1.5),
    0: () => stage.enlarge(0), ArrowLeft: () => turn(-1), ArrowRight: () => turn(1),
    d: () => take("draw"), m: () => take("move") };
  if (event.ctrlKey || event.metaKey || event.altKey || !deeds[event.key]) return;
  event.preventDefault();
  deeds[event.key]();
}

function panning() {
  let from = null;
  const { frame } = stage;
  frame.addEventListener("pointerdown", (event) => {
    if (box.enabled || event.button !== 0 || event.pointerType === "touch") return;
    from = { x: event.clientX + frame.scrollLeft, y: event.clientY + frame.scrollTop };
    frame.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  frame.addEventListener("pointermove", (event) => {
    if (!from) return;
    frame.scrollLeft = from.x - event.clientX;
    frame.scrollTop = from.y - event.clientY;
  });
  for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => { from = null; });
}
