// A small image of the query, for the head of the results.
import { cropUrl, fields } from "../core/api.js";

const SIDE = 320;

/** Return the address of a JPEG of a query that the service keeps, for browsers that cannot show
 * the file itself (HEIC, TIFF): of all of it, or of a box, its longer side at most so many pixels. */
export function kept(url, { box, most }) {
  const mark = url.includes("?") ? "&" : "?";
  return `${url}${mark}${fields({ box: box?.join(","), max_side: most })}`;
}

/** Return the address of a small image of the query; "" where there is none to show. `url` is where
 * the service keeps it, once it has been searched with. */
export async function preview(queryImage, box, url) {
  if (!queryImage || queryImage.remote) return ""; // no other host is asked for images
  if (queryImage.image) return box ? cropUrl(queryImage.image, box) : queryImage.image.urls.thumbnail;
  if (!queryImage.file) return kept(queryImage.url, { box, most: SIDE });
  return await cut(queryImage.url, box) || (url ? kept(url, { box, most: SIDE }) : "");
}

async function cut(url, box) {
  const image = new Image();
  image.src = url;
  if (!await image.decode().then(() => true, () => false)) return "";
  const [x1, y1, x2, y2] = box ?? [0, 0, image.naturalWidth, image.naturalHeight];
  const scale = Math.min(1, SIDE / Math.max(x2 - x1, y2 - y1));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round((x2 - x1) * scale));
  canvas.height = Math.max(1, Math.round((y2 - y1) * scale));
  canvas.getContext("2d").drawImage(
    image, x1, y1, x2 - x1, y2 - y1, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.85);
}
