// Tags as people edit them: checked before they are sent, compared with what was there, saved.
import { call, ended, fields } from "../core/api.js";
import { plain } from "../core/dom.js";

const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const MOST = { tags: 64, letters: 1000, values: 64 };

/** A list is shown, and typed, with commas. */
export const inWords = (value) => (Array.isArray(value) ? value.join(", ") : String(value));

const listed = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);

/** Say what is wrong with the rows of an editor; "" where nothing is. `before` are the tags that are
 * edited, `base` is what their rows stood for: what nobody touched is not wrong. */
export function fault(host, { before = {}, base = {} } = {}) {
  const text = (row, name) => row.querySelector(`[name=${name}]`).value.trim();
  const rows = [...host.querySelectorAll(".row")]
    .map((row) => [text(row, "key"), text(row, "value")]);
  const names = rows.map(([name]) => name).filter(Boolean);
  const nameless = rows.find(([name, value]) => !name && value);
  if (nameless) return `The value “${nameless[1]}” needs a name.`;
  const bad = names.find((name) => !NAME.test(name));
  if (bad) {
    return `“${bad}” cannot be the name of a tag. Use at most 64 letters a-z, digits, - and _, `
      + "without spaces.";
  }
  const twice = names.find((name, n) => names.indexOf(name) !== n);
  if (twice) return `There are two tags “${twice}”. Each name can be used once.`;
  const touched = rows.filter(([name, value]) => value !== String(base[name]));
  const values = ([name, value]) => (Array.isArray(before[name]) ? listed(value) : [value]);
  const long = touched.find((row) => values(row).some((value) => value.length > MOST.letters));
  if (long) return `The value of “${long[0]}” is longer than ${plain(MOST.letters)} letters.`;
  const many = touched.find((row) => values(row).length > MOST.values);
  if (many) return `“${many[0]}” has more than ${MOST.values} values.`;
  if (names.length > MOST.tags) return `An image can have at most ${MOST.tags} tags.`;
  return "";
}

/** Return what to change of tags to get from `before` to `now`, of those alone whose rows are not
 * what they were in `base`: rows cannot show every tag as it is. null takes a tag away, as an empty
 * value does. */
export function changes(before, now, base) {
  const edited = ([name]) => now[name] !== base[name];
  const given = Object.entries(now).filter(([, value]) => value !== "");
  const changed = given.flatMap(([name, value]) => {
    const old = before[name];
    if (!Array.isArray(old)) return value === old ? [] : [[name, value]];
    return String(value) === inWords(old) ? [] : [[name, listed(String(value))]];
  });
  const gone = [...Object.keys(before), ...Object.keys(now)]
    .filter((name) => !(name in now) || now[name] === "").map((name) => [name, null]);
  return Object.fromEntries([...changed, ...gone].filter(edited));
}

/** Save changes of an image's tags, and note them on it. Throws what went wrong, in words. */
export async function save(image, metadata) {
  const { image_id: id, collection } = image;
  const job = await call("PATCH", `/api/v1/images/${id}?${fields({ collection })}`, { metadata });
  const last = await ended(job.job_id);
  if (last.status !== "succeeded") throw new Error(await why(last));
  const kept = Object.entries({ ...image.metadata, ...metadata }).filter(([, value]) => value !== null);
  image.metadata = Object.fromEntries(kept);
}

async function why({ job_id: id, error }) {
  if (error) return error.message;
  const { items } = await call("GET", `/api/v1/jobs/${id}/items?limit=1`).catch(() => ({ items: [] }));
  return items[0]?.error?.message ?? "The tags were not saved.";
}
