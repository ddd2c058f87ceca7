// Rows of names and values: the filter of a search, the details that images are posted with.
import { button, make } from "../core/dom.js";

const TESTS = [["is", "is"], ["any", "is one of"], ["gte", "at least"], ["lte", "at most"]];

/** Read a value as Needle keeps it: a number, yes or no, else a word; quotes make it a word. */
function value(text) {
  const quoted = /^"(.*)"$/.exec(text);
  if (quoted) return quoted[1];
  if (text === "true" || text === "false") return text === "true";
  return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function shown(one) {
  const ambiguous = typeof one === "string" && value(one) !== one;
  return ambiguous ? `"${one}"` : String(one);
}

export class Rows {
  /** `tests` tells whether a row compares (a filter) or sets (details of an image). */
  constructor(host, { tests, add }) {
    this.tests = tests;
    this.list = make("div", { className: "rows" });
    this.more = button(add, { name: "plus", onclick: () => this.#add().focus() }, "button quiet");
    host.replaceChildren(this.list, this.more);
  }

  #add(name = "", test = "is", text = "") {
    const key = make("input", {
      name: "key", "aria-label": "Name", placeholder: "Name", value: name, autocomplete: "off" });
    const compare = this.tests ? make("select", { name: "test", "aria-label": "Comparison" },
      ...TESTS.map(([value, words]) => make("option", { value, selected: value === test }, words)))
      : null;
    const given = make("input", {
      name: "value", "aria-label": "Value", placeholder: "Value", value: text, autocomplete: "off" });
    const row = make("div", { className: this.tests ? "row three" : "row" }, key, compare, given,
      button("Remove this row", { name: "x", bare: true, onclick: () => {
        row.remove();
        this.more.focus(); // where the row was, nothing is left that could hold the focus
      } }, "button bare"));
    this.list.append(row);
    return key;
  }

  /** Show an object that `read` returned. */
  show(object) {
    this.list.replaceChildren();
    for (const [name, held] of Object.entries(object ?? {})) {
      if (Array.isArray(held) && !this.tests) this.#add(name, "is", shown(held.join(", ")));
      else if (Array.isArray(held)) this.#add(name, "any", held.map(shown).join(", "));
      else if (held === null || typeof held !== "object") this.#add(name, "is", shown(held));
      else for (const [test, bound] of Object.entries(held)) this.#add(name, test, String(bound));
    }
  }

  /** Keep the rows as they are, or let them be edited again; the focus stays where it is. */
  lock(on) {
    for (const field of this.list.querySelectorAll("input")) field.readOnly = on;
    for (const each of [this.more, ...this.list.querySelectorAll("button")]) each.disabled = on;
  }

  /** Return the object that the rows stand for; rows without a name count for nothing. */
  read() {
    const found = {};
    for (const row of this.list.children) {
      const text = (name) => row.querySelector(`[name=${name}]`)?.value.trim() ?? "is";
      const [name, test] = [text("key"), text("test")];
      if (!name) continue;
      if (test === "is") found[name] = value(text("value"));
      else if (test === "any") found[name] = text("value").split(",").map((one) => value(one.trim()));
      else found[name] = { ...found[name], [test]: value(text("value")) };
    }
    return found;
  }
}
