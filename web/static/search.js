// One search: posted, waited for, shown, put into the address; and opened again from it.
import * as address from "./address.js";
import { ApiError, call, ended, fields, isFinal } from "./api.js";
import * as collections from "./collections.js";
import { keep, kept, preview } from "./preview.js";
import * as query from "./query.js";
import * as results from "./results.js";

const WAIT_S = 2;
let running = null; // the latest search; answers to earlier ones are dropped

/** Look for what the panel holds. */
export async function start() {
  const { search, picture } = query.current();
  search.collection = collections.current();
  if (!picture && !search.text) return;
  const job = picture?.job && !search.box ? picture.job : null;
  await attempt({ ...search, ...(job && { job }) }, picture, () =>
    (job ? call("GET", `/api/v1/jobs/${job}`) : post(search, picture)));
}

/** Look for a box of an indexed photo; null is all of it. */
export async function startWith(image, box) {
  await query.choose({ image, name: image.filename }, box);
  await start();
}

/** End the search that runs. */
export function cancel() {
  if (!running) return;
  running.abort.abort();
  if (running.job) call("DELETE", `/api/v1/jobs/${running.job}`).catch(() => {});
}

/** Open the search that the address names, if it names one. */
export async function open() {
  const search = address.read();
  await collections.choose(search.collection);
  query.showOptions(search);
  if (search.text) {
    query.turnTo("words");
    return attempt(search, null, () => post(search, null));
  }
  if (search.image) return openImage(search);
  if (search.job) return openJob(search);
  cancel();
  running = null;
  await query.choose(null);
  return results.clear();
}

async function openImage(search) {
  const { image: id, collection } = search;
  try {
    const image = await call("GET", `/api/v1/images/${id}?${fields({ collection })}`);
    const picture = { image, name: image.filename };
    await query.choose(picture, search.box);
    await attempt(search, picture, () => post(search, picture));
  } catch (error) {
    results.fail(error.status === 404
      ? "The photo that this link searches with is not indexed any more." : error.message);
  }
}

async function openJob(search) {
  const picture = { job: search.job, name: "The picture of this link", url: "", ...kept(search.job) };
  await attempt(search, picture, async (signal) => {
    const job = await call("GET", `/api/v1/jobs/${search.job}`, undefined, signal).catch((error) => {
      throw error.status === 404 ? new ApiError("This link has expired: Needle keeps the result of "
        + "a search with an uploaded picture for some days. Search again with the picture.") : error;
    });
    if (job.kind !== "search") throw new ApiError("This link names a job that is no search.");
    picture.url ||= job.urls?.query ?? job.links?.query ?? "";
    return job;
  });
  if (picture.url) await query.choose(picture, search.box);
  else await query.choose(null);
}

function post(search, picture) {
  const options = { ...search, wait: WAIT_S };
  for (const name of ["image", "job"]) delete options[name];
  if (search.verify) delete options.verify; // as the service is set up
  if (!picture?.url) {
    if (picture) options.image_id = picture.image.image_id;
    return call("POST", "/api/v1/search", options, running.abort.signal);
  }
  return body(options, picture).then((form) =>
    call("POST", "/api/v1/search", form, running.abort.signal));
}

/** Return the form of a search by file; a picture that came by a link is fetched first. */
async function body(options, picture) {
  const form = new FormData();
  for (const [name, value] of Object.entries(options)) {
    form.append(name, name === "filter" ? JSON.stringify(value) : String(value));
  }
  const file = picture.file ?? await (await fetch(picture.url)).blob();
  form.append("file", file, picture.name);
  return form;
}

async function attempt(search, picture, ask) {
  cancel();
  const mine = { abort: new AbortController() };
  running = mine;
  const { signal } = mine.abort;
  const name = search.text ? `“${search.text}”` : picture.name;
  const shown = await preview(picture, search.box);
  results.wait(name, shown);
  try {
    let job = await ask(signal);
    if (running !== mine) return;
    mine.job = job.job_id;
    if (!isFinal(job)) job = await ended(job.job_id, () => {}, signal);
    if (running !== mine) return;
    if (!job.result) throw new ApiError(job.error?.message ?? `The search was ${job.status}.`);
    remember(search, picture, job, shown);
    results.show(job.result, { name, preview: shown, search, collection: search.collection });
  } catch (error) {
    if (running === mine) results.fail(error.message);
  }
  if (running === mine) running = null;
}

/** Put the search into the address: by photo or text as it is, by an uploaded picture as its job. */
function remember(search, picture, job, shown) {
  const byJob = !search.image && !search.text;
  if (byJob) keep(job.job_id, picture.name, shown);
  address.write(byJob ? { ...search, job: job.job_id } : search);
}
