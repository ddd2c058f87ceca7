// Drops and pastes: a small image on the query panel, images anywhere else.
import { $ } from "../core/dom.js";
import { dropped } from "./files.js";

/** `find` gets an image to look for, `findUrl` the address of one that was pasted, `add` gets files
 * to index, with what was left out. */
export function begin({ find, findUrl, add }) {
  const panel = $("query");
  const bringsFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!bringsFiles(event) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    mark(panel.contains(event.target) ? "find" : "add");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) mark("");
  });
  document.addEventListener("drop", async (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    mark("");
    if (document.querySelector("dialog[open]")) return;
    const looksFor = panel.contains(event.target);
    const chosen = await dropped(event.dataTransfer);
    if (looksFor) find(chosen.files[0]);
    else add(chosen);
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    const text = event.clipboardData.getData("text/plain").trim();
    const typing = event.target.closest?.("input, textarea, dialog");
    if (!file && (typing || !/^https?:\/\/\S+$/i.test(text))) return;
    event.preventDefault();
    if (file) find(file);
    else findUrl(text);
  });
}

function mark(where) {
  if (document.body.dataset.over !== where) document.body.dataset.over = where;
}
