// What a result says, in sentences that claim no more than it does, and which images go together.
import { count, known, percent, plain } from "../core/dom.js";

const LIKELY = 0.5; // an image that shows it rather than not
const POSSIBLE = 0.1; // one that is worth a look where nothing is likely
const NEAR = 0.5; // of the best score of the kind: beyond that, kinds are hardly alike

/** Tell whether an image shows what was looked for, rather than not. */
function shows(match, result) {
  if (result.found === false) return false;
  return known(match.probability) ? match.probability >= LIKELY : Boolean(match.verified);
}

/** Tell whether a search asked for anything of the same kind. */
export const asksForKind = ({ query }) => query?.same_kind > 0;

const isOfKind = ({ likeness }) => likeness === "kind";

/** Return the matches in groups, each in the order of the result: `found`; `own`, the image that
 * the query was taken from; `possible`; `kind`, of the same kind perhaps; `alike`, the rest. */
export function grouped(result, matches) {
  const own = result.query?.image_id;
  const best = Math.max(...matches.filter(isOfKind).map(({ score }) => score));
  const groups = { found: [], own: [], possible: [], kind: [], alike: [] };
  for (const match of matches) {
    const sure = shows(match, result);
    match.sure = sure;
    if (match.image_id === own) groups.own.push(match);
    else if (sure) groups.found.push(match);
    else if (isOfKind(match)) groups[match.score > 0 && match.score >= NEAR * best ? "kind" : "alike"].push(match);
    else if (match.probability >= POSSIBLE || !judges(result)) groups.possible.push(match);
    else groups.alike.push(match);
  }
  return groups;
}

/** Tell whether the result says how sure it is: of words, and in old results, there is only an order. */
const judges = (result) => known(result.found) && !isOfWords(result);
const isOfWords = ({ query }) => Boolean(query?.text && !query.image_id && !query.filename && !query.url);

/** Say in one sentence what was found. */
export function verdict(result, groups, search = {}) {
  const { found, own, kind } = groups;
  const other = own.length ? "other image" : "image";
  if (!result.index.images) return "There is nothing to search yet";
  if (!result.matches.length) return nothing(search);
  const things = result.objects ?? [];
  if (things.length > 1) {
    const there = things.filter((thing, n) => isThere(thing, n, groups)).length;
    const where = own.length ? "in other images" : "in these images";
    return there ? `Found ${plain(there)} of ${count(things.length, "thing")} ${where}`
      : `Probably none of the ${plain(things.length)} things is ${where}`;
  }
  if (asksForKind(result)) {
    const more = `${count(kind.length, other)} may show the same kind of thing`;
    if (!found.length) return kind.length ? more : "Probably nothing of this kind in these images";
    return `Found in ${count(found.length, other)}${kind.length ? `; ${more.replace(" may", " more may")}` : ""}`;
  }
  if (found.length) return `Found in ${count(found.length, other)}`;
  if (!judges(result)) return `The ${count(result.matches.length, "image")} that fit best`;
  return own.length ? "Probably not in any other image" : "Probably not in these images";
}

/** Tell whether a thing of the query is found, elsewhere than in the image that it comes from. */
export function isThere(thing, n, { found, own }) {
  if (!own.length) return thing.found;
  return found.some(({ hits }) => hits.some(({ object }) => object === n));
}

/** Say why nothing is left to show. */
function nothing({ filter = {}, min_score: least = -1 }) {
  const filters = Object.keys(filter).length > 0;
  if (filters && least > -1) return "The filter and the lowest score left nothing";
  if (filters) return "The filter left nothing to search";
  return least > -1 ? "No image reaches the lowest score" : "Nothing was found";
}

/** Say what the percentages mean where they are not those of a find, and how near the nearest is. */
export function explained(result, { found, own, kind, possible, alike }) {
  if (asksForKind(result) && kind.length) {
    return "The percentages say how alike the kinds of thing are, not how sure it is.";
  }
  if (found.length || result.objects?.length > 1 || !judges(result)) return "";
  const others = [...possible, ...alike, ...kind];
  const surest = Math.max(0, ...others.map(({ probability }) => probability ?? 0));
  if (!others.length) return own.length ? "Needle found it in the image itself alone." : "";
  return `Even the closest is ${percent(surest)} likely to show it.`;
}

/** Say how much was searched, how long that took and how closely. */
export function facts({ index, timings_ms: timings, verification }) {
  const parts = [`${count(index.images, "image")} searched in ${(timings.total / 1000).toFixed(1)} s`];
  if (verification?.checked) parts.push(`${plain(verification.checked)} double-checked`);
  return parts.join(" · ");
}

/** Say that the time was up before all was looked at; "" where it was not. */
export const cutShort = ({ verification }) => (verification?.complete === false
  ? "Time ran out before every candidate was looked at closely." : "");

/** Return how many places of a match are shown, and how many there are. */
export function placesOf({ hits, count: all }) {
  const proven = hits.filter((hit) => hit.verified).length;
  return { shown: proven || hits.length, all: Math.max(all ?? 0, proven) };
}

/** Say how many places of a find are shown, of how many; "" where that is not known. */
export function placesIn(match) {
  if (!match.sure) return "";
  const { shown, all } = placesOf(match);
  if (all > shown) return `${plain(shown)} of ${count(all, "place")} shown`;
  return all ? count(all, "place") : "";
}
