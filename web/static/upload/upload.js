// Adding images: sent in requests of a sensible size; taken up again after a reload.
import { call, newKey, upload } from "../core/api.js";
import * as collections from "../core/collections.js";
import { pause } from "../core/dom.js";
import { batches, othersOf, pathOf } from "./files.js";
import { forget, kept } from "./kept.js";
import { Run } from "./run.js";

const RETRY_S = 5;
const BROKEN_TRIES = 3; // connections that break although Needle is there
const sending = new Set();

// What is not sent yet is lost with the page: browsers ask before they leave it.
addEventListener("beforeunload", (event) => { if (sending.size) event.preventDefault(); });

/** Post files as images and follow them; say what of a folder was left out. `options` are fields of
 * the request. */
export async function add({ files, leftOut }, options = {}) {
  if (!files.length && !leftOut.length) return;
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const collection = collections.current();
  const run = new Run(`Upload to “${collection}”`,
    { collection, size, waiting: files.length, leftOut, others: othersOf(files) });
  sending.add(run);
  let followed;
  for (const batch of batches(files)) {
    const job = await send(batch, { ...options, collection }, run);
    if (job || !run.cancelled) run.waiting -= batch.length;
    if (job) followed = run.follow(job);
    if (run.cancelled) break;
  }
  sending.delete(run);
  await followed;
  run.end();
}

/** Tell whether to try again: nobody answered, the first try is at work yet, or there is no room. */
const passes = ({ status, code }) => [0, 429, 503].includes(status) || code === "in_progress";

const there = () => call("GET", "/livez").then(() => true, ({ status }) => status > 0);

/** Post a batch and return its job; null when it was refused.
 * What passes is waited for, and tried again with the same key, so that no second job comes of it. */
async function send(batch, options, run) {
  const form = new FormData();
  for (const [name, value] of Object.entries(options)) form.append(name, value);
  for (const file of batch) form.append("files", file, pathOf(file));
  const before = run.sent;
  const key = newKey();
  const progress = (bytes) => run.progress(before + bytes);
  for (let broken = 0; ;) {
    try {
      const job = await upload(form, { key, progress, signal: run.abort.signal });
      run.progress(before + batch.reduce((sum, file) => sum + file.size, 0));
      return job;
    } catch (error) {
      if (run.cancelled) return null;
      if (!error.status && await there()) broken += 1;
      if (passes(error) && broken < BROKEN_TRIES) {
        run.away(error);
        await pause(1000 * (error.retryAfter || RETRY_S));
        continue;
      }
      const items = error.body.error?.items ?? [];
      run.refuse(batch.length, items.length ? items.map((item) => [item.name, item.message])
        : batch.map((file) => [pathOf(file), error.message]));
      return null;
    }
  }
}

/** Take up the uploads of before the page was loaded. */
export async function resume() {
  await Promise.all(kept().sort((one, other) => one.at - other.at).map(takeUp));
}

/** Follow the jobs of an upload again; one of which nothing is left is forgotten. */
async function takeUp({ id, jobs: ids, ...upload }) {
  const find = (job) => call("GET", `/api/v1/jobs/${job}`).catch((error) => {
    if (error.status === 404) return null; // too long ago
    throw error;
  });
  const jobs = (await Promise.all(ids.map(find))).filter(Boolean);
  if (!jobs.length && !upload.refusals.length && !upload.unsent) return forget(id);
  const run = new Run(upload.title, { ...upload, id });
  const followed = jobs.map((job) => run.follow(job)).at(-1);
  Promise.resolve(followed).then(() => run.end());
  return undefined;
}
