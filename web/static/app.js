// Needle's page: a client of the public API. Every request goes through `call`.
"use strict";

const STRIP = 24; // thumbnails shown
const FAILURES = 20; // failures listed
const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);
const count = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const isFinal = (job) => job.status !== "queued" && job.status !== "started";

/** Return an element with those properties and children. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Write a line; `bad` marks it as an error. */
function say(id, text, bad = false) {
  $(id).textContent = text;
  $(id).classList.toggle("bad", bad);
}

/** Ask Needle. Throws an Error in words, with `status` and `body` where there was an answer. */
async function call(method, path, body, signal) {
  const json = body && !(body instanceof FormData);
  const headers = json ? { "Content-Type": "application/json" } : {};
  const options = { method, headers, signal, body: json ? JSON.stringify(body) : body };
  const answer = await fetch(path, options).catch(() => {
    throw new Error(signal?.aborted ? "Cancelled." : "Needle does not answer. Is it running?");
  });
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  const error = new Error(found.error?.message ?? `Needle answered ${answer.status}.`);
  throw Object.assign(error, { status: answer.status, body: found });
}

/** Poll a job until it ends; `show` sees each state, and null while Needle is away. */
async function ended(id, show = () => {}) {
  for (;;) {
    const job = await call("GET", `/api/v1/jobs/${id}?wait=1`).catch((error) => {
      if (error.status && error.status !== 503) throw error;
      return null;
    });
    show(job);
    if (job && isFinal(job)) return job;
    if (!job) await pause(2000);
  }
}

// Status

async function watchStatus() {
  for (;;) {
    const state = await call("GET", "/readyz").catch((error) => error.body ?? {});
    const models = state.models;
    const status = state.status ?? "unavailable";
    $("status").dataset.status = status;
    $("status").textContent = models ? `${status} · ${models.name}` : status;
    $("status").title = models ? `${models.encoder} on ${models.device}` : "";
    $("notice").hidden = models?.name !== "mini";
    $("notice").textContent =
      "small offline models: finds the same thing again, weak at second photographs";
    await pause(status === "ready" ? 15000 : 3000);
  }
}

// Adding photos

let stop = () => {}; // what the cancel button does now

async function add(files) {
  if (!files.length || $("add").classList.contains("off")) return;
  const form = new FormData();
  for (const file of files) form.append("files", file);
  const megabytes = files.reduce((sum, file) => sum + file.size, 0) / 1e6;
  const sending = new AbortController();
  stop = () => sending.abort();
  $("bar").removeAttribute("value");
  say("progress-text", `Sending ${count(files.length, "file")} (${megabytes.toFixed(1)} MB) …`);
  await adding(async () => {
    const job = await call("POST", "/api/v1/images", form, sending.signal);
    await follow(job.job_id);
  });
}

/** Show the progress while `work` runs, and in words what went wrong. */
async function adding(work) {
  listFailures([]);
  $("progress").hidden = false;
  $("add").classList.add("off");
  $("add").querySelector("input").disabled = true;
  try {
    await work();
  } catch (error) {
    sessionStorage.removeItem("job");
    say("progress-text", error.message, true);
    const items = error.body?.error?.items ?? [];
    if (items.length > 1) listFailures(items.map((item) => [item.name, item.message]));
  }
  $("progress").hidden = true;
  $("add").classList.remove("off");
  $("add").querySelector("input").disabled = false;
  await showLibrary();
}

/** Follow an index job to its end; a reload of the page takes it up again. */
async function follow(id) {
  sessionStorage.setItem("job", id);
  stop = () => call("DELETE", `/api/v1/jobs/${id}`).catch(() => {});
  let shown = 0;
  const job = await ended(id, (state) => {
    if (!state) return say("progress-text", "Needle is away; waiting for it …", true);
    const { total, done, failed, rate_per_s: rate, eta_s: eta } = state.progress;
    $("bar").max = total;
    $("bar").value = done + failed;
    const parts = [`${done + failed} of ${count(total, "photo")}`];
    if (rate) parts.push(`${rate.toFixed(1)} per second`);
    if (eta) parts.push(eta < 90 ? `${Math.ceil(eta)} s left` : `${Math.ceil(eta / 60)} min left`);
    if (failed) parts.push(`${failed} failed`);
    say("progress-text", parts.join(" · "));
    if (done > shown) showLibrary();
    shown = done;
  });
  sessionStorage.removeItem("job");
  const { total, done, failed } = job.progress;
  const some = `${done} of ${count(total, "photo")}`;
  const words = { cancelled: `Cancelled. ${some} are indexed and stay.` };
  const all = `${count(done, "photo")} indexed.`;
  say("progress-text", words[job.status] ?? (failed ? `${some} indexed, ${failed} failed:` : all));
  if (job.error) say("progress-text", job.error.message, true);
  if (failed) listFailures(await failures(id, total));
}

async function failures(id, total) {
  const found = [];
  for (let offset = 0; offset < total && found.length <= FAILURES; offset += 1000) {
    const page = await call("GET", `/api/v1/jobs/${id}/items?limit=1000&offset=${offset}`);
    found.push(...page.items.filter((item) => item.status === "failed"));
  }
  return found.map((item) => [item.name, item.error?.message ?? "failed"]);
}

function listFailures(pairs) {
  const lines = pairs.slice(0, FAILURES).map(([name, why]) =>
    make("li", {}, make("strong", { textContent: name }), ` ${why}`));
  if (pairs.length > FAILURES) lines.push(make("li", { textContent: "… and more." }));
  $("failures").replaceChildren(...lines);
  $("failures").hidden = !lines.length;
}

/** Show the newest photos, or what to do when there are none. */
async function showLibrary() {
  try {
    const { images, total } = await call("GET", `/api/v1/images?limit=${STRIP}`);
    say("library-text", total
      ? `${count(total, "photo")}, newest first. Choose one to search with it.`
      : "Nothing is indexed yet. Add some large photos first, then look for something in them.");
    $("strip").replaceChildren(...images.map((image) => {
      const label = `Search with ${image.filename}`;
      const button = make("button", { type: "button", title: label });
      button.append(make("img", { src: image.urls.thumbnail, alt: label, loading: "lazy" }));
      button.onclick = () =>
        search({ image_id: image.image_id }, image.filename, image.urls.thumbnail);
      return make("li", {}, button);
    }));
  } catch (error) {
    say("library-text", error.message, true);
  }
}

// Finding

let turn = 0; // the latest search; answers to earlier ones are dropped

function searchFile([file]) {
  if (!file) return;
  const form = new FormData();
  form.append("file", file);
  search(form, file.name, URL.createObjectURL(file));
}

async function search(query, name, preview) {
  const mine = ++turn;
  URL.revokeObjectURL($("query").src);
  $("query").hidden = false;
  $("query").src = preview;
  $("matches").replaceChildren();
  $("caution").hidden = true;
  $("results").hidden = false;
  $("results").setAttribute("aria-busy", "true");
  say("results-text", `Looking for ${name} …`);
  $("results").scrollIntoView({ block: "nearest" });
  try {
    let job = await call("POST", "/api/v1/search", query);
    if (!isFinal(job)) job = await ended(job.job_id);
    if (mine !== turn) return;
    if (!job.result) throw new Error(job.error?.message ?? `The search was ${job.status}.`);
    showResult(job.result, name, preview);
  } catch (error) {
    if (mine === turn) say("results-text", error.message, true);
  }
  if (mine === turn) $("results").removeAttribute("aria-busy");
}

function showResult({ matches, timings_ms: timings, index }, name, preview) {
  const where = `${count(index.images, "photo")}, ${count(index.regions, "region")}`;
  say("results-text", matches.length
    ? `${name}: the best of ${where}, in ${(timings.total / 1000).toFixed(2)} s`
    : "Nothing to look through yet: add photos first.");
  $("caution").hidden = !matches.length;
  $("matches").replaceChildren(...matches.map((match, rank) => card(match, rank, preview)));
  $("results").scrollIntoView({ block: "start" });
}

/** Return a match: the photo with its boxes, what was found there, the score. */
function card(match, rank, preview) {
  const first = rank === 0;
  const { file, thumbnail, crop } = match.urls;
  // Browsers cannot show every format that Needle reads; the thumbnail is always a JPEG.
  const image = make("img", { alt: "", loading: first ? "eager" : "lazy" });
  image.onerror = () => { image.onerror = null; image.src = thumbnail; };
  image.src = first ? file : thumbnail;
  const label = `Open ${match.filename}, score ${match.score.toFixed(2)}, in a new tab`;
  const link = make("a", { href: file, target: "_blank", rel: "noopener", className: "photo" });
  link.setAttribute("aria-label", label);
  link.append(image, boxes(match));
  if (first) link.style.aspectRatio = `${match.width} / ${match.height}`;
  const found = make("figure", {}, make("img", { src: crop, alt: "", loading: "lazy" }));
  const facts = make("div", { className: "facts" },
    make("strong", { className: "name", textContent: match.filename, title: match.filename }),
    make("span", { className: "score", textContent: match.score.toFixed(3) }));
  const side = make("div", { className: "side" }, found, facts);
  if (first) {
    found.append(make("figcaption", { textContent: "Found" }));
    const asked = make("img", { src: preview, alt: "" });
    asked.onerror = () => asked.parentNode.remove();
    side.prepend(make("figure", {}, asked, make("figcaption", { textContent: "Asked for" })));
    facts.append(make("span", { className: "muted", textContent: where(match.hits[0].box) }));
  }
  return make("li", { className: first ? "card match first" : "card match" }, link, side);
}

const where = ([x1, y1, x2, y2]) => `${x2 - x1} × ${y2 - y1} px at ${x1}, ${y1}`;

/** Return the overlay: the photo dimmed but for the best box; the other boxes thin. */
function boxes({ width, height, hits }) {
  const draw = (tag, attributes) => {
    const shape = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
    return shape;
  };
  const overlay = draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  const [x1, y1, x2, y2] = hits[0].box;
  const hole = `M0 0H${width}V${height}H0ZM${x1} ${y1}V${y2}H${x2}V${y1}Z`;
  overlay.append(draw("path", { d: hole, class: "dim" }));
  hits.map(({ box: [left, top, right, bottom] }, n) =>
    ({ x: left, y: top, width: right - left, height: bottom - top, class: n ? "other" : "best" }))
    .reverse()
    .forEach((box) => overlay.append(
      draw("rect", { ...box, class: `${box.class} halo` }), draw("rect", box)));
  return overlay;
}

// Files from outside

/** Return the files that were dropped, those in folders too. */
async function dropped(transfer) {
  const walk = async (entry) => {
    if (entry.isFile) return [await new Promise((done, fail) => entry.file(done, fail))];
    const reader = entry.createReader();
    const inside = [];
    for (;;) {
      const some = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!some.length) break;
      inside.push(...some.filter((one) => !one.name.startsWith(".")));
    }
    return (await Promise.all(inside.map(walk))).flat();
  };
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  return (await Promise.all(entries.map(walk))).flat();
}

function zone(id, take) {
  const area = $(id);
  const input = area.querySelector("input");
  input.onchange = () => {
    take([...input.files]);
    input.value = "";
  };
  area.ondragover = () => area.classList.add("over");
  area.ondragleave = () => area.classList.remove("over");
  area.ondrop = async (event) => {
    area.classList.remove("over");
    take(await dropped(event.dataTransfer));
  };
}

zone("add", add);
zone("find", searchFile);
$("cancel").onclick = () => stop();
$("query").onerror = () => { $("query").hidden = true; };
document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => event.preventDefault();
document.onpaste = (event) => searchFile(event.clipboardData.files);
watchStatus();
showLibrary();
if (sessionStorage.getItem("job")) adding(() => follow(sessionStorage.getItem("job")));
