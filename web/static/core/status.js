// Whether the service is ready, which models it uses, what waits in its queues.
import { call } from "./api.js";
import { $, make, pause, plain, say } from "./dom.js";

const PAUSE_MS = { ready: 10000, other: 3000 };
const WORDS = {
  ready: "Ready", starting: "Starting", unavailable: "Not available", away: "Connection lost, retrying" };
let indexed = () => null;
let wake = () => {};

/** Watch the service; `models` sees the models whenever they change, `facts` tells the index, `back`
 * runs when the service has become ready again. */
export async function watch(models, { facts, back }) {
  indexed = facts;
  let [last, lost] = [null, false];
  for (;;) {
    const state = await call("GET", "/readyz").catch((error) => error.body);
    show(state?.status ? state : { ...state, status: "away" });
    const ready = state?.status === "ready";
    if (ready && lost) back();
    lost = !ready;
    const now = JSON.stringify(state?.models ?? null);
    if (state?.models && now !== last) models(state.models);
    last = now;
    await Promise.race([new Promise((done) => { wake = done; }),
      pause(ready ? PAUSE_MS.ready : PAUSE_MS.other)]);
  }
}

/** Ask now. */
export const again = () => wake();

function show({ status, models, workers = {}, queues = {}, error }) {
  const word = WORDS[status] ?? status;
  $("status").dataset.status = status;
  $("status-words").textContent = word;
  $("status").setAttribute("aria-label", `Service: ${word}. Show details`);
  $("mini").hidden = models?.name !== "mini";
  const waiting = Object.values(queues).reduce((sum, each) => sum + each, 0);
  const rows = [
    ["State", error?.message ?? word],
    ["Collection", indexed()],
    ["Waiting", waiting ? `${plain(waiting)} task${waiting === 1 ? "" : "s"}` : "nothing"],
    ["Workers", Object.entries(workers).map(([role, n]) => `${n} ${role}`).join(", ")],
    ["Models", models?.name],
    ["Detector", models && (models.detector ?? "none: tiles and the whole image")],
    ["Encoder", models?.encoder],
    ["Search by text", models && (models.has_text ? "yes" : "not with these models")],
    ["Runs on", models?.device],
    ["Regions per image", Object.entries(models?.regions_per_image ?? {}).map(([profile, most]) =>
      `${profile} ${plain(most)}`).join(", ")],
  ];
  $("state").replaceChildren(...rows.filter(([, value]) => value).flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", {}, value)]));
  say($("starting"), status === "ready" ? "" : {
    starting: "Needle is starting: it loads its models. Searches and uploads wait until it is ready.",
    unavailable: "Needle cannot reach its queue (Redis). It goes on by itself once that is back.",
  }[status] ?? "Connection to Needle lost, retrying. Is it running?");
  $("starting").hidden = status === "ready";
}
