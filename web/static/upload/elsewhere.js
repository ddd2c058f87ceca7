// Images that others add: another window, a program, somebody else.
import { call, isFinal } from "../core/api.js";
import { ask } from "../core/confirm.js";
import { count, pause } from "../core/dom.js";
import { follows, Run } from "./run.js";

const EVERY_MS = 5000;
const MOST_JOBS = 100;
const runs = new Map(); // collection -> the run that follows its jobs
let seen = new Set(); // jobs that were open at the last look
let over = null; // and those that had ended
let changed = () => {};

/** Follow the jobs of others for as long as the page is open. One image that is done by the next
 * look is no upload to speak of, the edit of a tag for one: `then` runs after it. */
export async function watch(then) {
  changed = then;
  for (;;) {
    if (!document.hidden) await look().catch(() => {}); // the state of the service says why
    await pause(EVERY_MS);
  }
}

async function look() {
  const { jobs } = await call("GET", `/api/v1/jobs?kind=index&limit=${MOST_JOBS}`);
  const open = jobs.filter((job) => !isFinal(job) && !follows(job.job_id)).reverse();
  for (const job of open) if (job.progress.total > 1 || seen.has(job.job_id)) take(job);
  seen = new Set(open.map((job) => job.job_id));
  const ended = jobs.filter(isFinal).map((job) => job.job_id);
  if (over && ended.some((id) => !over.has(id))) changed();
  over = new Set(ended);
}

function take(job) {
  const { collection } = job;
  if (!runs.has(collection)) {
    runs.set(collection, new Run(`Upload to “${collection}” from elsewhere`, {
      collection, theirs: true, sure: () => sure(runs.get(collection)) }));
  }
  const run = runs.get(collection);
  const last = run.follow(job);
  run.last = last;
  last.then(() => {
    if (run.last !== last) return;
    runs.delete(collection);
    run.end();
  });
}

function sure({ sums: { total } }) {
  return ask(`Stop indexing ${count(total, "image")}?`, "They were added in another window, by a program "
    + "or by somebody else. Images that are ready stay.", "Stop", "Go on");
}
