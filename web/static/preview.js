// A small picture of what was asked, for the head of the results; it outlives a reload.
import { cropUrl } from "./api.js";

const SIDE = 320;
const KEPT = 12;
const key = (job) => `needle-query-${job}`;

/** Return the address of a small picture of the query; "" where there is none to show. */
export async function preview(picture, box) {
  if (!picture) return "";
  if (picture.image) {
    const { image } = picture;
    return box ? cropUrl(image, box) : image.urls.thumbnail;
  }
  return picture.url ? cut(picture.url, box) : "";
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

/** Keep what an uploaded picture looked like for this tab, under its search. */
export function keep(job, name, url) {
  if (!url.startsWith("data:")) return;
  try {
    const old = Object.keys(sessionStorage).filter((each) => each.startsWith(key("")));
    for (const each of old.slice(KEPT)) sessionStorage.removeItem(each);
    sessionStorage.setItem(key(job), JSON.stringify({ name, url }));
  } catch {
    // Full or forbidden: a reload then shows the result without the picture.
  }
}

/** Return {name, url} of a search's picture where this tab has it. */
export function kept(job) {
  try {
    return JSON.parse(sessionStorage.getItem(key(job)));
  } catch {
    return null;
  }
}
