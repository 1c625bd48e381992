// The newest entries of the log, and what is said of them aloud.
import { byId, element, keyed, setText } from './dom.js';
import { formatClock } from './format.js';
import { isSpoken, wordsOf } from './words.js';

const SPOKEN_MAX = 3;
const GATHER_MS = 400;

export class LogView {
  #said = [];
  #timer;
  #drawnSeq = -1;

  constructor() {
    // It scrolls, by the keyboard too.
    byId('log').tabIndex = 0;
  }

  /** Newest first. */
  update({ log, incarnation }) {
    const newest = log.at(-1)?.seq ?? 0;
    if (newest === this.#drawnSeq) return;
    this.#drawnSeq = newest;
    const shown = log.toReversed();
    const byKey = new Map(shown.map((entry) => [`${incarnation}.${entry.seq}`, entry]));
    keyed(byId('log'), [...byKey.keys()], (key) => {
      const entry = byKey.get(key);
      return element('li', {}, element('time', {}, formatClock(entry.wallTimeMs)), wordsOf(entry));
    });
  }

  news(entry) {
    if (isSpoken(entry)) this.say(wordsOf(entry));
  }

  /** Says it to those who listen; what comes at once is said together, and not more than one can follow. */
  say(text) {
    this.#said.push(text);
    this.#timer ??= setTimeout(() => {
      const more = this.#said.length - SPOKEN_MAX;
      const texts = [...this.#said.slice(0, SPOKEN_MAX), ...(more > 0 ? [`and ${more} more`] : [])];
      setText(byId('live'), `${texts.join('. ')}.`);
      this.#said = [];
      this.#timer = undefined;
    }, GATHER_MS);
  }
}
