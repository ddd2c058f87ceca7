// How long it will still take: an estimate that only comes down, or says why it went up.

const ENOUGH = { images: 2, ms: 3000 }; // before so many, and so long, a rate means nothing
const SLACK = { share: 1.3, ms: 5000 }; // beyond this an estimate was wrong; within, it wobbles
const MORE = "there are more images than it seemed";
const SLOWER = "it goes more slowly now";

export class Eta {
  #from = null; // where counting began: {at, ended}
  #last = { total: 0, ended: 0 };
  #due = null; // when all will have ended
  #why = "";

  /** Note where it stands; `now` in milliseconds. */
  note({ total, ended }, now = performance.now()) {
    const grown = this.#due !== null && total > this.#last.total;
    const news = grown || ended > this.#last.ended;
    this.#from ??= { at: now, ended };
    this.#last = { total, ended };
    if (!news) return;
    const due = this.#estimate(now);
    if (due === null) return;
    if (this.#due === null || due <= this.#due) this.#set(due, "");
    else if (grown) this.#set(due, MORE);
    else if (due - now > SLACK.share * (this.#due - now) + SLACK.ms) this.#set(due, SLOWER);
  }

  /** Return the milliseconds left and why they have become more; null while nobody can know. */
  left(now = performance.now()) {
    if (this.#due === null || this.#last.ended >= this.#last.total) return null;
    if (this.#due <= now) this.#set(this.#estimate(now), SLOWER);
    return { ms: this.#due - now, why: this.#why };
  }

  /** Return images per second since counting began; null while nobody can know. */
  rate(now = performance.now()) {
    const ended = this.#last.ended - (this.#from?.ended ?? 0);
    const ms = now - this.#from?.at;
    return ended >= ENOUGH.images && ms >= ENOUGH.ms ? ended / ms * 1000 : null;
  }

  #estimate(now) {
    const rate = this.rate(now);
    return rate && now + (this.#last.total - this.#last.ended) / rate * 1000;
  }

  #set(due, why) {
    this.#due = due;
    this.#why = why;
  }
}

/** Return what is left in words; rounded up, so that it comes down in steps. */
export function leftInWords({ ms, why }) {
  const seconds = ms / 1000;
  const long = seconds < 10 ? "a few seconds"
    : seconds < 60 ? `about ${Math.ceil(seconds / 5) * 5} s`
      : seconds < 5400 ? `about ${Math.ceil(seconds / 60)} min` : `about ${(seconds / 3600).toFixed(1)} h`;
  return `${long} left${why ? `, more than before: ${why}` : ""}`;
}
