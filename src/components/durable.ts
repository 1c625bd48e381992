import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isStandstillError, messageOf, StandstillError } from '../base/errors.js';

/** Makes what is known of a file or folder by now outlive a loss of power. */
export async function makeDurable(path: string): Promise<void> {
  const file = await open(path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The same for threads whose event loop has nothing else to do. */
export function makeDurableSync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes a link beside the one that it is to replace. */
export function prepareLink(target: string, temporary: string): void {
  rmSync(temporary, { force: true });
  symlinkSync(target, temporary);
}

/** The prepared link takes the place of the one before, in one step that lasts. */
export function switchLink(temporary: string, link: string): void {
  renameSync(temporary, link);
  makeDurableSync(dirname(link));
}

/** Runs what touches the store; what the operating system refuses is ERR_STORE_IO. */
export async function storeIo<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asStoreError(what, error);
  }
}

function asStoreError(what: string, error: unknown): unknown {
  if (isStandstillError(error) || !(error instanceof Error && 'code' in error)) return error;
  const message = `Expected a component store that can be written for ${what} but received ${messageOf(error)}`;
  return new StandstillError('ERR_STORE_IO', message, { cause: error });
}

/** A process, told from another one that has got its number later. */
export interface ProcessIdentity {
  readonly pid: number;
  /** In ticks since the machine started. */
  readonly startedAtTicks: string;
}

export const thisProcess = (): ProcessIdentity => ({ pid: process.pid, startedAtTicks: startOf(process.pid) ?? '' });

export const isAlive = ({ pid, startedAtTicks }: ProcessIdentity): boolean => startOf(pid) === startedAtTicks;

function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before it is in parentheses and may contain anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
