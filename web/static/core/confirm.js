// A question that has to be answered before something is lost.
import { $ } from "./dom.js";

let pending = () => {}; // answers the question before, whose end may not have been heard of yet

/** Ask and return whether the answer was yes; `yes` and `no` are the words of the buttons. */
export const ask = (title, words, yes, no = "Keep") =>
  choose(title, words, { yes, no }).then((answer) => answer === "yes");

/** Ask and return "yes", "other" or, for no, ""; a question that is open already stays, and the
 * answer to the new one is no. Without an `other` way, yes is what cannot be taken back. */
export function choose(title, words, { yes, no, other = "" }) {
  const dialog = $("confirm");
  if (dialog.open) return Promise.resolve("");
  pending(dialog.returnValue);
  $("confirm-title").textContent = title;
  $("confirm-text").textContent = words;
  $("confirm-yes").textContent = yes;
  $("confirm-yes").className = `button ${other ? "primary" : "danger solid"}`;
  $("confirm-no").textContent = no;
  $("confirm-other").textContent = other;
  $("confirm-other").hidden = !other;
  dialog.returnValue = "";
  dialog.showModal();
  $(other ? "confirm-yes" : "confirm-no").focus();
  for (const answer of ["yes", "other"]) $(`confirm-${answer}`).onclick = () => dialog.close(answer);
  $("confirm-no").onclick = () => dialog.close("");
  return new Promise((answer) => {
    pending = answer;
    dialog.onclose = () => {
      if (!dialog.open) answer(dialog.returnValue); // else it is the end of the question before
    };
  });
}
