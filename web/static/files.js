// The files of a drop, a paste or a choice: folders walked through, requests of a sensible size.

const BATCH = { files: 100, bytes: 48e6 };
const LITTER = /^(\.|Thumbs\.db$|desktop\.ini$)/i; // what file managers leave in folders

/** Return every file of a drop, folders walked through. To be called while the drop is handled. */
export function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.());
  if (!entries.some((entry) => entry?.isDirectory)) return Promise.resolve([...transfer.files]);
  return Promise.all(entries.filter(Boolean).map(inside)).then((found) => found.flat());
}

async function inside(entry) {
  if (LITTER.test(entry.name)) return [];
  if (entry.isFile) return [await new Promise((done, fail) => { entry.file(done, fail); })];
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader gives some entries at a time, none when it is through
    const some = await new Promise((done, fail) => { reader.readEntries(done, fail); });
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(inside))).flat());
  }
}

/** Return what a folder input chose, without what file managers leave there. */
export const wanted = (files) => [...files].filter((file) => !LITTER.test(file.name));

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
