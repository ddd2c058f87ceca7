// Drawing a box on an image: by pointer, by keyboard, by numbers.
import { make } from "../core/dom.js";

const LEAST = 8; // the smallest box, in pixels of the image
const TAP = 5; // a pointer that moved less, in pixels of the screen, tapped
const GRIPS = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class BoxEditor {
  #box = null;
  #drag = null;
  #enabled = false;

  /** `label` is what it is called aloud, `change` sees each new box, `tap` a place that was clicked,
   * `enter` the key Enter. */
  constructor(stage, { label, change = () => {}, tap = () => {}, enter = () => {} }) {
    Object.assign(this, { stage, label, change, tap, enter });
    this.frame = make("div", { className: "box", hidden: true },
      ...GRIPS.map((grip) => make("span", { className: `grip ${grip}`, "data-grip": grip })));
    stage.sheet.append(this.frame);
    this.enabled = true;
    stage.sheet.addEventListener("pointerdown", (event) => this.#down(event));
    stage.sheet.addEventListener("pointermove", (event) => this.#move(event));
    stage.sheet.addEventListener("pointerup", (event) => this.#up(event));
    stage.sheet.addEventListener("pointercancel", () => this.#undo());
    stage.sheet.addEventListener("keydown", (event) => this.#key(event));
  }

  get box() {
    return this.#box;
  }

  get enabled() {
    return this.#enabled;
  }

  /** Have boxes drawn, or not: then the image is an image, and takes no keys. */
  set enabled(on) {
    this.#enabled = on;
    const drawn = { tabindex: 0, role: "application", "aria-label": this.label, "aria-describedby": "keys-help" };
    for (const [name, value] of Object.entries(drawn)) {
      if (on) this.stage.sheet.setAttribute(name, value);
      else this.stage.sheet.removeAttribute(name);
    }
  }

  /** Put a box there, or none; it is kept inside the image. */
  set(box, { quiet = false } = {}) {
    this.#box = box && this.#inside(box);
    this.frame.hidden = !this.#box;
    if (this.#box) this.#lay(this.#box);
    if (!quiet) this.change(this.#box);
  }

  #lay([x1, y1, x2, y2]) {
    const [width, height] = this.stage.size;
    const percent = (part, whole) => `${part / whole * 100}%`;
    Object.assign(this.frame.style, {
      left: percent(x1, width), top: percent(y1, height),
      width: percent(x2 - x1, width), height: percent(y2 - y1, height),
    });
  }

  #inside([x1, y1, x2, y2]) {
    const along = (low, high, most) => {
      const least = Math.min(LEAST, most);
      const first = Math.max(0, Math.min(Math.round(low), most - least));
      return [first, Math.min(most, Math.max(Math.round(high), first + least))];
    };
    const [left, right] = along(Math.min(x1, x2), Math.max(x1, x2), this.stage.size[0]);
    const [top, bottom] = along(Math.min(y1, y2), Math.max(y1, y2), this.stage.size[1]);
    return [left, top, right, bottom];
  }

  #down(event) {
    if (!this.enabled || event.button !== 0 || this.#drag) return;
    const grip = event.target.dataset.grip ?? (event.target === this.frame ? "move" : "new");
    this.stage.sheet.setPointerCapture(event.pointerId);
    const from = this.stage.place(event);
    this.#drag = { grip, from, before: this.#box, x: event.clientX, y: event.clientY };
    event.preventDefault();
    this.stage.sheet.focus({ preventScroll: true, focusVisible: false });
  }

  #move(event) {
    const drag = this.#drag;
    if (!drag) return;
    const far = Math.hypot(event.clientX - drag.x, event.clientY - drag.y);
    if (!drag.moved && far < TAP) return;
    drag.moved = true;
    this.set(this.#dragged(drag, this.stage.place(event)));
  }

  #dragged({ grip, from, before }, [x, y]) {
    if (grip === "new") return [...from, x, y];
    const [dx, dy] = [x - from[0], y - from[1]];
    if (grip === "move") return this.#shifted(before, dx, dy);
    const [x1, y1, x2, y2] = before;
    return [
      grip.includes("w") ? x1 + dx : x1, grip.includes("n") ? y1 + dy : y1,
      grip.includes("e") ? x2 + dx : x2, grip.includes("s") ? y2 + dy : y2,
    ];
  }

  #shifted([x1, y1, x2, y2], dx, dy) {
    const [width, height] = this.stage.size;
    const right = Math.min(Math.max(dx, -x1), width - x2);
    const down = Math.min(Math.max(dy, -y1), height - y2);
    return [x1 + right, y1 + down, x2 + right, y2 + down];
  }

  #up(event) {
    const drag = this.#drag;
    this.#drag = null;
    if (drag && !drag.moved) this.tap(this.stage.place(event));
  }

  #undo() {
    const drag = this.#drag;
    this.#drag = null;
    if (drag) this.set(drag.before);
  }

  #key(event) {
    if (!this.enabled) return;
    if (event.key === "Enter") {
      this.enter();
    } else if (event.key === "Escape" && (this.#drag || this.#box)) {
      if (this.#drag) this.#undo();
      else this.set(null);
    } else if (ARROWS[event.key]) {
      this.#nudge(ARROWS[event.key], event);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Arrows move the box, with Shift its lower right corner; with Alt by a single pixel. */
  #nudge([right, down], { shiftKey, altKey }) {
    const [width, height] = this.stage.size;
    if (!this.#box) {
      this.set([width / 3, height / 3, width * 2 / 3, height * 2 / 3]);
      return;
    }
    const step = altKey ? 1 : Math.max(1, Math.round(Math.max(width, height) / 100));
    const [x1, y1, x2, y2] = this.#box;
    if (shiftKey) {
      const least = ([low, high, most]) => Math.min(most, Math.max(high, low + LEAST));
      this.set([x1, y1, least([x1, x2 + right * step, width]), least([y1, y2 + down * step, height])]);
    } else {
      this.set(this.#shifted(this.#box, right * step, down * step));
    }
  }
}
