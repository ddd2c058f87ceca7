// The card of an upload: how far it is, how fast, what failed and why.
import { $, announce, button, count, duration, make, plain, say } from "./dom.js";

const SHOWN_FAILURES = 200;

export class ProgressCard {
  #cancel;

  constructor(title, cancel) {
    this.failures = 0;
    this.#cancel = cancel;
    this.title = make("h3", {}, title);
    this.bar = make("progress", { "aria-label": title });
    this.line = make("p", { className: "line" });
    this.list = make("ul", { className: "failures" });
    this.summary = make("summary", {}, "");
    this.faults = make("details", { hidden: true }, this.summary, this.list);
    this.stop = button("Cancel", { onclick: () => this.#cancel() }, "button quiet");
    this.card = make("li", { className: "job" },
      make("div", { className: "job-head" }, this.title, this.stop),
      this.bar, this.line, this.faults);
    $("jobs").prepend(this.card);
    announce(title);
  }

  /** Say how much has been sent. */
  sending(sent, size) {
    this.bar.max = Math.max(1, size);
    this.bar.value = sent;
    say(this.line, `Sending: ${(sent / 1e6).toFixed(1)} of ${(size / 1e6).toFixed(1)} MB`);
  }

  /** Say how many images have ended; `rate` is per second, `left` in seconds, either unknown. */
  indexing({ total, ended, failed, rate, left }) {
    this.bar.max = Math.max(1, total);
    this.bar.value = ended;
    const parts = [`${plain(ended)} of ${count(total, "image")}`];
    if (rate) parts.push(`${rate.toFixed(1)} per second`);
    if (left) parts.push(`${duration(left)} left`);
    if (failed) parts.push(`${plain(failed)} failed`);
    say(this.line, ended ? parts.join(" · ") : `${count(total, "image")} waiting for a worker …`);
  }

  /** Say that it is waited for; for what, where Needle said so. */
  away(error = {}) {
    say(this.line, error.status ? `${error.message} Trying again …` : "Needle is away; waiting for it …", true);
  }

  /** List what failed: pairs of a name and a reason. */
  fail(pairs) {
    const room = SHOWN_FAILURES - this.list.children.length;
    this.failures += pairs.length;
    this.list.append(...pairs.slice(0, room).map(([name, why]) =>
      make("li", {}, make("strong", {}, name), ` ${why}`)));
    this.summary.textContent = `${count(this.failures, "file")} failed`;
    this.faults.hidden = !this.failures;
    this.faults.open = this.failures > 0;
  }

  /** List what was indexed although part of it could not be read. */
  warn(pairs) {
    if (!pairs.length) return;
    const list = this.card.querySelector(".warnings")
      ?? this.card.appendChild(make("ul", { className: "failures warnings" }));
    list.append(...pairs.map(([name, what]) => make("li", {}, make("strong", {}, name), ` ${what}`)));
  }

  /** Say how it ended; the card can be put away then. */
  end(sentence, { bad = false } = {}) {
    this.bar.hidden = true;
    say(this.line, sentence, bad);
    this.card.classList.add("ended");
    const away = button("Dismiss", {
      name: "x", bare: true, onclick: () => this.card.remove() }, "button bare");
    const held = document.activeElement === this.stop;
    this.stop.replaceWith(away);
    if (held) away.focus();
    announce(sentence);
  }
}
