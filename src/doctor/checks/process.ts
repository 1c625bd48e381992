import { messageOf } from '../../base/errors.js';
import { formatBytes, formatNs } from '../../base/units.js';
import type { Freezer } from '../../process/options.js';
import { ProcessVm } from '../../process/process-vm.js';
import type { Check, Finding } from '../check.js';

const SLEEPS = { command: 'sleep', args: ['60'] };

const freezerCheck = (freezer: Exclude<Freezer, 'auto'>, title: string, remedy: string): Check => ({
  id: `freezer-${freezer}`,
  title,
  isRequired: false,
  look: () => tryFreezer(freezer),
  whereMissing: {
    consequence:
      freezer === 'signal'
        ? 'no program can be frozen where there is no cgroup freezer either'
        : 'processes are frozen by the next of cgroup2, cgroup1 and signal that can be had; emulated VMs need none',
    remedy,
  },
});

export const PROCESS_CHECKS: readonly Check[] = [
  freezerCheck(
    'cgroup2',
    'cgroup v2 freezer',
    'run as root, or delegate a cgroup: `systemd-run --user --scope -p Delegate=yes …`; in a container `--cgroupns=private` with /sys/fs/cgroup writable',
  ),
  freezerCheck(
    'cgroup1',
    'cgroup v1 freezer',
    'none is needed where cgroup v2 is; else mount the freezer controller writable',
  ),
  freezerCheck('signal', 'freezing by signals', '`npm rebuild standstill`, which builds the supervisor'),
  {
    id: 'process-memory',
    title: "a process's memory",
    isRequired: false,
    look: tryMemoryProof,
    whereMissing: {
      consequence: 'what happens to a frozen program is seen, but its memory is not proved (`--proof none`)',
      remedy:
        'run as the user of the guest or as root; sysctl kernel.yama.ptrace_scope=1 or less; /proc mounted without hidepid',
    },
  },
];

/** Freezes a real program for a moment. */
async function tryFreezer(freezer: Exclude<Freezer, 'auto'>): Promise<Finding> {
  await using vm = await sleeper(freezer);
  const { latencyNs } = vm.pause();
  vm.resume();
  return {
    status: 'ok',
    found: `a program was frozen in ${formatNs(latencyNs)}`,
    consequence:
      freezer === 'signal'
        ? "real programs can be guests, but a program's own waits may notice SIGSTOP"
        : 'real programs can be guests, and do not notice',
    remedy: null,
    values: { freezeNs: latencyNs },
  };
}

/** Reads a frozen program twice: nothing may have moved. */
async function tryMemoryProof(): Promise<Finding> {
  await using vm = await sleeper('auto');
  vm.pause();
  const first = await vm.memoryImage();
  const difference = first.compare(await vm.memoryImage());
  if (difference !== null) throw new Error(`it changed while frozen: ${JSON.stringify(difference)}`);
  const { bytesRead, elapsedNs } = first.info;
  return {
    status: 'ok',
    found: `${formatBytes(bytesRead)} of a frozen program read in ${formatNs(elapsedNs)}, and again, unchanged`,
    consequence: "a real program's memory is proved, too",
    remedy: null,
    values: { bytesRead, elapsedNs },
  };
}

async function sleeper(freezer: Freezer): Promise<ProcessVm> {
  const vm = await ProcessVm.create({ ...SLEEPS, freezer });
  try {
    vm.start();
    return vm;
  } catch (error) {
    vm.close();
    throw new Error(messageOf(error), { cause: error });
  }
}
