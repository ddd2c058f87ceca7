// What a search of a collection says that has no image yet.
import { count, plain } from "../core/dom.js";
import { underway } from "./run.js";

/** Return in words why a search failed. */
export function why(error, collection) {
  if (error.status !== 404 || !error.message.startsWith("There is no collection")) return error.message;
  const now = underway(collection);
  return now ? `The first images are being indexed: ${plain(now.done)} of ${count(now.total, "image")} ready. `
    + "Search again when some are." : "This collection has no images yet. Add some, then search again.";
}
