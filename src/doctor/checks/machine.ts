import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { machineMemoryBytes } from '../../base/machine.js';
import { formatBytes, formatNs, GIB, MIB, NS_PER_MS } from '../../base/units.js';
import { containerLimits, measureTimer, readOr } from '../../bench/environment.js';
import { NoiseMeter, noiseFindings, TIMER_STEP_NS_MAX } from '../../bench/noise.js';
import { EmulatedVm } from '../../vm/emulated-vm.js';
import type { Check, Finding } from '../check.js';

const SPIN_MS = 250;
const SPINNERS_MAX = 64;
const TIMER_SAMPLES = 30;
const NOISE_SPIN_NS = 500 * NS_PER_MS;
const MEMORY_TRIED_MIB = 64;
const RUN_AGAIN = 'run it where less else runs; on a shared machine compare ratios, not absolute times';

export const MACHINE_CHECKS: readonly Check[] = [
  {
    id: 'cores',
    title: 'cores',
    isRequired: false,
    look: lookAtCores,
    whereMissing: { consequence: 'how many cores there are to be had is unknown', remedy: RUN_AGAIN },
  },
  {
    id: 'memory',
    title: 'memory',
    isRequired: true,
    look: lookAtMemory,
    whereMissing: {
      consequence: `not even a VM of ${MEMORY_TRIED_MIB} MiB can be had`,
      remedy: 'raise the limits of the container, `ulimit -v` and `ulimit -f`, or close what takes the memory',
    },
  },
  {
    id: 'timer',
    title: 'timer resolution',
    isRequired: false,
    look: lookAtTimer,
    whereMissing: { consequence: 'times cannot be trusted', remedy: RUN_AGAIN },
  },
  {
    id: 'noise',
    title: 'noise',
    isRequired: false,
    look: lookAtNoise,
    whereMissing: { consequence: 'how disturbed the machine is is unknown', remedy: RUN_AGAIN },
  },
];

/** Lets as many threads as there are cores compute, and looks how much CPU time they got. */
async function lookAtCores(): Promise<Finding> {
  const allowed = availableParallelism();
  const { cpus: limit } = containerLimits();
  const toBeHad = await coresToBeHad(Math.min(allowed, SPINNERS_MAX));
  const isFew = toBeHad < 1.5;
  const limited = limit === null ? '' : `, limited to ${limit} by the cgroup`;
  return {
    status: isFew ? 'limited' : 'ok',
    found: `${cpus().length}, of which ${allowed} allowed${limited}; ${toBeHad.toFixed(1)} were to be had just now`,
    consequence: isFew
      ? 'a guest, the patch and the host take turns on a core: pauses and blackouts contain waits for it'
      : `with more than ${Math.floor(toBeHad)} busy guests, pauses and blackouts contain waits for a core`,
    remedy: isFew ? 'give it two cores at least (taskset, the cpu limit of the cgroup), or a quieter machine' : null,
    values: { cores: cpus().length, allowed, cgroupLimit: limit, toBeHad },
  };
}

async function coresToBeHad(threads: number): Promise<number> {
  const shared = new Int32Array(new SharedArrayBuffer(8)); // ready, go
  const spin = `
    const { workerData: shared } = require('node:worker_threads');
    Atomics.add(shared, 0, 1);
    Atomics.wait(shared, 1, 0);
    const until = performance.now() + ${SPIN_MS};
    while (performance.now() < until);`;
  const workers = Array.from({ length: threads }, () => new Worker(spin, { eval: true, workerData: shared }));
  const ended = Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
  while (Atomics.load(shared, 0) < threads) await sleep(1);
  const fromMs = performance.now();
  const before = process.cpuUsage();
  Atomics.store(shared, 1, 1);
  Atomics.notify(shared, 1);
  await sleep(SPIN_MS);
  const { user, system } = process.cpuUsage(before);
  const cores = (user + system) / 1000 / (performance.now() - fromMs);
  await ended;
  return cores;
}

/** Makes a VM all of whose memory is there from the beginning. */
async function lookAtMemory(): Promise<Finding> {
  const limitBytes = machineMemoryBytes();
  const availableBytes = Math.min(availableMemoryBytes(), limitBytes);
  const addressSpace = /^Max address space +(\S+)/m.exec(readOr('/proc/self/limits', ''))?.[1] ?? 'unlimited';
  const fromNs = process.hrtime.bigint();
  {
    using _vm = await EmulatedVm.create({ program: 'idle', memory: `${MEMORY_TRIED_MIB} MiB`, prefault: true });
  }
  const elapsedNs = Number(process.hrtime.bigint() - fromNs);
  const isShort = availableBytes < GIB || addressSpace !== 'unlimited';
  const space = addressSpace === 'unlimited' ? '' : `, address space limited to ${formatBytes(Number(addressSpace))}`;
  return {
    status: isShort ? 'limited' : 'ok',
    found: `${formatBytes(availableBytes)} to be had of ${formatBytes(limitBytes)}${space}; a VM of ${MEMORY_TRIED_MIB} MiB was made in ${formatNs(elapsedNs)}`,
    consequence: `VMs may have ${formatBytes(limitBytes)} of RAM in all, snapshots of a host half of it unless told otherwise; what is written must fit into ${formatBytes(availableBytes)}`,
    remedy: isShort ? 'smaller VMs (`--memory`), or raise `ulimit -v` or the memory limit of the container' : null,
    values: { totalBytes: totalmem(), limitBytes, availableBytes, addressSpace, prefaultMibPerS: mibPerS(elapsedNs) },
  };
}

const mibPerS = (elapsedNs: number) => Math.round((MEMORY_TRIED_MIB * 1e9) / elapsedNs);

function availableMemoryBytes(): number {
  const kib = /^MemAvailable: +(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return kib === undefined ? totalmem() : Math.floor((Number(kib) * 1024) / MIB) * MIB;
}

/** Reads the clock in a row, and sets timers. */
async function lookAtTimer(): Promise<Finding> {
  const { stepNs, resolutionNs } = measureTimer();
  const lateNs: number[] = [];
  for (let i = 0; i < TIMER_SAMPLES; i++) {
    const fromNs = process.hrtime.bigint();
    await sleep(2);
    lateNs.push(Number(process.hrtime.bigint() - fromNs) - 2 * NS_PER_MS);
  }
  lateNs.sort((a, b) => a - b);
  const timerLateNs = Math.max(0, lateNs[TIMER_SAMPLES / 2] ?? 0);
  const source = readOr('/sys/devices/system/clocksource/clocksource0/current_clocksource', 'unknown');
  const isCoarse = stepNs > TIMER_STEP_NS_MAX;
  return {
    status: isCoarse ? 'limited' : 'ok',
    found: `${resolutionNs} ns, one reading ${stepNs} ns, clock source ${source}; timers ${formatNs(timerLateNs)} late in the median`,
    consequence: isCoarse
      ? `what JavaScript measures contains ${stepNs} ns a reading; the guests' own stamps cost as much`
      : `no shorter time than ${stepNs} ns can be told from none`,
    remedy: isCoarse
      ? 'a clock source that is read without a system call: tsc or kvm-clock instead of hpet or acpi_pm'
      : null,
    values: { stepNs, resolutionNs, clockSource: source, timerLateNs },
  };
}

/** Reads the clock for half a second, and looks who else used the machine. */
async function lookAtNoise(): Promise<Finding> {
  const meter = new NoiseMeter();
  meter.spin(NOISE_SPIN_NS);
  const { stealShare, othersShare, jitterShare, load1 } = meter.read();
  const findings = noiseFindings({ stealShare, othersShare, jitterShare });
  const isNoisy = findings.length > 0;
  return {
    status: isNoisy ? 'limited' : 'ok',
    found: isNoisy ? findings.join('; ') : 'hardly any: nobody else took the CPU',
    consequence: isNoisy
      ? 'times measured now are too long, the high percentiles most; proofs of memory and clocks hold all the same'
      : 'times measured now are those of the machine',
    remedy: isNoisy ? RUN_AGAIN : null,
    values: { stealShare, othersShare, jitterShare, load1 },
  };
}
