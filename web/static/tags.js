// The tags of the image in the viewer: shown, and edited in place.
import { call, ended, fields } from "./api.js";
import { $, announce, make, say } from "./dom.js";
import { Rows } from "./rows.js";

const rows = new Rows($("view-rows"), { tests: false, add: "Add a tag" });
let shown = null;

export function begin() {
  $("view-edit").onclick = () => edit(true);
  $("view-keep").onclick = save;
}

/** Show what is noted of an image. */
export function show(image) {
  shown = image;
  const held = Object.entries(image.metadata ?? {});
  $("view-details").replaceChildren(...held.flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", {}, words(value))]));
  edit(false);
}

/** A list is shown, and typed, with commas. */
const words = (value) => (Array.isArray(value) ? value.join(", ") : String(value));

function edit(on) {
  $("view-details").hidden = on || !$("view-details").children.length;
  $("view-edit").hidden = on;
  $("view-tags").hidden = !on;
  say($("view-tags-text"), "");
  if (on) rows.show(shown.metadata);
}

/** Return what has changed: new values, and null for keys that are gone. */
function changes() {
  const before = shown.metadata ?? {};
  const now = rows.read();
  const changed = Object.entries(now).flatMap(([name, value]) => {
    const old = before[name];
    if (!Array.isArray(old)) return value === old ? [] : [[name, value]];
    return String(value) === words(old) ? []
      : [[name, String(value).split(",").map((word) => word.trim()).filter(Boolean)]];
  });
  const gone = Object.keys(before).filter((name) => !(name in now)).map((name) => [name, null]);
  return Object.fromEntries([...changed, ...gone]);
}

async function save() {
  const image = shown;
  const metadata = changes();
  if (!Object.keys(metadata).length) return edit(false);
  say($("view-tags-text"), "Saving …");
  try {
    const { image_id: id, collection } = image;
    const job = await call("PATCH", `/api/v1/images/${id}?${fields({ collection })}`, { metadata });
    const last = await ended(job.job_id);
    if (last.status !== "succeeded") throw last.error ?? new Error("The tags were not saved.");
    const kept = Object.entries({ ...image.metadata, ...metadata }).filter(([, value]) => value !== null);
    image.metadata = Object.fromEntries(kept);
    announce("Saved.");
    if (shown === image) show(image);
  } catch (error) {
    if (shown === image) say($("view-tags-text"), error.message, true);
  }
  return undefined;
}
