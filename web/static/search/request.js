// The body of a search: JSON where every query image is indexed, a form where one has to be sent.
import { ApiError } from "../core/api.js";

const WAIT_S = 2;
const NOT_SENT = ["image", "job", "view"]; // of the address, not of the request

/** Return what to post for a search, its query image and what the panel holds beside it. */
export async function searchBody(search, queryImage, extras) {
  const options = { ...search, ...extras.fields, wait: WAIT_S };
  for (const name of NOT_SENT) delete options[name];
  if (search.verify) delete options.verify; // as the service is set up
  for (const kind of ["examples", "negatives"]) {
    const refs = extras[kind].filter(({ ref }) => ref).map(({ ref }) => ref);
    if (refs.length) options[kind] = refs;
  }
  const file = extras.examples.filter(({ ref }) => !ref);
  const not_file = extras.negatives.filter(({ ref }) => !ref);
  // Beside files the service takes an indexed image as a file too: the first is what is looked for.
  const { remote } = queryImage ?? {};
  const sent = queryImage && !remote && (queryImage.url || file.length) ? [queryImage, ...file] : file;
  if (remote && file.length) options.examples = [...options.examples ?? [], { url: remote }];
  else if (remote) options.url = remote;
  else if (queryImage && !sent.includes(queryImage)) options.image_id = queryImage.image.image_id;
  if (!sent.length && !not_file.length) return options;
  return form(options, { file: sent, not_file });
}

async function form(options, files) {
  const found = new FormData();
  for (const [name, value] of Object.entries(options)) {
    found.append(name, typeof value === "object" && name !== "box" ? JSON.stringify(value) : String(value));
  }
  for (const [field, things] of Object.entries(files)) {
    for (const thing of things) found.append(field, await content(thing), thing.name);
  }
  return found;
}

/** Return the bytes of an image; one that the service holds is fetched from it. */
async function content({ file, url, image }) {
  if (file) return file;
  const answer = await fetch(url ?? image.urls.file).catch(() => null);
  if (!answer?.ok) throw new ApiError("An image of this search is not there any more.");
  return answer.blob();
}
