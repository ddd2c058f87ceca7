// The address bar holds what is shown: the search with its options, and the image in full view.

const NUMBERS = ["limit", "hits_per_image", "min_score"];
const WORDS = ["image", "job", "text", "collection", "view"];

export const DEFAULTS = { limit: 20, hits_per_image: 6, min_score: -1 };

let searched = ""; // the search that the page shows, as the address says it
let held = null; // the entry of the history that a step back does not leave yet

/** Return the search that the address names; without image, job and text it names none. */
export function read() {
  const given = new URLSearchParams(location.search);
  const search = { collection: "default", filter: {}, verify: true, ...DEFAULTS };
  for (const name of WORDS) if (given.get(name)) search[name] = given.get(name);
  for (const name of NUMBERS) {
    const value = Number(given.get(name));
    if (given.get(name) && Number.isFinite(value)) search[name] = value;
  }
  const box = (given.get("box") ?? "").split(",").map(Number);
  if (box.length === 4 && box.every(Number.isInteger)) search.box = box;
  if (given.get("verify") === "false") search.verify = false;
  search.filter = parsed(given.get("filter"));
  searched = withView(null);
  return search;
}

function parsed(text) {
  try {
    const filter = JSON.parse(text ?? "{}");
    return filter && typeof filter === "object" && !Array.isArray(filter) ? filter : {};
  } catch {
    return {};
  }
}

/** Put a search into the address; a new one is a new entry of the history. */
export function write(search) {
  const given = new URLSearchParams();
  for (const name of WORDS) {
    if (search[name] && search[name] !== "default") given.set(name, search[name]);
  }
  if (search.box) given.set("box", search.box.join(","));
  if (search.image || search.text || search.job) {
    for (const name of NUMBERS) {
      if (search[name] !== DEFAULTS[name]) given.set(name, search[name]);
    }
    if (search.verify === false) given.set("verify", "false");
    if (Object.keys(search.filter ?? {}).length) given.set("filter", JSON.stringify(search.filter));
  }
  const url = address(given);
  if (url !== address(new URLSearchParams(location.search))) history.pushState(null, "", url);
  searched = withView(null);
}

function address(given) {
  const text = given.toString().replaceAll("%2C", ",");
  return text ? `?${text}` : location.pathname;
}

function withView(id) {
  const given = new URLSearchParams(location.search);
  if (id) given.set("view", id);
  else given.delete("view");
  return address(given);
}

/** Return the id of the image in full view; null without one. */
export const view = () => new URLSearchParams(location.search).get("view");

/** Say that an image is in full view. To open it is a new entry of the history, to turn to the
 * next one is not: one step back closes it. */
export function enterView(id) {
  if (view()) history.replaceState(history.state, "", withView(id));
  else history.pushState({ opened: true }, "", withView(id));
}

/** Say that the full view is closed: as if the reader had gone back, where that closes it. */
export function leaveView() {
  if (!view()) return;
  if (history.state?.opened) history.back();
  else history.replaceState(null, "", withView(null));
}

/** Note this entry of the history, so that `stay` can come back to it. */
export function hold() {
  held = { state: history.state, url: location.href };
}

/** Take back a step of the reader's: the address is again that of the entry that was noted. */
export function stay() {
  if (location.href !== held.url) history.pushState(held.state, "", held.url);
}

/** Run `then` when the reader goes back or forth, with whether the search is still the same. */
export function onTravel(then) {
  addEventListener("popstate", () => then({ same: withView(null) === searched }));
}
