// What a search may have beside its query: more examples, what it is not, words, each thing alone.
import { cropUrl } from "../core/api.js";
import { $, announce, make, img, button } from "../core/dom.js";

const MOST = 8; // of one kind, as the service allows
const TITLES = { examples: "an image of the same thing", negatives: "an image of what is not wanted" };
const lists = { examples: [], negatives: [] };
// Checkboxes whose id is a field of the request and whose data-value is what it says when checked.
const choices = [...document.querySelectorAll("#extras [data-value]")];
const needsKinds = (choice) => choice.dataset.needs === "kinds";
const chosen = (choice) => choice.checked && (hasKinds || !needsKinds(choice));
let hasText = false;
let hasKinds = false;

/** Let images be added and taken away. */
export function begin() {
  for (const kind of Object.keys(lists)) {
    const input = $(`${kind}-input`);
    input.onchange = () => {
      for (const file of input.files) {
        add(kind, { file, name: file.name, url: URL.createObjectURL(file) });
      }
      input.value = "";
    };
  }
  for (const input of [...choices, $("also"), $("text_weight")]) input.onchange = draw;
  draw();
}

/** Return a region of an indexed image as an example. */
export const region = (image, box) => ({
  ref: { image_id: image.image_id, ...(box && { box }) },
  name: image.filename,
  url: box ? cropUrl(image, box) : image.urls.thumbnail,
});

/** Add an example ({file, name, url}, or a `region`) to `examples` or `negatives`. */
export function add(kind, thing) {
  const list = lists[kind];
  const same = (other) => thing.ref && JSON.stringify(other.ref) === JSON.stringify(thing.ref);
  if (list.length < MOST && !list.some(same)) list.push(thing);
  $("extras").open = true;
  draw();
}

function remove(kind, thing) {
  lists[kind] = lists[kind].filter((other) => other !== thing);
  if (thing.file) URL.revokeObjectURL(thing.url);
  draw();
  $(`${kind}-input`).focus();
  announce(`${thing.name} is removed.`);
}

/** Say whether the models understand words and tell kinds from things, and what the query is:
 * nothing yet (`alone`), an image. */
export function allow({ words, kinds, alone, image: isImage }) {
  hasText = words;
  hasKinds = kinds;
  $("extras").hidden = alone;
  $("also-row").hidden = !hasText || !isImage;
  for (const choice of choices) {
    choice.parentElement.hidden = !isImage || (needsKinds(choice) && !hasKinds);
  }
}

/** Return what is given: lists of examples, and the fields of the request that are not lists. */
export function read({ words = false } = {}) {
  const also = hasText && !words ? $("also").value.trim() : "";
  return {
    ...lists,
    fields: {
      ...Object.fromEntries(choices.filter((choice) => chosen(choice) && !words)
        .map((choice) => [choice.id, JSON.parse(choice.dataset.value)])),
      ...(also && { text: also, text_weight: $("text_weight").valueAsNumber }),
    },
  };
}

/** Tell whether anything is given. */
export const any = ({ examples, negatives, fields }) =>
  examples.length + negatives.length + Object.keys(fields).length > 0;

/** Show what a search was made with, as its result tells; nothing without one. */
export function show(result = {}) {
  const { query = {}, urls = {}, matches = [] } = result;
  const kept = (url, n) => ({ url, name: `Image ${n + 1}` });
  const known = (ref) => {
    const image = matches.find((match) => match.image_id === ref.image_id);
    return { ref, name: image?.filename ?? "An image",
      url: ref.url ?? cropUrl(ref, ref.box ?? [0, 0, image?.width ?? 1, image?.height ?? 1]) };
  };
  for (const thing of Object.values(lists).flat()) if (thing.file) URL.revokeObjectURL(thing.url);
  // The first of the files is what was searched for.
  lists.examples = [...(urls.files ?? []).slice(1).map(kept), ...(query.examples ?? []).map(known)];
  lists.negatives = [...(urls.not_files ?? []).map(kept), ...(query.negatives ?? []).map(known)];
  for (const choice of choices) choice.checked = Boolean(query[choice.id]);
  $("also").value = query.text && urls.query ? query.text : "";
  $("text_weight").value = query.text_weight ?? 0.5;
  $("extras").open = any(read());
  draw();
}

function draw() {
  for (const [kind, list] of Object.entries(lists)) {
    $(kind).replaceChildren(...list.map((thing) => make("li", { className: "thumb" },
      img([thing.url], { alt: thing.name }),
      button(`Remove ${thing.name}, ${TITLES[kind]}`, {
        name: "x", bare: true, onclick: () => remove(kind, thing) }, "button bare"))));
    $(`${kind}-add`).hidden = list.length >= MOST;
  }
  const given = read();
  const number = given.examples.length + given.negatives.length + Object.keys(given.fields).length
    - ("text" in given.fields);
  $("extras-count").textContent = number || "";
}
