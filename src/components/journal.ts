import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { StandstillError } from '../base/errors.js';
import { makeDurableSync, type ProcessIdentity } from './durable.js';
import type { ImpactClass } from './manifest.js';

const LINE_END = 0x0a;

/** One component's way from a version to another. Folders are relative to the component's. */
export interface ComponentChange {
  readonly patch: string;
  readonly component: string;
  readonly impact: ImpactClass;
  readonly from: string;
  readonly to: string;
  readonly fromFolder: string;
  readonly toFolder: string;
  /** The folder was not there before, so that it goes where the change is taken back. */
  readonly isNew: boolean;
}

/** A step of an update; what has `committed` behind it is kept after a crash, everything else is rolled back. */
export type JournalStep =
  | { readonly step: 'begin'; readonly owner: ProcessIdentity; readonly changes: readonly ComponentChange[] }
  | { readonly step: 'staged' | 'verified'; readonly component: string }
  | { readonly step: 'prepared' }
  /** `generation` is of the freeze in which it happened; null: with the VMs running. */
  | { readonly step: 'switched'; readonly component: string; readonly generation: number | null }
  | { readonly step: 'healthy' }
  | { readonly step: 'committed' }
  /** Cleaned up behind a commit. */
  | { readonly step: 'closed' }
  | { readonly step: 'rolled-back'; readonly reason: string };

/** A line of the journal. */
export type JournalRecord = JournalStep & { readonly update: string; readonly at: string };

/**
 * The store's journal: a line of JSON a step, flushed before the step counts as done. A line that was torn by a crash is
 * cut off by the next append.
 *
 * One process writes it at a time.
 */
export class Journal {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** It takes no longer where the journal is long: a switch inside of a freeze writes a line. */
  append(update: string, step: JournalStep): void {
    const isNew = !existsSync(this.#path);
    const fd = openSync(this.#path, 'a+', 0o644);
    try {
      const whole = this.#cutTorn(fd);
      try {
        writeAll(fd, Buffer.from(`${JSON.stringify({ update, at: new Date().toISOString(), ...step })}\n`));
        fsyncSync(fd);
      } catch (error) {
        ftruncateSync(fd, whole);
        throw error;
      }
    } finally {
      closeSync(fd);
    }
    if (isNew) makeDurableSync(dirname(this.#path));
  }

  /** Throws ERR_STORE_DAMAGED. */
  records(): JournalRecord[] {
    if (!existsSync(this.#path)) return [];
    const bytes = readFileSync(this.#path);
    const lines = bytes.subarray(0, wholeBytes(bytes)).toString('utf8').split('\n').slice(0, -1);
    return lines.map((line, index) => {
      try {
        return JSON.parse(line);
      } catch {
        const message = `Expected a journal for ${this.#path} but line ${index + 1} is none`;
        throw new StandstillError('ERR_STORE_DAMAGED', message);
      }
    });
  }

  /** The records of the newest update; empty where there was none. */
  newest(): JournalRecord[] {
    const records = this.records();
    const update = records.at(-1)?.update;
    return records.filter((record) => record.update === update);
  }

  /** The size of what is left. */
  #cutTorn(fd: number): number {
    const { size } = fstatSync(fd);
    const last = Buffer.alloc(1);
    if (size > 0) readSync(fd, last, 0, 1, size - 1);
    if (size === 0 || last[0] === LINE_END) return size;
    const whole = wholeBytes(readFileSync(this.#path));
    ftruncateSync(fd, whole);
    return whole;
  }
}

const wholeBytes = (bytes: Buffer): number => bytes.lastIndexOf(LINE_END) + 1;

export function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

export const isEnded = (records: readonly JournalRecord[]): boolean =>
  records.length === 0 || records.some(({ step }) => step === 'closed' || step === 'rolled-back');
