// The title of the tab: what the page shows, and over it what is in full view.

let page = "";
let viewed = "";

const write = () => { document.title = [viewed || page, "Needle"].filter(Boolean).join(" · "); };

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
