// A small picture of what was asked, for the head of the results.
import { cropUrl, fields } from "./api.js";

const SIDE = 320;

/** Return the address of a small picture of the query; "" where there is none to show. */
export async function preview(picture, box) {
  if (!picture) return "";
  if (picture.image) return box ? cropUrl(picture.image, box) : picture.image.urls.thumbnail;
  if (picture.file) return cut(picture.url, box);
  const mark = picture.url.includes("?") ? "&" : "?"; // one that the service keeps
  return `${picture.url}${mark}${fields({ box: box?.join(","), max_side: SIDE })}`;
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
