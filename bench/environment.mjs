// What the figures were measured on, and how quiet it was meanwhile.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

const TICKS_PER_SECOND = 100; // USER_HZ, fixed in the kernel's interface
/** Above these the run carries a warning. */
const STEAL_SHARE_MAX = 0.01;
const OTHERS_SHARE_MAX = 0.05;

function readOr(path, otherwise) {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return otherwise;
  }
}

function commandOr(otherwise, command, ...args) {
  try {
    return execFileSync(command, args, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  } catch {
    return otherwise;
  }
}

/** The machine and the software; the measure of the noise is added when the run is over. */
export function describeEnvironment(engineInfo) {
  const [cpu] = cpus();
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return {
    date: new Date().toISOString(),
    cpuModel: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    governor: readOr('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor', null),
    hugePages: readOr('/sys/kernel/mm/transparent_hugepage/shmem_enabled', null)?.match(/\[(\w+)\]/)?.[1] ?? null,
    virtualised: /^flags.*\bhypervisor\b/m.test(readOr('/proc/cpuinfo', '')),
    commit: commandOr(null, 'git', 'describe', '--always', '--dirty', '--abbrev=12'),
    versions: { node: process.versions.node, v8: process.versions.v8, standstill: version },
    engine: engineInfo,
    timer: { hrtimeStepNs: hrtimeStepNs() },
  };
}

/** The median of what two readings in a row are apart: no shorter time can be told from none. */
function hrtimeStepNs() {
  const steps = [];
  for (let i = 0; i < 2000; i++) {
    const before = process.hrtime.bigint();
    steps.push(Number(process.hrtime.bigint() - before));
  }
  return steps.toSorted((a, b) => a - b)[1000];
}

/** CPU time so far of the machine, stolen from it, and of this process with its children, in ticks. */
function readCpuTicks(childPids) {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]
    .split(/\s+/)
    .slice(1)
    .map(Number);
  let ours = 0;
  for (const pid of ['self', ...childPids]) {
    // After the command's name in brackets: state is field 3, the four times are fields 14 to 17.
    const fields = readOr(`/proc/${pid}/stat`, '').split(') ')[1]?.split(' ') ?? [];
    ours += fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
  }
  return { busy: user + nice + system + irq + softirq, steal, ours, atMs: performance.now() };
}

/** How much of the machine others had between two moments: the hypervisor (steal) and other processes. */
export class NoiseMeter {
  #childPids = new Set();
  #began;

  constructor() {
    this.#began = readCpuTicks([]);
  }
  addChild(pid) {
    this.#childPids.add(pid);
  }
  mark() {
    return readCpuTicks(this.#childPids);
  }
  /** @param from what `mark` answered; default: since the meter was made */
  since(from = this.#began) {
    const now = this.mark();
    const ticks = Math.max(1, ((now.atMs - from.atMs) / 1000) * TICKS_PER_SECOND * cpus().length);
    const share = (value) => Math.max(0, Math.round((value / ticks) * 1000) / 1000);
    return {
      seconds: Math.round(now.atMs - from.atMs) / 1000,
      stealShare: share(now.steal - from.steal),
      othersShare: share(now.busy - from.busy - (now.ours - from.ours)),
      load1: loadavg()[0],
    };
  }
}

/** What a reader must know before trusting the figures; empty where the machine was quiet. */
export function noiseWarnings({ stealShare, othersShare }, governor) {
  const percent = (share) => `${(share * 100).toFixed(1)} %`;
  const warnings = [];
  if (stealShare > STEAL_SHARE_MAX)
    warnings.push(`the hypervisor gave ${percent(stealShare)} of the CPU time to others (steal)`);
  if (othersShare > OTHERS_SHARE_MAX) warnings.push(`other processes used ${percent(othersShare)} of the CPU time`);
  if (governor !== null && governor !== 'performance') warnings.push(`the CPU's frequency governor is ${governor}`);
  return warnings;
}
