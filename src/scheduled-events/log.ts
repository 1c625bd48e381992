import type { ScheduledEvent } from './event.js';

/** Why an event is gone: its impact is over, it was withdrawn, or its impact could not be made. */
export type RemovalReason = 'completed' | 'cancelled' | 'failed';

/** What happened, in the order in which it did. */
export type EventLogEntry = { readonly seq: number; readonly atMs: number } & EventLogFact;

export type EventLogFact =
  | { readonly type: 'scheduled' | 'started'; readonly event: ScheduledEvent }
  | { readonly type: 'acknowledged'; readonly eventId: string; readonly vm: string }
  | { readonly type: 'not-before-passed'; readonly eventId: string }
  | { readonly type: 'impact-began' | 'impact-ended'; readonly eventId: string; readonly vms: readonly string[] }
  | { readonly type: 'impact-failed'; readonly eventId: string; readonly reason: string }
  | { readonly type: 'removed'; readonly eventId: string; readonly reason: RemovalReason }
  | { readonly type: 'enabled' | 'disabled'; readonly vm: string };

const ENTRIES_MAX = 10_000;

/** Append-only; it keeps the newest 10,000 entries, whose `seq` tells how many there were in all. */
export class EventLog {
  readonly #entries: EventLogEntry[] = [];
  readonly #nowMs: () => number;
  readonly #onEntry: ((entry: EventLogEntry) => void) | undefined;
  #seq = 0;

  constructor(nowMs: () => number, onEntry?: (entry: EventLogEntry) => void) {
    this.#nowMs = nowMs;
    this.#onEntry = onEntry;
  }

  add(fact: EventLogFact): void {
    const entry = { seq: this.#seq, atMs: this.#nowMs(), ...fact };
    this.#seq += 1;
    this.#entries.push(entry);
    if (this.#entries.length > ENTRIES_MAX) this.#entries.shift();
    this.#onEntry?.(entry);
  }

  get entries(): readonly EventLogEntry[] {
    return [...this.#entries];
  }
}
