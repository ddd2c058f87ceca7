// A question that has to be answered before something is lost.
import { $ } from "./dom.js";

/** Ask and return whether the answer was yes; `yes` and `no` are the words of the buttons. */
export function ask(title, words, yes, no = "Keep") {
  const dialog = $("confirm");
  $("confirm-title").textContent = title;
  $("confirm-text").textContent = words;
  $("confirm-yes").textContent = yes;
  $("confirm-no").textContent = no;
  dialog.returnValue = "";
  dialog.showModal();
  $("confirm-no").focus();
  $("confirm-no").onclick = () => dialog.close();
  $("confirm-yes").onclick = () => dialog.close("yes");
  return new Promise((answer) => {
    dialog.onclose = () => answer(dialog.returnValue === "yes");
  });
}
