// The card of an upload: how far it is, how long it will take, what failed and why.
import { $, announce, button, count, make, megabytes, plain, say } from "../core/dom.js";
import { leftInWords } from "./eta.js";

const SHOWN_FAILURES = 200;

export class ProgressCard {
  #cancel;
  #dismiss;

  /** `cancel` runs when the upload is to end, `dismiss` when its card is put away. */
  constructor(title, { cancel, dismiss = () => {} }) {
    this.failures = 0;
    this.#cancel = cancel;
    this.#dismiss = dismiss;
    this.title = make("h3", {}, title);
    this.bar = make("progress", { "aria-label": title, value: 0 });
    this.line = make("p", { className: "line" });
    this.list = make("ul", { className: "failures" });
    this.more = make("p", { className: "muted", hidden: true });
    this.summary = make("summary", {}, "");
    this.faults = make("details", { hidden: true }, this.summary, this.list, this.more);
    this.stop = button("Cancel", { onclick: () => this.#cancel() }, "button quiet");
    this.card = make("li", { className: "job" },
      make("div", { className: "job-head" }, this.title, this.stop),
      this.bar, this.line, this.faults);
    $("jobs").prepend(this.card);
    announce(title);
  }

  /** Show where it stands: images that ended of a total, and bytes `sent` of a `size`.
   * Of those that are `unnamed` it is not known yet whether they count as failed. */
  show({ total, done, failed, unnamed, begun, sent, size, left }) {
    const ended = done + failed;
    const sending = sent < size;
    this.bar.max = Math.max(1, total);
    this.bar.value = done;
    this.bar.style.setProperty("--ended", `${ended / this.bar.max * 100}%`);
    this.bar.style.setProperty("--sent", `${size ? sent / size * 100 : 0}%`);
    const waiting = count(total - ended - unnamed, "image");
    const parts = [
      done ? `${plain(done)} of ${count(total, "image")} ready`
        : begun ? `Indexing the first of ${waiting} …`
          : sending ? "" : `${waiting} waiting to be indexed …`,
      failed ? `${plain(failed)} failed` : "",
      sending ? `Sending ${megabytes(sent)} of ${megabytes(size)}` : "",
      left ? leftInWords(left) : "",
    ];
    say(this.line, parts.filter(Boolean).join(" · "));
  }

  /** Say that it is waited for; for what, where Needle said so. */
  away(error = {}) {
    say(this.line, error.status ? `${error.message} Retrying …` : "Connection lost, retrying …", true);
  }

  /** List what failed: pairs of a name and a reason. */
  fail(pairs) {
    if (!pairs.length) return;
    const room = SHOWN_FAILURES - this.list.children.length;
    this.failures += pairs.length;
    this.list.append(...pairs.slice(0, room).map(([name, why]) =>
      make("li", {}, make("strong", {}, `${name}:`), ` ${why}`)));
    const hidden = this.failures - this.list.children.length;
    this.more.hidden = !hidden;
    this.more.textContent = `and ${plain(hidden)} more`;
    this.summary.textContent = `${count(this.failures, "file")} failed`;
    if (this.faults.hidden) this.faults.open = true;
    this.faults.hidden = false;
  }

  /** List what was indexed although part of it could not be read. */
  warn(pairs) {
    if (!pairs.length) return;
    const list = this.card.querySelector(".warnings")
      ?? this.card.appendChild(make("ul", { className: "failures warnings" }));
    list.append(...pairs.map(([name, what]) => make("li", {}, make("strong", {}, `${name}:`), ` ${what}`)));
  }

  /** Say how it ended; the card can be put away then. */
  end(sentence, { bad = false } = {}) {
    this.bar.hidden = true;
    say(this.line, sentence, bad);
    this.card.classList.add("ended");
    const away = button("Dismiss", { name: "x", bare: true, onclick: () => this.remove() }, "button bare");
    const held = document.activeElement === this.stop;
    this.stop.replaceWith(away);
    if (held) away.focus();
    announce(sentence);
  }

  /** Put the card away. */
  remove() {
    const held = this.card.contains(document.activeElement);
    this.card.remove();
    this.#dismiss();
    if (held) $("add-input").focus();
  }
}
