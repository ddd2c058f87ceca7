// Adding images: sent in requests of a sensible size, followed until every one has ended.
import { call, ended, isFinal, newKey, upload } from "./api.js";
import * as collections from "./collections.js";
import { count, pause } from "./dom.js";
import { batches, leftOutSentence, pathOf } from "./files.js";
import { ProgressCard } from "./progress.js";

const ITEMS_PAGE = 1000;
const RETRY_S = 5;
const BROKEN_TRIES = 3; // connections that break although Needle is there
let changed = () => {};

/** `then` runs whenever images have come to the index. */
export function onIndexed(then) {
  changed = then;
}

/** An upload, or a job that is found running: its jobs, their states, its card. */
class Run {
  constructor(title, { size = 0, waiting = 0, leftOut = new Map() } = {}) {
    Object.assign(this, { size, waiting, leftOut, sent: 0, done: 0, jobs: new Map(), refused: 0 });
    this.abort = new AbortController();
    this.card = new ProgressCard(title, () => this.cancel());
  }

  cancel() {
    this.abort.abort();
    for (const job of this.jobs.values()) {
      if (!isFinal(job)) call("DELETE", `/api/v1/jobs/${job.job_id}`).catch(() => {});
    }
  }

  get sums() {
    const sum = { total: this.waiting, done: 0, failed: 0 };
    for (const { progress } of this.jobs.values()) {
      for (const name of Object.keys(sum)) sum[name] += progress[name];
    }
    return { ...sum, ended: sum.done + sum.failed };
  }

  /** Show where it stands; the rate counts from the first image that was seen to begin. */
  show() {
    const sums = this.sums;
    if (!sums.ended && this.waiting && this.sent < this.size) {
      return this.card.sending(this.sent, this.size);
    }
    const [only] = this.jobs.size === 1 && !this.waiting ? this.jobs.values() : [];
    this.began ??= sums.ended ? { at: performance.now(), ended: sums.ended } : undefined;
    const since = this.began && sums.ended > this.began.ended;
    const rate = only ? only.progress.rate_per_s
      : since && (sums.ended - this.began.ended) / (performance.now() - this.began.at) * 1000;
    const left = only ? only.progress.eta_s : rate && (sums.total - sums.ended) / rate;
    this.card.indexing({ ...sums, rate, left });
    if (sums.done > this.done) changed();
    this.done = sums.done;
  }

  async follow(job) {
    this.jobs.set(job.job_id, job);
    this.show();
    const last = await ended(job.job_id, (state) => {
      if (!state) return this.card.away();
      this.jobs.set(state.job_id, state);
      return this.show();
    });
    await this.#remarks(last.job_id);
    if (last.error) this.card.fail([["The whole job", last.error.message]]);
  }

  /** List what failed, and what of an image could not be read. */
  async #remarks(id) {
    for (let offset = 0; ; offset += ITEMS_PAGE) {
      const page = `offset=${offset}&limit=${ITEMS_PAGE}`;
      const { items, total } = await call("GET", `/api/v1/jobs/${id}/items?${page}`);
      this.card.fail(items.filter((item) => item.status === "failed")
        .map((item) => [item.name, item.error?.message ?? "failed"]));
      this.card.warn(items.filter((item) => item.warning).map((item) => [item.name, item.warning]));
      if (offset + ITEMS_PAGE >= total) return;
    }
  }

  end() {
    const { total, done, failed } = this.sums;
    const all = `${done} of ${count(total + this.refused, "image")} indexed`;
    const bad = failed + this.refused;
    const sentence = this.abort.signal.aborted ? `Cancelled; ${all}.`
      : bad ? `${all}, ${bad} failed.` : `${count(done, "image")} indexed.`;
    this.card.end(sentence + leftOutSentence(this.leftOut), { bad: bad > 0 && !done });
    changed();
    collections.refresh();
  }
}

/** Post files as images and follow them; say what of a folder was left out. */
export async function add({ files, leftOut }, metadata = {}) {
  if (!files.length && !leftOut.size) return;
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const run = new Run(`Adding ${count(files.length, "file")}`, { size, waiting: files.length, leftOut });
  const options = { collection: collections.current() };
  if (Object.keys(metadata).length) options.metadata = JSON.stringify(metadata);
  const followed = [];
  for (const batch of batches(files)) {
    const job = await send(batch, options, run);
    run.waiting -= batch.length;
    if (job) followed.push(run.follow(job).catch((error) => run.card.fail([["Progress", error.message]])));
    if (run.abort.signal.aborted) break;
  }
  await Promise.all(followed);
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
  const progress = (bytes) => {
    run.sent = Math.min(run.size, before + bytes);
    run.show();
  };
  for (let broken = 0; ;) {
    try {
      return await upload(form, { key, progress, signal: run.abort.signal });
    } catch (error) {
      if (run.abort.signal.aborted) return null;
      if (!error.status && await there()) broken += 1;
      if (passes(error) && broken < BROKEN_TRIES) {
        run.card.away(error);
        await pause(1000 * (error.retryAfter || RETRY_S));
        continue;
      }
      const items = error.body.error?.items ?? [];
      run.refused += batch.length;
      run.card.fail(items.length ? items.map((item) => [item.name, item.message])
        : batch.map((file) => [pathOf(file), error.message]));
      return null;
    }
  }
}

/** Show the index jobs that run already, whoever posted them, where the service lists jobs. */
export async function resume() {
  const { jobs } = await call("GET", "/api/v1/jobs?kind=index&limit=20");
  for (const job of jobs.filter((each) => !isFinal(each))) {
    const run = new Run(`Indexing ${count(job.progress.total, "image")}`);
    run.follow(job).then(() => run.end(), (error) => run.card.end(error.message, { bad: true }));
  }
}
