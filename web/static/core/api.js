// The public API of Needle. Every request of the page goes through `call` or `upload`.
import { pause } from "./dom.js";
import { askForKey } from "./key.js";

/** What Needle, or the way to it, answered instead of what was asked for; in words. */
export class ApiError extends Error {
  constructor(message, { status = 0, body = {}, retryAfter = 0 } = {}) {
    super(message);
    Object.assign(this, { status, body, retryAfter, code: body.error?.code });
  }
}

export const isFinal = (job) => job.status !== "queued" && job.status !== "started";

/** Return a query string, leaving out what is empty. */
export function fields(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined
    && value !== null && value !== "" && value !== "default");
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

const silent = (signal) => new ApiError(
  signal?.aborted ? "Cancelled." : "Needle does not answer. Is it running?");

function refused(status, body, retryAfter) {
  const message = body.error?.message ?? `Needle answered ${status}.`;
  return new ApiError(message, { status, body, retryAfter: Number(retryAfter) || 0 });
}

/** Ask Needle and return its answer. Throws ApiError. */
export async function call(method, path, body, signal) {
  const json = body && !(body instanceof FormData);
  const headers = json ? { "Content-Type": "application/json" } : {};
  const options = { method, headers, signal, body: json ? JSON.stringify(body) : body };
  const answer = await fetch(path, options).catch(() => { throw silent(signal); });
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  if (answer.status === 401) await askForKey();
  throw refused(answer.status, found, answer.headers.get("Retry-After"));
}

/** Return a key that makes a request safe to send again; also where no secure context is. */
export const newKey = () =>
  [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("-");

/** Post images and return their job; `progress` sees the bytes sent (fetch cannot tell). */
export function upload(form, { key, progress, signal }) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/v1/images");
    request.responseType = "json";
    request.setRequestHeader("Idempotency-Key", key);
    request.upload.onprogress = ({ loaded }) => progress(loaded);
    request.onload = () => {
      const body = request.response ?? {};
      if (request.status === 401) askForKey();
      if (request.status < 300) done(body);
      else fail(refused(request.status, body, request.getResponseHeader("Retry-After")));
    };
    request.onerror = request.onabort = () => fail(silent(signal));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/** Poll a job until it ends; `show` sees each state, and null while Needle is away. */
export async function ended(id, show = () => {}, signal = undefined) {
  for (;;) {
    const job = await call("GET", `/api/v1/jobs/${id}?wait=1`, undefined, signal).catch((error) => {
      if (signal?.aborted || (error.status && error.status !== 503)) throw error;
      return null;
    });
    show(job);
    if (job && isFinal(job)) return job;
    await pause(job ? 150 : 2000);
  }
}

/** Return where the pixels inside a box of an indexed image are. */
export function cropUrl(image, box) {
  const name = image.collection ?? "default";
  return `/api/v1/images/${image.image_id}/crop?${fields({ box: box.join(","), collection: name })}`;
}

/** Return every path of an image, a line each: what to show where there is room for its name alone. */
export const titleOf = (image) => (image.paths?.length ? image.paths.join("\n") : image.filename);

/** Return what names the images of a list: a file's name, with its folders where another image has
 * the same one. */
export function namer(images) {
  const seen = new Map();
  for (const { filename } of images) seen.set(filename, (seen.get(filename) ?? 0) + 1);
  return ({ filename, path }) => (seen.get(filename) > 1 && path) || filename;
}

/** Return where to get an image to look at: the file, then a JPEG of it that every browser shows. */
export function imageSources(image) {
  return [image.urls.file, cropUrl(image, [0, 0, image.width, image.height]), image.urls.thumbnail];
}
