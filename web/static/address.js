// The address bar holds the search: what is asked, of which collection, with which options.

const NUMBERS = ["limit", "hits_per_image", "min_score"];
const WORDS = ["image", "job", "text", "collection"];

export const DEFAULTS = { limit: 20, hits_per_image: 6, min_score: -1 };

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
export function write(search, { replace = false } = {}) {
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
  const text = given.toString().replaceAll("%2C", ",");
  const url = text ? `?${text}` : location.pathname;
  if (url === (location.search || location.pathname)) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
}

/** Run `then` when the reader goes back or forth. */
export function onTravel(then) {
  addEventListener("popstate", then);
}
