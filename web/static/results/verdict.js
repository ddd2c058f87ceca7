// What a result says, in sentences that claim no more than it does, and which images go together.
import { count, known, percent, plain } from "../core/dom.js";

const LIKELY = 0.5; // an image that shows it rather than not
const POSSIBLE = 0.1; // one that is worth a look where nothing is likely
const PERHAPS = 0.25; // one that may well show it
const TOLD = 0.01; // below that, no image is closer than the others
const NEAR = 0.5; // of the best score of the kind: beyond that, kinds are hardly alike
const KIND = 0.35; // from that score on, about half of the images show the kind; few of those below do

/** Tell whether an image shows what was looked for, rather than not. */
function shows(match, result) {
  if (result.found === false) return false;
  if (match.shows) return match.shows.length > 0;
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
  const least = Math.max(NEAR * best, asksForKind(result) ? 0 : KIND);
  const groups = { found: [], own: [], possible: [], kind: [], alike: [] };
  for (const match of matches) {
    const sure = shows(match, result);
    match.sure = sure;
    if (match.image_id === own) groups.own.push(match);
    else if (sure) groups.found.push(match);
    else if (isOfKind(match)) groups[match.score > 0 && match.score >= least ? "kind" : "alike"].push(match);
    else if (match.probability >= POSSIBLE || !judges(result)) groups.possible.push(match);
    else groups.alike.push(match);
  }
  return led(groups, result);
}

const ofSeveral = ({ objects = [] }) => objects.length > 1;
const notFound = ({ possible, kind, alike }) => [...possible, ...kind, ...alike];

/** Tell whether the result has to say how near the nearest is. */
const tellsNearest = (result, { found, kind }) =>
  !found.length && judges(result) && !ofSeveral(result) && !(asksForKind(result) && kind.length);

/** Return the image that most probably shows it, of those that probably do not. */
const closestOf = (groups) =>
  notFound(groups).reduce((best, match) => (match.probability > (best?.probability ?? 0) ? match : best), null);

/** Have the closest image come first where none is found: what is said of it is then seen. */
function led(groups, result) {
  const closest = tellsNearest(result, groups) ? closestOf(groups) : null;
  if (!(closest?.probability >= TOLD)) return groups;
  closest.closest = true;
  const others = (name) => groups[name].filter((match) => match !== closest);
  return { ...groups, possible: [closest, ...others("possible")], kind: others("kind"), alike: others("alike") };
}

/** Return what to call the images that are not found, but worth a look. */
export function titleOfPossible({ found, possible: [first] }) {
  if (found.length) return "Possibly as well";
  return first?.closest && first.probability < POSSIBLE ? "Closest" : "Possibly";
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
  if (ofSeveral(result)) {
    const things = result.objects;
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
  if (isUnfinished(result)) return own.length ? "Not found in another image so far" : "Not found so far";
  if (perhapsIn(groups)) return `Perhaps in ${count(perhapsIn(groups), other)}`;
  return own.length ? "Probably not in any other image" : "Probably not in these images";
}

/** Return how many images may well show it, though none is likelier to than not. */
const perhapsIn = (groups) => notFound(groups).filter(({ probability }) => probability >= PERHAPS).length;

/** Tell whether a thing of the query is found, elsewhere than in the image that it comes from. */
export function isThere(thing, n, { found, own }) {
  if (!own.length) return thing.found;
  return found.some(({ hits, shows: those = hits.map(({ object }) => object) }) => those.includes(n));
}

/** Say why nothing is left to show. */
function nothing({ filter = {}, min_score: least = -1 }) {
  const filters = Object.keys(filter).length > 0;
  if (filters && least > -1) return "The filter and the lowest score left nothing";
  if (filters) return "The filter left nothing to search";
  return least > -1 ? "No image reaches the lowest score" : "Nothing was found";
}

/** Say what the percentages mean where they are not those of a find, and how near the nearest is. */
export function explained(result, groups) {
  if (asksForKind(result) && groups.kind.length) {
    return "The percentages say how alike the kinds of thing are, not how sure Needle is.";
  }
  if (!tellsNearest(result, groups)) return "";
  if (!notFound(groups).length) return groups.own.length ? "Only the image that it was taken from shows it." : "";
  const likely = `${percent(closestOf(groups)?.probability ?? 0)} likely to show it`;
  return perhapsIn(groups) ? `The closest is ${likely}: open it to compare.` : `Even the closest is ${likely}.`;
}

/** Say how much was searched, how long that took and how closely. */
export function facts({ index, timings_ms: timings, verification }) {
  const parts = [`${count(index.images, "image")} searched in ${(timings.total / 1000).toFixed(1)} s`];
  if (verification?.checked) parts.push(`${plain(verification.checked)} double-checked`);
  return parts.join(" · ");
}

const isCutShort = ({ verification }) => verification?.complete === false;
/** Return how many images there was no time to double-check; old results do not say it. */
const unchecked = ({ index, verification: { checked, unchecked: left } }) => left ?? index.images - checked;
const isUnfinished = (result) => isCutShort(result) && unchecked(result) > 0;

/** Say what there was no time for; "" where there was time for all. */
export function cutShort(result) {
  if (!isCutShort(result)) return "";
  return `${lacking(result)} A search stops early so that its answer comes fast. Continue it, and it `
    + "takes the time that it needs.";
}

function lacking(result) {
  const { index: { images }, verification: { checked } } = result;
  if (!isUnfinished(result)) return "Time ran out before the last checks of the best images.";
  if (!checked) return "Time ran out before any image was double-checked.";
  const most = checked + unchecked(result);
  return `Time ran out when ${plain(checked)} of the ${
    most < images ? `likeliest ${count(most, "image")}` : count(most, "image")} had been double-checked.`;
}

/** Return how many places of a match are shown, and how many there are. */
export function placesOf({ hits, count: all }) {
  const proven = hits.filter((hit) => hit.verified).length;
  return { shown: proven || hits.length, all: Math.max(all ?? 0, proven) };
}

/** Say how many places of a find are shown, of how many; "" where that is not known. */
export function placesIn(match) {
  if (!match.sure || match.shows) return "";
  const { shown, all } = placesOf(match);
  if (all > shown) return `${plain(shown)} of ${count(all, "place")} shown`;
  return all ? count(all, "place") : "";
}
