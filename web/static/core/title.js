// The title of the tab: what the page shows, over it what is in full view, and of which collection.

let page = "";
let viewed = "";
let collection = "default";

const write = () => { document.title = [viewed || page || "Images", collection, "Needle"].join(" · "); };

/** Say what the page shows; "" is the images. */
export function ofPage(words) {
  page = words;
  write();
}

/** Say what is in full view; "" once that is closed. */
export function ofView(words) {
  viewed = words;
  write();
}

/** Say which collection is open. */
export function ofCollection(name) {
  collection = name;
  write();
}
