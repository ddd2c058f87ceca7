// The two halves of the working area: the images, and what a search found.
import { $ } from "./dom.js";
import { ofPage } from "./title.js";

const NAMES = ["images", "results"];
let result = ""; // what the tab of the results is called in the title of the page

/** Turn to one half; `found` tells whether there is a result to turn to, `title` what it is. */
export function turnTo(name, { found = !$("view-results").disabled, title = result } = {}) {
  result = title;
  $("view-results").disabled = !found;
  ofPage(name === "results" ? title || "Results" : "");
  for (const each of NAMES) {
    $(each).hidden = each !== name;
    $(`view-${each}`).setAttribute("aria-selected", each === name);
    $(`view-${each}`).tabIndex = each === name ? 0 : -1;
  }
}

/** Let the tabs be clicked and stepped through. */
export function begin() {
  for (const name of NAMES) $(`view-${name}`).onclick = () => turnTo(name);
  $("views").onkeydown = ({ key }) => {
    if (key !== "ArrowLeft" && key !== "ArrowRight") return;
    const other = NAMES.find((name) => $(name).hidden);
    if ($(`view-${other}`).disabled) return;
    turnTo(other);
    $(`view-${other}`).focus();
  };
}
