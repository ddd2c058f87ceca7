// One search: posted, waited for, shown, put into the address; gone on with; opened again from it.
import * as address from "../core/address.js";
import { ApiError, call, ended, fields, isFinal } from "../core/api.js";
import * as collections from "../core/collections.js";
import { $, say } from "../core/dom.js";
import * as extras from "./extras.js";
import { preview } from "../view/preview.js";
import * as query from "./query.js";
import { searchBody } from "./request.js";
import { before } from "../tags/unsaved.js";
import * as results from "../results/results.js";
import * as viewer from "../results/viewer.js";
import { why } from "../upload/yet.js";

let running = null; // the latest search or opening; answers to earlier ones are dropped
let shown = null; // the search whose result is shown: {search, queryImage}

/** Search with what the panel holds. */
export async function start() {
  const { search, queryImage } = query.current();
  search.collection = collections.current();
  if (!queryImage && !search.text) return;
  await attempt(search, queryImage, post(search, queryImage, extras.read({ words: Boolean(search.text) })));
}

/** Search with a box of an indexed image; null is all of it. */
export async function startWith(image, box) {
  await query.choose({ image, name: image.filename }, box);
  await start();
}

/** Search again, with a region of a found image as one of the `examples` or `negatives`. */
export async function refine(kind, match, box) {
  extras.add(kind, extras.region(match, box));
  await start();
}

/** Search again for more places in each image, and show a match with them in full view. */
export async function more(match, places) {
  query.showPlaces(places);
  await start();
  before(() => { if (!results.open(match.image_id)) viewer.close(); }); // tags may be edited by now
}

/** Go on with a search whose time was up, with the time that it needs. */
export async function goOn(job) {
  const { search, queryImage } = shown;
  await attempt(search, queryImage, {
    ask: (signal) => call("POST", `/api/v1/jobs/${job}/continue`, undefined, signal), goesOn: true });
}

/** End what runs, and begin something else. */
function begin() {
  cancel();
  tell("");
  running = { abort: new AbortController() };
  return running;
}

/** End the search that runs. */
export function cancel() {
  if (!running) return;
  running.abort.abort();
  if (running.job) call("DELETE", `/api/v1/jobs/${running.job}`).catch(() => {});
}

/** Open the search that the address names, if it names one. A reader who asks for something
 * else while it opens, on a slow line for example, keeps that. */
export async function open() {
  const search = address.read();
  const { signal } = begin().abort;
  const before = query.image();
  const wanted = () => !signal.aborted && query.image() === before;
  query.showOptions(search);
  await collections.choose(search.collection);
  if (!wanted()) return;
  if (search.job) await openJob(search);
  else if (search.image) await openImage(search, wanted);
  else if (search.text) await openWords(search);
  else await query.choose(null).then(results.clear);
  if (search.view && address.view() === search.view) await look(search.view, search.collection);
}

/** Show an image in full view: of the result, else by itself. */
export async function look(id, collection = collections.current()) {
  if (results.open(id)) return;
  const image = await call("GET", `/api/v1/images/${id}?${fields({ collection })}`).catch((error) => error);
  if (address.view() !== id) return;
  if (!(image instanceof ApiError)) return void await viewer.open([image], 0);
  address.leaveView();
  tell(image.status === 404 ? `The image of this link is not in “${collection}”. It may have been deleted.`
    : image.message);
}

/** Say why a link does not show what it names, until the reader does something else. */
function tell(sentence) {
  say($("gone"), sentence);
  $("gone").hidden = !sentence;
  if (sentence) document.addEventListener("click", () => tell(""), { once: true });
}

async function openWords(search) {
  query.turnTo("words");
  extras.show();
  await attempt(search, null, post(search, null, extras.read({ words: true })));
}

async function openImage(search, wanted) {
  const { image: id, collection } = search;
  try {
    const image = await call("GET", `/api/v1/images/${id}?${fields({ collection })}`);
    if (!wanted()) return;
    const queryImage = { image, name: image.filename };
    await query.choose(queryImage, search.box);
    if (query.image() !== queryImage) return;
    await attempt(search, queryImage, post(search, queryImage, extras.read()));
  } catch (error) {
    if (!wanted()) return;
    results.fail(error.status === 404
      ? "The image that this link searches with is not indexed any more." : error.message);
  }
}

/** Show a search that was made before, here or anywhere: its result, and what it was made with. */
async function openJob(search) {
  const ask = async (signal) => {
    const job = await call("GET", `/api/v1/jobs/${search.job}`, undefined, signal).catch((error) => {
      throw error.status === 404 ? new ApiError("This link has expired: Needle keeps the result of "
        + "a search with an uploaded query for some days. Search again with that image.") : error;
    });
    if (job.kind !== "search") throw new ApiError("This link does not lead to a search.");
    return job;
  };
  await query.choose(null);
  await attempt(search, null, { ask, restore: (result) => restore(search, result) });
}

/** Put into the panel what a search was made with; return its query image, null where none is kept. */
async function restore(search, result) {
  const made = result.query ?? {};
  if (made.box) search.box = made.box;
  if (made.text && !result.urls?.query) query.showWords(made.text);
  const { collection } = search;
  const image = made.image_id && await call("GET",
    `/api/v1/images/${made.image_id}?${fields({ collection })}`).catch(() => null);
  const url = made.image_id ? null : result.urls?.query;
  const queryImage = image ? { image, name: image.filename }
    : url ? { url, name: made.filename ?? "The image of this link" }
      : made.url ? query.remote(made.url) : null;
  await query.choose(queryImage, search.box, result.objects);
  extras.show(result);
  return queryImage;
}

const post = (search, queryImage, more) => ({
  more,
  ask: async (signal) => call("POST", "/api/v1/search", await searchBody(search, queryImage, more), signal),
});

async function attempt(search, queryImage, { ask, restore: restored, more, goesOn = false }) {
  const mine = begin();
  const { signal } = mine.abort;
  const name = search.text ? `“${search.text}”` : queryImage?.name ?? "what this link names";
  const small = await preview(queryImage, search.box);
  if (running !== mine) return;
  results.wait(name, small, { goesOn });
  try {
    let job = await ask(signal);
    if (running !== mine) return;
    mine.job = job.job_id;
    if (!isFinal(job)) job = await ended(job.job_id, () => {}, signal);
    if (running !== mine) return;
    if (!job.result) throw new ApiError(job.error?.message ?? `The search was ${job.status}.`);
    const image = restored ? await restored(job.result) : queryImage;
    if (running !== mine) return;
    // A search by image or words can be made again from its address; any other is named by its job.
    const byJob = goesOn || (more && (extras.any(more) || (!search.image && !search.text)));
    const named = byJob ? { ...search, image: "", text: "", job: job.job_id } : search;
    if (!restored) address.write(named);
    if (!restored && job.result.objects?.length) query.showObjects(job.result.objects);
    shown = { search: named, queryImage: image };
    const url = job.result.urls?.query;
    if (!restored && image?.file && url) query.showKept(image, url);
    results.show(job.result, { name: image?.name ?? name, image, search, job: job.job_id,
      preview: await preview(image, search.box, url) });
  } catch (error) {
    if (running === mine && goesOn) results.failOn(error.message);
    else if (running === mine) results.fail(why(error, search.collection));
  }
  if (running === mine) running = null;
}
