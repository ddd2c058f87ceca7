// One image of the library: a click opens it, or selects it while images are selected.
import { titleOf } from "../core/api.js";
import { button, img, make } from "../core/dom.js";

const LETTER_PX = 8;
const LINES = 2;
const phone = matchMedia("(max-width: 560px)");

/** Shorten a name in its middle to so many letters: its end tells images of one camera apart. */
export function shortened(name, most) {
  if (name.length <= most) return name;
  const end = Math.floor((most - 1) / 2);
  return `${name.slice(0, most - 1 - end)}…${name.slice(-end)}`;
}

const shape = ({ width, height }) => Math.min(2.4, Math.max(0.75, width / height));

/** Return an image of the list, which is `called` so; `deeds` get its id: `open`, `search`, `remove`. */
export function tile(image, called, deeds) {
  const { urls, image_id: id } = image;
  const ratio = shape(image);
  const view = make("span", { className: "image" },
    img([urls.thumbnail, urls.file], { alt: "", loading: "lazy" }));
  const open = make("button", { type: "button", className: "open", "aria-label": `Open ${called}`,
    onclick: () => deeds.open(id) }, view);
  const tools = make("span", { className: "corner" },
    button(`Search with ${called}`, { name: "search", bare: true,
      onclick: () => deeds.search(id) }, "button bare"),
    button(`Delete ${called}`, { name: "trash", bare: true,
      onclick: () => deeds.remove(id) }, "button bare"));
  const short = shortened(called, Math.floor(ratio * (phone.matches ? 104 : 144) / LETTER_PX) * LINES);
  const name = make("span", { className: short === called ? "name" : "name short", title: titleOf(image) }, short);
  const item = make("li", { className: "tile held", "data-image": id, "data-called": called }, open, tools,
    make("div", { className: "caption" }, name,
      short === called ? null : make("span", { className: "full", "aria-hidden": "true" }, called)));
  item.style.setProperty("--ratio", ratio);
  return item;
}

/** Show whether an image is selected; null while none is to be. */
export function mark(item, chosen) {
  const open = item.querySelector(".open");
  const name = open.getAttribute("aria-label").replace(/^(Open|Select) /, "");
  open.setAttribute("aria-label", `${chosen === null ? "Open" : "Select"} ${name}`);
  if (chosen === null) open.removeAttribute("aria-pressed");
  else open.setAttribute("aria-pressed", chosen);
  item.querySelector(".corner").hidden = chosen !== null;
}
