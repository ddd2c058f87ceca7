// The files of a drop, a paste or a choice: folders walked through, requests of a sensible size.
import { plain } from "../core/dom.js";

const BATCH = { files: 100, bytes: 48e6 };
const LITTER = /^(\.|(Thumbs\.db|ehthumbs\.db|desktop\.ini|__MACOSX)$)/i; // what file managers leave in folders
const READ = new Set([".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif",
  ".bmp", ".dib", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpf", ".jpx",
  ".dng", ".nef", ".arw", ".cr2", ".pef", ".srw", ".rw2", ".raf",
  ".zip", ".tar", ".tgz", ".gz", ".tbz2", ".bz2", ".txz", ".xz"]);
const paths = new WeakMap(); // of files that were dropped in a folder: no file says where it was

/** Return the path of a file, from the folder on that was chosen or dropped. */
export const pathOf = (file) => paths.get(file) || file.webkitRelativePath || file.name;

const ending = (name) => /.(\.[^.]+)$/.exec(name)?.[1].toLowerCase() ?? "without an ending";

/** Tell by its name whether a file is nothing that Needle reads. */
const isOther = (name) => !READ.has(ending(name));

/** Return how many files there are of each ending, the commonest first; `before` are counted already. */
export function byEnding(names, before = []) {
  const many = new Map(before);
  for (const end of names.map(ending)) many.set(end, (many.get(end) ?? 0) + 1);
  return [...many].sort((one, other) => other[1] - one[1]);
}

/** Divide what a folder holds: files to send, and how many of each other ending are left out. */
function divided(files) {
  const names = files.map(({ name }) => name);
  return { files: files.filter(({ name }) => !isOther(name)), leftOut: byEnding(names.filter(isOther)) };
}

/** Return the names of those files that are nothing that Needle reads, as the service spells them. */
export const othersOf = (files) => files.filter(({ name }) => isOther(name))
  .map((file) => pathOf(file).normalize("NFC"));

/** Tell an item that is nothing to read and not among the `others` that were chosen themselves: it
 * was in an archive, and is left out there, as it is in a folder. */
export const isPacked = ({ name, error }, others) =>
  ["invalid_image", "image_too_large"].includes(error?.code) && isOther(name) && !others.includes(name);

/** Say which files were left out; nothing where there are none. */
export function leftOutSentence(leftOut) {
  const each = leftOut.map(([end, many]) => `${plain(many)} ${end}`);
  return each.length ? ` Left out: ${each.join(", ")}.` : "";
}

/** Return every file of a drop, folders walked through, and what was left out of these.
 * To be called while the drop is handled. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.());
  const whole = [...transfer.files];
  if (!entries.some((entry) => entry?.isDirectory)) return { files: whole, leftOut: [] };
  return divided((await Promise.all(entries.filter(Boolean).map(inside))).flat());
}

async function inside(entry) {
  if (LITTER.test(entry.name)) return [];
  if (entry.isFile) {
    const file = await new Promise((done, fail) => { entry.file(done, fail); });
    paths.set(file, entry.fullPath.replace(/^\//, ""));
    return [file];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader gives some entries at a time, none when it is through
    const some = await new Promise((done, fail) => { reader.readEntries(done, fail); });
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(inside))).flat());
  }
}

/** Return what an input chose, without what file managers leave in a folder, and what was left out.
 * Files that were chosen one by one are all sent: Needle says of each what it is. */
export function wanted(input) {
  const files = [...input.files].filter((file) => !pathOf(file).split("/").some((part) => LITTER.test(part)));
  return input.webkitdirectory ? divided(files) : { files, leftOut: [] };
}

/** Split files into requests. */
export function batches(files) {
  const all = [];
  let bytes = Infinity;
  for (const file of files) {
    const last = all.at(-1);
    if (!last || last.length >= BATCH.files || bytes + file.size > BATCH.bytes) {
      all.push([file]);
      bytes = file.size;
    } else {
      last.push(file);
      bytes += file.size;
    }
  }
  return all;
}
