// A guest that dirties exactly as many pages as it is told to, and the snapshots that are let go of.
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createVm, GIB, MIB } from './addon.mjs';

export const PAGE_BYTES = 4096;
const WORDS_PER_PAGE = PAGE_BYTES / 8;

export const sizeName = (bytes) => (bytes >= GIB ? `${bytes / GIB} GiB` : `${bytes / MIB} MiB`);

/** A VM, halted, that writes word after word and page after page; all of its RAM is written already. */
export async function createWriter(addon, ramBytes) {
  const vm = await createVm(addon, { ramBytes, params: { pattern: 2 } });
  await dirty(vm, ramBytes / PAGE_BYTES);
  return vm;
}

/** Lets a writer go on by so many pages; it halts at the end of the last one. */
export async function dirty(vm, pages) {
  await vm.runUntil(vm.stats().steps + pages * WORDS_PER_PAGE);
}

/** Frees the pages of the snapshots that nobody holds any more: a snapshot lives until it is collected. */
export async function freeSnapshots() {
  globalThis.gc ?? exposeGc();
  globalThis.gc();
  await turn(); // their finalizers
}

function exposeGc() {
  setFlagsFromString('--expose-gc');
  globalThis.gc = runInNewContext('gc');
}

/** What a promise takes, in nanoseconds, as JavaScript sees it. */
export async function timed(work) {
  const fromNs = process.hrtime.bigint();
  const value = await work();
  return { value, ns: Number(process.hrtime.bigint() - fromNs) };
}
