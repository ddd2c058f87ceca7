// The things that a search told apart in its query: a small picture of each, and whether it is there.
import { icon, img, make, percent } from "../core/dom.js";
import { named } from "../view/overlay.js";
import { preview } from "../view/preview.js";
import { isThere } from "./verdict.js";

/** Return the things of a query, each with whether it is among the `groups` of matches; null
 * without any. */
export function list(objects, groups, queryImage) {
  if (!objects?.length) return null;
  return make("ul", { className: "things", "aria-label": "Things in the query" },
    ...objects.map((object, n) => thing(object, n, { there: isThere(object, n, groups),
      sure: groups.own.length ? "" : ` · ${percent(object.probability)} likely`, queryImage })));
}

function thing(object, n, { there, sure, queryImage }) {
  const said = `${there ? "found" : sure ? "probably not here" : "in no other image"}${sure}`;
  const item = make("li", { className: "thing" },
    make("span", { className: "thing-image" }, icon("image")),
    make("span", {}, make("strong", {}, named(object, n)),
      make("small", {}, there ? icon("check") : null, said)));
  preview(queryImage, object.box).then((src) => {
    if (src) item.firstChild.replaceChildren(img([src], { alt: "" }));
  });
  return item;
}
