// Tags that were changed and not saved: they are not lost without a question.
import * as address from "../core/address.js";
import { choose } from "../core/confirm.js";

const editors = []; // {changed, of, save, drop, saving}

/** Note an editor: `changed` tells whether it holds changes, `of` names what they are of, `save`
 * saves them and tells whether that went well, `drop` gives them up. */
export function guard(editor) {
  editors.push(editor);
}

/** Note where the reader is who begins to edit: there a step back leaves them, until they have answered. */
export const begun = address.hold;

const changed = () => editors.find((editor) => editor.changed());

/** Run what would lose changes: at once where there are none, else once they are saved or given up. */
export function before(deed) {
  const editor = changed();
  if (!editor) deed();
  else settled(editor).then((done) => { if (done) deed(); });
}

async function settled(editor) {
  const answer = editor.saving?.() ? "yes" : await choose("Save the changed tags?",
    `You changed the tags of ${editor.of()}.`,
    { yes: "Save", other: "Don’t save", no: "Keep editing" });
  if (answer === "yes") return editor.save();
  if (answer === "other") editor.drop();
  return answer === "other";
}

/** Have a step back or forth wait for the answer; return whether it does. */
export function holdsBack() {
  if (!changed()) return false;
  address.stay();
  before(() => history.back());
  return true;
}

addEventListener("beforeunload", (event) => {
  if (changed()) event.preventDefault();
});
