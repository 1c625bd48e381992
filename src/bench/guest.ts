import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { GIB, MIB, PAGE_BYTES } from '../base/units.js';
import type { BenchContext } from './case.js';
import { createVm } from './engine.js';

const WORDS_PER_PAGE = PAGE_BYTES / 8;

/** What `dirty` needs of a VM, of the engine's or the library's. */
interface Steps {
  runUntil(step: number): Promise<void>;
  stats(): { readonly steps: number };
}

/** A VM, halted, that writes word after word and page after page; all of its RAM is written already. */
export async function createWriter(ramBytes: number) {
  const vm = await createVm({ ramBytes, params: { pattern: 2 } });
  await dirty(vm, ramBytes / PAGE_BYTES);
  return vm;
}

/** Lets a writer go on by so many pages; it halts at the end of the last one. */
export async function dirty(vm: Steps, pages: number): Promise<void> {
  await vm.runUntil(vm.stats().steps + pages * WORDS_PER_PAGE);
}

/** A writer's RAM, what it writes between two digests or snapshots, and how often that is measured. */
export function differentialPlan({ quick, params }: Pick<BenchContext, 'quick' | 'params'>) {
  const dirtyBytes = params.dirtyBytes ?? 10 * MIB;
  return {
    ramBytes: params.memoryBytes ?? (quick ? 128 * MIB : GIB),
    dirtyBytes,
    /** Of a limit that takes whole MiB. */
    dirtyMib: Math.max(1, Math.round(dirtyBytes / MIB)),
    pages: Math.ceil(dirtyBytes / PAGE_BYTES),
    rounds: quick ? 3 : 20,
    perRound: quick ? 10 : 52,
  };
}

let collectGarbage: (() => void) | undefined;

/** Frees the pages of the snapshots that nobody holds any more: a snapshot lives until it is collected. */
export async function freeSnapshots(): Promise<void> {
  if (collectGarbage === undefined) {
    setFlagsFromString('--expose-gc');
    collectGarbage = runInNewContext('gc') as () => void;
  }
  collectGarbage();
  await turn(); // their finalizers
}
