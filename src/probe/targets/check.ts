import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { onAbort } from '../../base/abort.js';
import { isStandstillError } from '../../base/errors.js';
import { parseOptions } from '../../base/options.js';
import { FreezeScope, freezeFields } from '../../maintenance/freeze-scope.js';
import type { EmulatedVm } from '../../vm/emulated-vm.js';
import type { Disturbances } from '../disturbances.js';
import { type Asker, asker } from './ask.js';

const AGAIN_AFTER_MS = 10;
/** Somebody else has the VM, or it was let go before or while it was read. */
const TAKEN: ReadonlySet<string> = new Set(['ERR_BUSY', 'ERR_VM_NOT_PAUSED', 'ERR_LEASE_REVOKED']);
const SETTINGS = parseOptions(z.strictObject(freezeFields), {}, 'a check');

/** Halts the VM for the walk, when nobody else has it frozen, and lets it go as soon as a disturbance begins. */
export const checkAsker = (vm: EmulatedVm, disturbances: Disturbances): Asker =>
  asker(async (signal) => {
    for (;;) {
      const found = await checkOnce(vm, disturbances, signal);
      if (found?.ok === true) return;
      if (found !== undefined) throw new Error(found.violation ?? 'an invariant does not hold');
      await sleep(AGAIN_AFTER_MS, undefined, { signal });
    }
  });

/** Undefined where somebody else has the VM. */
async function checkOnce(vm: EmulatedVm, disturbances: Disturbances, signal: AbortSignal) {
  try {
    await using scope = FreezeScope.begin([vm], SETTINGS);
    using _abort = onAbort(signal, () => scope.release());
    using _edge = disturbances.onEdge((edge) => {
      if (edge === 'begin') scope.release();
    });
    return await vm.check();
  } catch (error) {
    if (isStandstillError(error) && TAKEN.has(error.code)) return undefined;
    throw error;
  }
}
