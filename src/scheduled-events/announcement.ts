import { orAborted } from '../base/abort.js';
import { StandstillError } from '../base/errors.js';
import type { Due, EventStore, NewEvent } from './store.js';

/** The events of one impact that somebody else brings about. */
export class Announcement {
  readonly #store: EventStore;
  readonly #ids: readonly string[];
  readonly #settle: (action: () => void) => void;
  #isStarted = false;
  #over = false;

  /** `settle` calls an action once the settle time has passed. */
  constructor(store: EventStore, events: readonly NewEvent[], noticeMs: number, settle: (action: () => void) => void) {
    this.#store = store;
    this.#settle = settle;
    this.#ids = events.map((event) => store.schedule(event, noticeMs).id);
  }

  /**
   * Resolves when each event is acknowledged or its NotBefore has passed. Rejects with the signal's reason, and with
   * ERR_ABORTED where one of them is cancelled.
   */
  async due(signal: AbortSignal): Promise<Due> {
    const dues = await orAborted(Promise.all(this.#ids.map((id) => this.#store.due(id))), signal);
    if (dues.includes('removed')) throw wasCancelled();
    return dues.every((due) => due === 'acknowledged') ? 'acknowledged' : 'not-before';
  }

  /** Throws ERR_ABORTED where one of them was cancelled since it was due; none is Started then. */
  started(): void {
    if (this.#ids.some((id) => this.#store.find(id) === undefined)) throw wasCancelled();
    this.#isStarted = true;
    for (const id of this.#ids) this.#store.start(id);
  }

  /** The impact is over: its events are removed after the settle time. */
  ended(): void {
    if (this.#over) return;
    this.#over = true;
    this.#settle(() => {
      for (const id of this.#ids) this.#store.remove(id, 'completed');
    });
  }

  /** Withdraws it, unless it has started. */
  cancelled(): void {
    if (this.#over || this.#isStarted) return;
    this.#over = true;
    for (const id of this.#ids) this.#store.remove(id, 'cancelled');
  }
}

const wasCancelled = (): StandstillError =>
  new StandstillError('ERR_ABORTED', 'The event of this impact was cancelled');
