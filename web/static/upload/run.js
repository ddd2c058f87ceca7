// An upload, or jobs that are found running: followed until every image has ended.
import { call, ended, isFinal } from "../core/api.js";
import { count, plain } from "../core/dom.js";
import { Eta } from "./eta.js";
import { byEnding, isPacked, leftOutSentence } from "./files.js";
import { forget, keep, newId } from "./kept.js";
import { ProgressCard } from "./progress.js";

const ITEMS_PAGE = 1000;
const NAMING_MS = 3000; // so seldom are failures asked for while a job runs
const MOST_KEPT = 200;
const running = new Set();
let changed = () => {};

/** `then` runs whenever an image has ended or an upload has; it learns whether any upload has. */
export function onChange(then) {
  changed = then;
}

/** Return how many images of a collection are being indexed and how many are ready; null for none. */
export function underway(collection) {
  const here = [...running].filter((run) => run.collection === collection);
  if (!here.length) return null;
  const sum = (name) => here.reduce((all, run) => all + run.sums[name], 0);
  return { total: sum("total"), done: sum("done"), failed: sum("failed") };
}

/** Tell whether an upload of this page has a job. */
export const follows = (id) => [...running].some((run) => run.jobs.has(id));

export class Run {
  #packed = []; // names of what is nothing to read in the archives that were sent
  #named = new Map(); // job -> indexes of the items whose failure or warning is on the card
  #failures = new Map(); // job -> how many of these failed
  #following = Promise.resolve();
  #eta = new Eta();
  #ticks = 0;
  #shown = "";
  #naming = null;
  #nextNaming = 0;
  #timer;
  #lost = null; // what is waited for

  /** `waiting` files are yet to be sent, of `size` bytes; `unsent` ones never will. `others`
   * names chosen files that are nothing to read (null: nobody knows), `sure` asks whether to cancel. */
  constructor(title, { collection, id = newId(), size = 0, waiting = 0, unsent = 0, leftOut = [],
    refused = 0, refusals = [], theirs = false, others = null, sure = async () => true }) {
    Object.assign(this, { title, collection, id, size, waiting, unsent, leftOut, refused, refusals,
      theirs, others, sent: 0, unchanged: 0, jobs: new Map() });
    this.abort = new AbortController();
    this.card = new ProgressCard(title, {
      cancel: async () => { if (await sure()) this.cancel(); },
      dismiss: () => forget(id),
    });
    this.card.fail(refusals);
    running.add(this);
    this.#keep();
    this.#timer = setInterval(() => this.#tick(), 1000);
    this.show();
  }

  get cancelled() { return this.abort.signal.aborted; }

  get sending() { return this.waiting > 0 && !this.cancelled; }

  cancel() {
    this.abort.abort();
    for (const job of this.jobs.values()) {
      if (!isFinal(job)) call("DELETE", `/api/v1/jobs/${job.job_id}`).catch(() => {});
    }
  }

  /** How many images there are, are ready, have failed, and have failed without a name yet: these
   * may turn out to be left out of an archive. */
  get sums() {
    const sum = { total: this.waiting + this.refused, done: 0, failed: this.refused, unnamed: 0 };
    for (const [id, { progress }] of this.jobs) {
      const named = this.#failures.get(id) ?? 0;
      sum.total += progress.total;
      sum.done += progress.done;
      sum.failed += named;
      sum.unnamed += Math.max(0, progress.failed - named);
    }
    sum.total -= this.#packed.length;
    sum.failed -= this.#packed.length;
    return sum;
  }

  /** Note that a file was not taken: pairs of a name and a reason. */
  refuse(many, pairs) {
    this.refused += many;
    this.refusals = [...this.refusals, ...pairs].slice(0, MOST_KEPT);
    this.card.fail(pairs);
  }

  /** Say that it is waited for, until it goes on. */
  away(error = {}) {
    this.#lost = error;
    this.show();
  }

  /** Note that so many bytes have been sent. */
  progress(bytes) {
    this.sent = Math.min(this.size, bytes);
    this.#lost = null;
    this.show();
  }

  show() {
    if (this.#lost) return this.card.away(this.#lost);
    const sums = this.sums;
    const begun = [...this.jobs.values()].some(({ status }) => status !== "queued");
    if (begun) this.#eta.note({ total: sums.total, ended: sums.done + sums.failed + sums.unnamed });
    this.card.show({ ...sums, begun, sent: this.sent, size: this.size, left: this.#eta.left() });
    const now = JSON.stringify(sums);
    if (now !== this.#shown) changed();
    this.#shown = now;
    return undefined;
  }

  /** Follow a job, after those before it: the service takes them in that order, and a browser has
   * few connections. */
  follow(job) {
    this.jobs.set(job.job_id, job);
    this.#keep();
    this.show();
    this.#following = this.#following.then(() => this.#follow(job.job_id))
      .catch((error) => this.card.fail([["Progress", error.message]]));
    return this.#following;
  }

  async #follow(id) {
    const last = await ended(id, (state) => {
      if (!state) return this.away();
      this.#lost = null;
      this.jobs.set(id, state);
      this.#nameFailures(state);
      return this.show();
    });
    await this.#naming;
    await this.#name(id, { last: true });
    if (last.error) this.card.fail([["The whole upload", last.error.message]]);
  }

  /** Name what has failed so far, if that is more than is named. */
  #nameFailures({ job_id: id, progress }) {
    const now = performance.now();
    if (this.#naming || now < this.#nextNaming || progress.failed <= (this.#failures.get(id) ?? 0)) return;
    this.#nextNaming = now + NAMING_MS;
    this.#naming = this.#name(id).catch(() => {}).finally(() => {
      this.#naming = null;
      if (running.has(this)) this.show();
    });
  }

  /** List what failed, and what of an image could not be read; at last, count what was there before. */
  async #name(id, { last = false } = {}) {
    const named = this.#named.get(id) ?? new Set();
    this.#named.set(id, named);
    for (let offset = 0; ; offset += ITEMS_PAGE) {
      const page = `offset=${offset}&limit=${ITEMS_PAGE}`;
      const { items, total } = await call("GET", `/api/v1/jobs/${id}/items?${page}`);
      const news = items.filter((item) => !named.has(item.index));
      const ill = news.filter((item) => item.status === "failed");
      const isLeftOut = (item) => this.others && isPacked(item, this.others);
      const failed = ill.filter((item) => !isLeftOut(item));
      const warned = news.filter((item) => item.warning);
      for (const item of [...ill, ...warned]) named.add(item.index);
      this.#failures.set(id, (this.#failures.get(id) ?? 0) + ill.length);
      this.#packed.push(...ill.filter(isLeftOut).map(({ name }) => name));
      this.card.fail(failed.map((item) => [item.name, item.error?.message ?? "failed"]));
      this.card.warn(warned.map((item) => [item.name, item.warning]));
      if (last) this.unchanged += items.filter(({ status }) => status === "unchanged").length;
      if (offset + ITEMS_PAGE >= total) return;
    }
  }

  end() {
    clearInterval(this.#timer);
    running.delete(this);
    const { total, done, unnamed, ...sums } = this.sums;
    const failed = sums.failed + unnamed;
    const clean = !failed && !this.leftOut.length && !this.#packed.length && !this.unsent && !this.card.failures;
    this.card.end(this.#sentence(total, done, failed), { bad: (failed > 0 && !done) || this.unsent > 0 });
    if (clean) forget(this.id);
    else this.#keep();
    if (clean && this.theirs) this.card.remove();
    changed({ over: true });
  }

  #sentence(total, done, failed) {
    const some = `${plain(done)} of ${count(total, "image")} ready`;
    const ended = !total ? "Nothing to upload" : this.cancelled ? `Cancelled; ${some}`
      : failed ? `${some}, ${plain(failed)} failed` : `${count(done, "image")} ready`;
    const all = this.unchanged === done;
    const which = !all ? plain(this.unchanged) : done === 1 ? "It" : "All";
    const before = this.unchanged ? ` ${which} ${this.unchanged === 1 ? "was" : "were"} there before.` : "";
    const unsent = this.unsent ? ` The page was closed before ${count(this.unsent, "file")} could be `
      + "sent. Add them again: images that are ready are not indexed twice." : "";
    return `${ended}.${before}${leftOutSentence(byEnding(this.#packed, this.leftOut))}${unsent}`;
  }

  #tick() {
    this.show();
    this.#ticks += 1;
    if (this.sending && this.#ticks % 5 === 0) this.#keep();
  }

  #keep() {
    if (this.theirs) return;
    const { title, collection, leftOut, others, refused, refusals, sending } = this;
    keep(this.id, { title, collection, leftOut, others, refused, refusals, sending,
      unsent: this.unsent + (sending ? this.waiting : 0), jobs: [...this.jobs.keys()] });
  }
}
