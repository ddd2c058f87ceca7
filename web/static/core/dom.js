// Elements, words and numbers: what every part of the page builds itself from.

export const $ = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name in element && !name.includes("-") && element.namespaceURI !== SVG) {
      element[name] = value;
    } else {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Return an element with those properties (or attributes) and children. */
export function make(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for a shape of an SVG image. */
export function shape(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Return one of the icons that index.html defines. */
export function icon(name) {
  const use = shape("use", { href: `#icon-${name}` });
  return shape("svg", { class: "icon", "aria-hidden": "true" }, use);
}

/** Return a button with an icon and words; `words` alone are spoken when it is `bare`. */
export function button(words, { name, bare = false, ...properties } = {}, className = "button") {
  const inside = [name ? icon(name) : null, bare ? null : words];
  const label = bare ? { "aria-label": words, title: words } : {};
  return make("button", { type: "button", className, ...label, ...properties }, ...inside);
}

/** Write a line; `bad` marks it as an error. */
export function say(element, text, bad = false) {
  element.textContent = text;
  element.classList.toggle("bad", bad);
}

/** Have screen readers read a sentence: in an open dialog, all that is outside of it is silent. */
export function announce(sentence) {
  requestAnimationFrame(() => { // by then a dialog that is being closed has closed
    const live = document.querySelector("dialog[open] > .unseen") ?? $("live");
    live.textContent = "";
    requestAnimationFrame(() => { live.textContent = sentence; });
  });
}

export const plain = (number) => number.toLocaleString("en");
export const count = (n, what) => `${plain(n)} ${what}${n === 1 ? "" : "s"}`;
export const known = (value) => value !== undefined && value !== null;

/** Return a probability in words that claim no more than it does. */
export const percent = (p) => (p < 0.01 ? "under 1\u00a0%" : p > 0.99 ? "over 99\u00a0%" : `${Math.round(p * 100)}\u00a0%`);
/** Return a number of bytes in words, as the service says it. */
export const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MB`;
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Return an image that shows no broken sign: what cannot be shown falls back, then hides. */
export function img(sources, properties = {}) {
  const [first, ...others] = sources.filter(Boolean);
  const image = make("img", { decoding: "async", ...properties });
  image.onerror = () => {
    const next = others.shift();
    if (next) image.src = next;
    else image.classList.add("broken");
  };
  if (first) image.src = first;
  else image.classList.add("broken");
  return image;
}
