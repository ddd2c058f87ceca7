// Needle's page: a client of the public API. Every request goes through `call`.
"use strict";

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

async function watchStatus() {
  for (;;) {
    const state = await call("GET", "/readyz").catch((error) => error.body ?? {});
    const { status = "unavailable", models } = state;
    $("status").dataset.status = status;
    say("status", models ? `${status} · ${models.name}` : status);
    $("notice").hidden = models?.name !== "mini";
    await pause(status === "ready" ? 15000 : 3000);
  }
}

// Adding photos

let stop; // what the cancel button does now

async function add(files) {
  if (!files.length || $("add-input").disabled) return;
  const form = new FormData();
  for (const file of files) form.append("files", file);
  const size = (files.reduce((sum, file) => sum + file.size, 0) / 1e6).toFixed(1);
  const sending = new AbortController();
  stop = () => sending.abort();
  $("bar").removeAttribute("value");
  say("progress-text", `Sending ${count(files.length, "file")} (${size} MB) …`);
  listFailures([]);
  $("progress").hidden = false;
  $("add-input").disabled = true;
  try {
    const job = await call("POST", "/api/v1/images", form, sending.signal);
    await follow(job.job_id);
  } catch (error) {
    say("progress-text", error.message, true);
    const items = error.body?.error?.items ?? [];
    if (items.length > 1) listFailures(items.map((item) => [item.name, item.message]));
  }
  $("add-input").disabled = false;
  if (document.activeElement === $("cancel")) $("add-input").focus();
  $("progress").hidden = true;
  showLibrary();
}

/** Show an index job's progress until it ends, then how it ended. */
async function follow(id) {
  let shown = 0;
  stop = () => call("DELETE", `/api/v1/jobs/${id}`).catch(() => {});
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
  const { total, done, failed } = job.progress;
  const some = `${done} of ${count(total, "photo")} indexed`;
  const cancelled = job.status === "cancelled" && `Cancelled; ${some}.`;
  say("progress-text", cancelled || job.error?.message || (failed ? `${some}:` : `${some}.`));
  if (!failed) return;
  const { items } = await call("GET", `/api/v1/jobs/${id}/items?limit=1000`);
  const faults = items.filter((item) => item.status === "failed");
  listFailures(faults.map((item) => [item.name, item.error?.message ?? "failed"]));
}

function listFailures(pairs) {
  $("failures").replaceChildren(...pairs.map(([name, why]) =>
    make("li", {}, make("strong", { textContent: name }), ` ${why}`)));
  $("failures").hidden = !pairs.length;
}

/** Show the newest photos, or what to do when there are none. */
async function showLibrary() {
  try {
    const { images, total } = await call("GET", "/api/v1/images?limit=24");
    say("library-text", total
      ? `${count(total, "photo")}, newest first. Choose one to search with it.`
      : "Nothing is indexed yet. Add some large photos first, then look for something in them.");
    $("strip").replaceChildren(...images.map(({ image_id, filename, urls: { thumbnail } }) => {
      const title = `Search with ${filename}`;
      const onclick = () => search({ image_id }, filename, thumbnail);
      const image = make("img", { src: thumbnail, alt: title });
      return make("li", {}, make("button", { type: "button", title, onclick }, image));
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
    : "There is nothing to look through yet: add photos first.");
  $("caution").hidden = !matches.length;
  $("matches").replaceChildren(...matches.map((match, rank) => card(match, rank === 0, preview)));
  $("results").scrollIntoView({ block: "start" });
}

/** Return a match: the photo with its boxes, what was found there, the score. */
function card({ filename, score, width, height, hits, urls }, first, preview) {
  // Browsers cannot show every format that Needle reads; the thumbnail is always a JPEG.
  const image = make("img", { alt: "", loading: first ? "eager" : "lazy" });
  image.onerror = () => { image.onerror = null; image.src = urls.thumbnail; };
  image.src = first ? urls.file : urls.thumbnail;
  const photo = make("a", { className: "photo", href: urls.file, target: "_blank", rel: "noopener" },
    image, boxes(width, height, hits));
  photo.setAttribute("aria-label", `Open ${filename}, score ${score.toFixed(3)}, in a new tab`);
  const side = make("div", { className: "side" });
  const picture = (src, caption) => side.append(make("figure", {},
    make("img", { src, alt: caption, loading: "lazy" }), make("figcaption", {}, caption)));
  if (first) picture(preview, "Asked for");
  picture(urls.crop, "Found");
  side.append(make("div", { className: "facts" },
    make("strong", { className: "name", textContent: filename, title: filename }),
    make("span", { className: "score", textContent: score.toFixed(3) })));
  if (first) photo.style.aspectRatio = `${width} / ${height}`;
  return make("li", { className: first ? "card match first" : "card match" }, photo, side);
}

/** Return the overlay: the photo dimmed but for the best box; the other boxes thin. */
function boxes(width, height, hits) {
  const draw = (tag, attributes, ...children) => {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
    shape.append(...children);
    return shape;
  };
  const [x1, y1, x2, y2] = hits[0].box;
  const dim = draw("path", {
    class: "dim", d: `M0 0H${width}V${height}H0ZM${x1} ${y1}V${y2}H${x2}V${y1}Z` });
  const frames = hits.map(({ box: [x, y, right, bottom] }, n) => {
    const frame = { x, y, width: right - x, height: bottom - y };
    const kind = n ? "other" : "best";
    return [draw("rect", { ...frame, class: `halo ${kind}` }), draw("rect", { ...frame, class: kind })];
  });
  const size = { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" };
  return draw("svg", size, dim, ...frames.reverse().flat());
}

/** Make a drop zone: `take` gets the files that are chosen or dropped there. */
function zone(area, input, take) {
  input.onchange = () => {
    take([...input.files]);
    input.value = "";
  };
  area.ondragover = () => area.classList.add("over");
  area.ondragleave = () => area.classList.remove("over");
  area.ondrop = (event) => {
    area.classList.remove("over");
    take([...event.dataTransfer.files]);
  };
}

zone($("add"), $("add-input"), add);
zone($("find"), $("find-input"), searchFile);
$("cancel").onclick = () => stop();
document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => event.preventDefault();
for (const kind of ["load", "error"]) { // no broken-picture signs: such events do not bubble
  document.addEventListener(kind, ({ target }) =>
    target.classList?.toggle("broken", kind === "error"), true);
}
document.onpaste = (event) => searchFile(event.clipboardData.files);
watchStatus();
showLibrary();
