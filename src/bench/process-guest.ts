import { once } from 'node:events';
import { isStandstillError } from '../base/errors.js';
import type { Freezer, ProcessVmOptions } from '../process/options.js';
import { ProcessVm } from '../process/process-vm.js';
import type { BenchContext } from './case.js';

/** A real program that is ready; null where this machine has no such freezer. */
export async function startProcess(
  options: ProcessVmOptions,
  { addChild }: Pick<BenchContext, 'addChild'>,
): Promise<ProcessVm | null> {
  try {
    const vm = await ProcessVm.create(options);
    vm.start();
    addChild(vm.stats().pid);
    await vm.ready();
    return vm;
  } catch (error) {
    if (isStandstillError(error, 'ERR_FREEZER_UNAVAILABLE')) return null;
    throw error;
  }
}

/** As many sleeping processes. */
export const sleepers = (tasks: number, freezer: Freezer): ProcessVmOptions => {
  const script = `i=1; while [ $i -lt ${tasks} ]; do sleep 100000 & i=$((i+1)); done; echo up; exec sleep 100000`;
  return { command: '/bin/sh', args: ['-c', script], ready: { line: 'up' }, freezer };
};

/** The text that a stream ends with, a whole line of it at least. */
export async function lineOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for (;;) {
    const [part] = await once(stream, 'data');
    text += String(part);
    if (text.includes('\n')) return text;
  }
}
