// The page's API key, asked for once where the service wants one. It lives in a cookie that no
// script can read.
import { button, make, say } from "./dom.js";

let asked = null;

/** Ask for the key until the service takes one; then begin anew. */
export function askForKey() {
  asked ??= new Promise(() => {
    const field = make("input", {
      type: "password", name: "key", required: true, autocomplete: "current-password",
      "aria-label": "API key" });
    const fault = make("p", { role: "alert" });
    const form = make("form", { method: "dialog" },
      make("h2", {}, "This service wants a key"),
      make("p", {}, "Whoever runs it makes one with “needle keys make”."),
      field, fault, button("Go on", { type: "submit" }));
    const dialog = make("dialog", { "aria-label": "API key" }, form);
    dialog.oncancel = (event) => event.preventDefault();
    form.onsubmit = async (event) => {
      event.preventDefault();
      const body = new URLSearchParams({ key: field.value });
      const answer = await fetch("/session", { method: "POST", body }).catch(() => null);
      if (answer?.ok) location.reload();
      else say(fault, answer ? "This key is not known here." : "Needle does not answer.");
    };
    document.body.append(dialog);
    dialog.showModal();
  });
  return asked;
}
