import { accessSync, constants, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Option } from 'commander';
import { monotonicNs } from '../base/clock.js';
import { isStandstillError, messageOf, StandstillError } from '../base/errors.js';
import type { LogEntry } from '../base/event-log.js';
import { type RunEvent, type RunRecord, type RunResult, runRecord } from '../report/record.js';
import { renderReport, reportFormatOf } from '../report/render.js';
import { collect } from './flags.js';

export const reportOption = (): Option =>
  new Option(
    '--report <file>',
    'write a report there, repeatable; of a kind by its end: .html, .json, .xml (JUnit), .md',
  ).argParser((path, previous: readonly string[] | undefined) => collect(writablePath(path, '--report'), previous));

/** The path of a report that can be written. Throws ERR_INVALID_OPTION, before anything is done. */
export function writablePath(path: string, flag: string): string {
  reportFormatOf(path, flag);
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (cause) {
    throw notWritable(flag, cause);
  }
  return path;
}

const notWritable = (flag: string, cause: unknown): StandstillError =>
  new StandstillError('ERR_INVALID_OPTION', `Expected a file to write for ${flag} but: ${messageOf(cause)}`, { cause });

/** Writes the reports of a record, each of the kind that its name asks for. Throws ERR_INVALID_OPTION. */
export function writeReports(record: RunRecord, paths: readonly string[], flag: string): void {
  for (const path of paths) {
    try {
      writeFileSync(path, renderReport(record, reportFormatOf(path, flag)));
    } catch (cause) {
      throw notWritable(flag, cause);
    }
  }
}

/** Collects what the reports of a command are made of while it runs. */
export class Recording {
  readonly maintenances: RunRecord['maintenances'] = [];
  readonly rollouts: RunRecord['rollouts'] = [];
  readonly processes: RunRecord['processes'] = [];
  readonly #name: string;
  readonly #seed: number | null;
  readonly #startedAt = new Date().toISOString();
  readonly #beganAtNs = monotonicNs();
  #endedAtNs: bigint | undefined;
  #result: RunResult = 'aborted';
  #error: RunRecord['error'] = null;

  constructor(name: string, seed: number | null) {
    this.#name = name;
    this.#seed = seed;
  }

  ended(ok: boolean): void {
    this.#endedAtNs = monotonicNs();
    this.#result = ok ? 'passed' : 'failed';
  }

  /** It ended by an error; ERR_ABORTED is its user's wish. */
  failed(error: unknown): void {
    this.#result = isStandstillError(error, 'ERR_ABORTED') ? 'aborted' : 'failed';
    this.#error = { code: isStandstillError(error) ? error.code : null, message: messageOf(error) };
  }

  /** Writes what is known by now, of a run that failed too. */
  write(log: readonly LogEntry<RunEvent>[], paths: readonly string[] | undefined): void {
    if (paths === undefined) return;
    const record = runRecord({
      name: this.#name,
      seed: this.#seed,
      startedAt: this.#startedAt,
      durationNs: Number((this.#endedAtNs ?? monotonicNs()) - this.#beganAtNs),
      result: this.#result,
      error: this.#error,
      log,
      maintenances: this.maintenances,
      rollouts: this.rollouts,
      processes: this.processes,
    });
    writeReports(record, paths, '--report');
  }
}
