// The page's API key, asked for once where the service wants one. It lives in a cookie that no
// script can read.
import { $, button, make, say } from "./dom.js";

const GIVEN = "needle-key"; // tells that this browser has a key, not which
let asked = null;

/** Let the reader sign out where the browser has a key. */
export function begin() {
  $("forget-key").hidden = !remembered();
  $("forget-key").onclick = async () => {
    await fetch("/session", { method: "DELETE" }).catch(() => {});
    remember(false);
    location.reload();
  };
}

function remembered() {
  try {
    return Boolean(localStorage[GIVEN]);
  } catch {
    return false;
  }
}

function remember(given) {
  try {
    if (given) localStorage[GIVEN] = "given";
    else localStorage.removeItem(GIVEN);
  } catch {
    // The browser keeps nothing: then signing out is not offered.
  }
}

/** Say why a key was not taken. */
async function why(answer) {
  if (!answer) return "The connection to Needle is lost. Try again.";
  if (answer.status === 401) return "This is not one of the keys of this Needle. Check it for typing errors.";
  const { error } = await answer.json().catch(() => ({}));
  return error?.message ?? `Needle answered ${answer.status}.`;
}

/** Ask for the key until the service takes one; then begin anew. */
export function askForKey() {
  asked ??= new Promise(() => {
    const field = make("input", {
      type: "password", name: "key", required: true, autocomplete: "current-password" });
    const fault = make("p", { role: "alert" });
    const form = make("form", { method: "dialog" },
      make("h2", {}, "A key is needed"),
      make("p", { className: "muted" }, "Ask whoever runs this Needle for one. “needle keys make” makes it."),
      make("label", { className: "field" }, make("span", { className: "muted" }, "Key"), field), fault,
      make("div", { className: "row end" }, button("Sign in", { type: "submit" }, "button primary")));
    const dialog = make("dialog", { className: "sheet-dialog narrow", "aria-label": "A key is needed" }, form);
    dialog.oncancel = (event) => event.preventDefault();
    form.onsubmit = async (event) => {
      event.preventDefault();
      const body = new URLSearchParams({ key: field.value });
      const answer = await fetch("/session", { method: "POST", body }).catch(() => null);
      remember(answer?.ok);
      if (answer?.ok) location.reload();
      else say(fault, await why(answer), true);
    };
    document.body.append(dialog);
    dialog.showModal();
  });
  return asked;
}
