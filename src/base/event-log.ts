import { monotonicNs } from './clock.js';

const ENTRIES_MAX_DEFAULT = 200_000;
/** Dropping the oldest entries one at a time would move all others each time. */
const DROP_SHARE = 0.1;

/** What every event has; each layer declares a union of its own, told apart by `type`. */
export interface LogEvent {
  readonly type: string;
}

/** What a log adds to each event. */
export interface LogStamp {
  /** 1 for the first entry of a log, and one more for each that follows. */
  readonly seq: number;
  /** When it was appended: CLOCK_MONOTONIC nanoseconds since the log's begin. It never falls from one entry to the next. */
  readonly atNs: number;
  /** The same moment by the wall clock, in milliseconds since 1970. A wall clock may be set backward. */
  readonly wallTimeMs: number;
}

/** An event and when it was appended. It holds nothing but JSON, and is never changed. */
export type LogEntry<Event extends LogEvent> = LogStamp & Event;

/** Where the entries of a log are kept for another process to find. */
export interface LogStorage {
  /** Keeps an entry, in the order of the calls, without waiting. */
  put(entry: LogStamp): void;
  /** Resolves once all that was put would survive a crash of the machine. Rejects with ERR_STATE_IO. */
  flush(): Promise<void>;
}

/** What a log begins with, and where it is kept. */
export interface EventLogOptions<Event extends LogEvent> {
  /** CLOCK_MONOTONIC at the log's begin. Default: now. */
  beganAtNs?: bigint;
  /** Entries in memory; the oldest are dropped beyond it. Default 200,000. */
  entriesMax?: number;
  /** The entries of former processes, oldest first. */
  past?: readonly LogEntry<Event>[];
  storage?: LogStorage;
}

/** From where on, and how long, a log is followed. */
export interface FollowOptions {
  /** Begin behind this entry: 0, the default, is from the oldest in memory on. */
  afterSeq?: number | undefined;
  /** Ends the iteration, without an error. */
  signal?: AbortSignal | undefined;
}

/**
 * What happened, in its order: append-only, typed, with a sequence number and the time of each entry. Entries are kept in
 * memory (the newest 200,000) and, where the log has a storage, on disk, all of them. Appending costs about a
 * microsecond and never waits.
 */
export class EventLog<Event extends LogEvent> implements AsyncIterable<LogEntry<Event>> {
  readonly #beganAtNs: bigint;
  readonly #entriesMax: number;
  readonly #storage: LogStorage | undefined;
  readonly #forward: ((event: Event) => void) | undefined;
  readonly #listeners = new Set<(entry: LogEntry<Event>) => void>();
  #entries: LogEntry<Event>[];
  #lastSeq: number;
  #lastAtNs: number;

  constructor(options: EventLogOptions<Event> = {}, forward?: (event: Event) => void) {
    this.#beganAtNs = options.beganAtNs ?? monotonicNs();
    this.#entriesMax = options.entriesMax ?? ENTRIES_MAX_DEFAULT;
    this.#storage = options.storage;
    this.#forward = forward;
    this.#entries = [...(options.past ?? [])];
    this.#lastSeq = this.#entries.at(-1)?.seq ?? 0;
    this.#lastAtNs = this.#entries.at(-1)?.atNs ?? 0;
  }

  /** The entries in memory, oldest first: a view of this moment. */
  get entries(): readonly LogEntry<Event>[] {
    return [...this.#entries];
  }

  /** The sequence number of the newest entry; 0 where there is none. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** A moment of CLOCK_MONOTONIC, as the engine stamps it, in the nanoseconds of this log. */
  sinceBeginNs(atNs: bigint): number {
    return Number(atNs - this.#beganAtNs);
  }

  /**
   * Writes an event down with the next number and the present moment, tells all who subscribed, and returns the entry.
   */
  append(event: Event): LogEntry<Event> {
    this.#lastSeq += 1;
    this.#lastAtNs = Math.max(this.#lastAtNs, this.sinceBeginNs(monotonicNs()));
    const entry: LogEntry<Event> = { seq: this.#lastSeq, atNs: this.#lastAtNs, wallTimeMs: Date.now(), ...event };
    this.#entries.push(entry);
    if (this.#entries.length > this.#entriesMax) {
      this.#entries = this.#entries.slice(Math.ceil(this.#entriesMax * DROP_SHARE));
    }
    this.#storage?.put(entry);
    this.#forward?.(event);
    for (const listener of this.#listeners) notify(listener, entry);
    return entry;
  }

  /**
   * Calls the listener with each entry from now on, synchronously: some are appended while VMs stand still, so return
   * quickly. What it throws is an uncaught exception and harms no other listener. Dispose of the result to stop.
   */
  subscribe(listener: (entry: LogEntry<Event>) => void): Disposable {
    // A function of its own, so that a listener subscribed twice is two.
    const own = (entry: LogEntry<Event>) => listener(entry);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => this.#listeners.delete(own) };
  }

  /**
   * The entries, those in memory and those to come, until the signal aborts. A reader that falls behind what memory holds
   * misses the entries dropped meanwhile; their sequence numbers show it.
   */
  async *follow({ afterSeq = 0, signal }: FollowOptions = {}): AsyncGenerator<LogEntry<Event>, void, undefined> {
    let seq = afterSeq;
    let wake = () => {};
    using _subscription = this.subscribe(() => wake());
    const onAbort = () => wake();
    signal?.addEventListener('abort', onAbort);
    try {
      while (signal?.aborted !== true) {
        const entry = this.#entries[this.#indexBehind(seq)];
        if (entry === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        seq = entry.seq;
        yield entry;
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** `follow()` from the oldest entry in memory on. */
  [Symbol.asyncIterator](): AsyncGenerator<LogEntry<Event>, void, undefined> {
    return this.follow();
  }

  /** Resolves once all entries would survive a crash; at once for a log in memory. Rejects with ERR_STATE_IO. */
  async flush(): Promise<void> {
    await this.#storage?.flush();
  }

  /** The entries in memory as NDJSON: an object a line. */
  toNdjson(): string {
    return this.#entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  }

  /** The entries behind `seq` that memory holds, oldest first, at most so many. */
  after(seq: number, countMax: number): LogEntry<Event>[] {
    const index = this.#indexBehind(seq);
    return this.#entries.slice(index, index + countMax);
  }

  /** A log of one part, whose entries are appended here too. Both count time from the same begin. */
  branch<Part extends Event>(): EventLog<Part> {
    return new EventLog<Part>({ beganAtNs: this.#beganAtNs, entriesMax: this.#entriesMax }, (event) =>
      this.append(event),
    );
  }

  #indexBehind(seq: number): number {
    const oldestSeq = this.#lastSeq - this.#entries.length + 1;
    return Math.max(0, seq + 1 - oldestSeq);
  }
}

function notify<Entry>(listener: (entry: Entry) => void, entry: Entry): void {
  try {
    listener(entry);
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
