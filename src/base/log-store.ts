import { readdir, readFile } from 'node:fs/promises';
import { ClassicLevel } from 'classic-level';
import { monotonicNs } from './clock.js';
import { StandstillError } from './errors.js';
import type { LogStamp, LogStorage } from './event-log.js';
import { NS_PER_MS } from './units.js';

const BEGIN_KEY = 'begin';
const ENTRY_PREFIX = 'entry:';
/** Keys sort as text, so that numbers of one length sort as numbers. */
const SEQ_DIGITS = 16;

interface Begin {
  readonly monotonicNs: string;
  readonly bootId: string;
}

type Database = ClassicLevel<string, unknown>;

export interface OpenedLogStore<Entry extends LogStamp> {
  readonly storage: LogStore;
  /** What former processes kept, oldest first. */
  readonly past: readonly Entry[];
  /** CLOCK_MONOTONIC at the log's begin, so that time goes on from the last entry, over a reboot too. */
  readonly beganAtNs: bigint;
}

/**
 * The entries of one log in a folder, an embedded LevelDB. One opener at a time: the folder is locked until it is closed
 * or its process ends. Writes are grouped and flushed to the disk behind the event loop.
 */
export class LogStore implements LogStorage {
  readonly #database: Database;
  #pending: { type: 'put'; key: string; value: unknown }[] = [];
  #writing: Promise<void> | undefined;
  #failure: StandstillError | undefined;

  private constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Opens the folder, and makes it where it is missing. `isEntry` tells an entry of this log from anything else. Rejects
   * with ERR_STATE_LOCKED (somebody has it open), ERR_STATE_DAMAGED, ERR_STATE_IO.
   */
  static async open<Entry extends LogStamp>(
    directory: string,
    isEntry: (value: unknown) => value is Entry,
  ): Promise<OpenedLogStore<Entry>> {
    await assertWholeOrNew(directory);
    const database: Database = new ClassicLevel(directory, { keyEncoding: 'utf8', valueEncoding: 'json' });
    try {
      await database.open();
    } catch (error) {
      throw openingError(error, directory);
    }
    try {
      const past = await readEntries(database, directory, isEntry);
      return { storage: new LogStore(database), past, beganAtNs: await beginOf(database, past.at(-1), directory) };
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  put(entry: LogStamp): void {
    this.#pending.push({ type: 'put', key: keyOf(entry.seq), value: entry });
    this.#writing ??= this.#write();
  }

  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Idempotent. What was put before is kept. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#database.close();
  }

  async #write(): Promise<void> {
    // Begins in the next turn, so that what is appended together is written together.
    await new Promise(setImmediate);
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      try {
        await this.#database.batch(batch, { sync: true });
      } catch (cause) {
        this.#failure ??= new StandstillError('ERR_STATE_IO', `The state could not be written: ${reasonOf(cause)}`, {
          cause,
        });
      }
    }
    this.#writing = undefined;
  }
}

const keyOf = (seq: number): string => `${ENTRY_PREFIX}${String(seq).padStart(SEQ_DIGITS, '0')}`;

/** LevelDB takes a folder that has lost its table of contents for a new one. */
async function assertWholeOrNew(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw new StandstillError('ERR_STATE_IO', `The state folder cannot be read: ${error.message}`, { cause: error });
  });
  if (names.length > 0 && !names.includes('CURRENT')) throw damaged(directory, "its file 'CURRENT' is missing");
}

async function readEntries<Entry extends LogStamp>(
  database: Database,
  directory: string,
  isEntry: (value: unknown) => value is Entry,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  try {
    for await (const [key, value] of database.iterator({ gt: ENTRY_PREFIX, lt: `${ENTRY_PREFIX}~` })) {
      const expectedSeq = entries.length + 1;
      if (key !== keyOf(expectedSeq) || !isEntry(value) || value.seq !== expectedSeq) {
        throw damaged(directory, `entry ${expectedSeq} is missing or not as it was written`);
      }
      entries.push(value);
    }
  } catch (error) {
    if (error instanceof StandstillError) throw error;
    throw damaged(directory, reasonOf(error), error);
  }
  return entries;
}

async function beginOf(database: Database, last: LogStamp | undefined, directory: string): Promise<bigint> {
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const stored = await database.get(BEGIN_KEY);
  if (stored !== undefined && !isBegin(stored)) throw damaged(directory, 'its begin is not as it was written');
  if (stored?.bootId === bootId) return BigInt(stored.monotonicNs);
  // The machine's clock has begun anew: the time that has passed since is the wall clock's to tell.
  const passedNs = last === undefined ? 0 : last.atNs + Math.max(0, Date.now() - last.wallTimeMs) * NS_PER_MS;
  const beganAtNs = monotonicNs() - BigInt(Math.round(passedNs));
  await database.put(BEGIN_KEY, { monotonicNs: String(beganAtNs), bootId } satisfies Begin, { sync: true });
  return beganAtNs;
}

const isBegin = (value: unknown): value is Begin =>
  typeof value === 'object' &&
  value !== null &&
  'monotonicNs' in value &&
  typeof value.monotonicNs === 'string' &&
  /^-?\d+$/.test(value.monotonicNs) &&
  'bootId' in value;

function openingError(error: unknown, directory: string): StandstillError {
  const reason = reasonOf(error);
  const code = causeOf(error)?.code;
  if (code === 'LEVEL_LOCKED') {
    const message = `Expected a state folder that nobody else has open but ${directory} is locked`;
    return new StandstillError('ERR_STATE_LOCKED', message, { cause: error });
  }
  if (code === 'LEVEL_CORRUPTION' || /corrupt|checksum|CURRENT|MANIFEST|missing/i.test(reason)) {
    return damaged(directory, reason, error);
  }
  return new StandstillError('ERR_STATE_IO', `The state folder cannot be opened: ${reason}`, { cause: error });
}

const damaged = (directory: string, reason: string, cause?: unknown): StandstillError =>
  new StandstillError('ERR_STATE_DAMAGED', `Expected a whole state folder but ${directory} is damaged: ${reason}`, {
    cause,
  });

const causeOf = (error: unknown): NodeJS.ErrnoException | undefined => {
  if (!(error instanceof Error)) return undefined;
  return error.cause instanceof Error ? error.cause : error;
};

const reasonOf = (error: unknown): string => causeOf(error)?.message ?? String(error);
