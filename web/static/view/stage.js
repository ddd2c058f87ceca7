// An image to work on: it fits its frame, can be enlarged, and tells places in its own pixels.
import { make, shape } from "../core/dom.js";

const MOST_ZOOM = 12;
const MOST_ENLARGED = 4; // a small image is shown at most so many times its size

export class Stage {
  /** `frame` is the element that the image has to fit; its CSS max-height counts if it has one. */
  constructor(frame) {
    this.frame = frame;
    this.image = make("img", { draggable: false, alt: "" });
    this.layer = shape("svg", { class: "layer", "aria-hidden": "true" });
    this.sheet = make("div", { className: "sheet" }, this.image, this.layer);
    this.size = [1, 1];
    this.zoom = 1;
    frame.classList.add("stage");
    frame.replaceChildren(this.sheet);
    new ResizeObserver(() => this.fit()).observe(frame);
    frame.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** Show an image; resolves to false when no source can be shown. Sizes are in its pixels. */
  async show({ sources, width, height, alt }) {
    this.zoom = 1;
    this.image.alt = alt;
    this.image.classList.remove("broken");
    if (width) this.#resize([width, height]);
    for (const source of sources.filter(Boolean)) {
      this.image.src = source;
      const shown = await this.image.decode().then(() => true, () => false);
      if (!this.image.src.endsWith(source)) return true; // another image came meanwhile
      if (!shown) continue;
      if (!width) this.#resize([this.image.naturalWidth, this.image.naturalHeight]);
      return true;
    }
    this.image.classList.add("broken");
    return false;
  }

  #resize(size) {
    this.size = size;
    this.layer.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
    this.fit();
  }

  /** Lay the image out for the room there is, at the zoom there is. */
  fit() {
    const [width, height] = this.size;
    const most = parseFloat(getComputedStyle(this.frame).maxHeight);
    const room = [this.frame.clientWidth, Number.isFinite(most) ? most : this.frame.clientHeight];
    if (!room[0] || !room[1]) return;
    const fitting = Math.min(room[0] / width, room[1] / height, MOST_ENLARGED);
    this.scale = fitting * this.zoom;
    this.sheet.style.width = `${Math.floor(width * this.scale)}px`;
    this.sheet.style.height = `${Math.floor(height * this.scale)}px`;
  }

  /** Enlarge by a factor about a place of the window, the middle of the frame unless given. */
  enlarge(factor, at = null) {
    const frame = this.frame.getBoundingClientRect();
    const place = at ?? { clientX: frame.x + frame.width / 2, clientY: frame.y + frame.height / 2 };
    const [x, y] = this.place(place);
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    this.fit();
    const sheet = this.sheet.getBoundingClientRect();
    this.frame.scrollLeft += sheet.x + x * this.scale - place.clientX;
    this.frame.scrollTop += sheet.y + y * this.scale - place.clientY;
  }

  /** Bring a box into the middle, so that it fills about a third of the frame. */
  focus([x1, y1, x2, y2]) {
    this.zoom = 1;
    this.fit();
    const wide = (x2 - x1) * this.scale / this.frame.clientWidth;
    const high = (y2 - y1) * this.scale / this.frame.clientHeight;
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, 0.4 / Math.max(wide, high)));
    this.fit();
    this.frame.scrollLeft = (x1 + x2) / 2 * this.scale - this.frame.clientWidth / 2;
    this.frame.scrollTop = (y1 + y2) / 2 * this.scale - this.frame.clientHeight / 2;
  }

  /** Return where an event is, in pixels of the image, inside it. */
  place({ clientX, clientY }) {
    const sheet = this.sheet.getBoundingClientRect();
    const inside = (value, most) => Math.min(most, Math.max(0, value));
    return [
      inside((clientX - sheet.x) / sheet.width * this.size[0], this.size[0]),
      inside((clientY - sheet.y) / sheet.height * this.size[1], this.size[1]),
    ];
  }

  #wheel(event) {
    if (!this.zoomable || (!event.ctrlKey && !event.metaKey && !this.wheelZooms)) return;
    event.preventDefault();
    this.enlarge(Math.exp(-event.deltaY / 400), event);
  }
}
