import { onAbort } from '../../base/abort.js';
import { StandstillError } from '../../base/errors.js';
import type { Vm } from '../../vm/vm.js';
import type { Watch } from '../perform.js';

const INTERVAL_MS = 100;

/** Runs a VM on to a step. An abort closes it: ERR_ABORTED. */
export async function runTo(vm: Vm, step: number, { signal, onProgress, say }: Watch): Promise<void> {
  say(`running ${vm.program} to step ${step.toLocaleString('en')}`);
  const timer = setInterval(() => onProgress({ done: vm.stats().steps, total: step }), INTERVAL_MS);
  using _listener = onAbort(signal, () => {
    clearInterval(timer);
    vm.close();
  });
  try {
    await vm.runUntil(step);
  } catch (error) {
    throw signal.aborted ? new StandstillError('ERR_ABORTED', 'The run was aborted', { cause: signal.reason }) : error;
  } finally {
    clearInterval(timer);
  }
}
