// What images are added with: tags of the reader's, and tags that are read from each file.
import { $, say } from "../core/dom.js";
import { Rows } from "./rows.js";
import { fault } from "./tagging.js";

const KEPT = "needle-note";
const NOTES = ["date", "camera", "place", "folder"];
const rows = new Rows($("metadata"), { tests: false, add: "Add a tag" });

/** Let the tags be chosen, as they were the last time. */
export function begin() {
  try {
    const last = localStorage[KEPT]?.split(",");
    for (const name of last ? NOTES : []) $(`note-${name}`).checked = last.includes(name);
  } catch {
    // The browser keeps nothing: then the page's own choice holds.
  }
  $("details").onchange = () => {
    try {
      localStorage[KEPT] = noted().join(",");
    } catch {
      // Nor does it now.
    }
    draw();
  };
  $("details").ontoggle = draw;
}

const noted = () => NOTES.filter((name) => $(`note-${name}`).checked);
const given = () => Object.fromEntries(Object.entries(rows.read()).filter(([, value]) => value !== ""));

function draw() {
  const many = Object.keys(given()).length;
  $("details-count").textContent = many || "";
}

/** Return the fields of a request that adds images; null, with a sentence, where a tag is wrong. */
export function read() {
  const wrong = fault($("metadata"));
  say($("metadata-text"), wrong && `${wrong} Correct that, then choose the files again.`, true);
  if (wrong) {
    $("details").open = true;
    $("metadata").querySelector("input").focus();
    return null;
  }
  const metadata = given();
  const note = noted();
  return {
    ...(Object.keys(metadata).length && { metadata: JSON.stringify(metadata) }),
    ...(note.length && { note: note.join(",") }),
  };
}
