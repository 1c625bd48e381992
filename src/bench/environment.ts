import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageVersion } from '../base/package.js';
import type { NativeEngineInfo } from '../native/contract.js';
import type { BenchEnvironment } from './result-schema.js';

const TIMER_READINGS = 2000;
const MACHINE_DIGITS = 16;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export function readOr<Otherwise>(path: string, otherwise: Otherwise): string | Otherwise {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return otherwise;
  }
}

/** The machine and the software that a run is on. */
export function describeEnvironment(engine: NativeEngineInfo): BenchEnvironment {
  const cpuModel = cpus()[0]?.model.trim() ?? 'unknown';
  const identity = [cpuModel, cpus().length, totalmem(), readOr('/etc/machine-id', '')].join('\n');
  return {
    machine: createHash('sha256').update(identity).digest('hex').slice(0, MACHINE_DIGITS),
    cpuModel,
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    architecture: arch(),
    governor: readOr('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor', null),
    hugePages: /\[(\w+)\]/.exec(readOr('/sys/kernel/mm/transparent_hugepage/enabled', ''))?.[1] ?? null,
    virtualised: /^flags.*\bhypervisor\b/m.test(readOr('/proc/cpuinfo', '')),
    container: containerLimits(),
    commit: commitOf(ROOT),
    versions: { node: process.versions.node, v8: process.versions.v8, standstill: packageVersion() },
    engine: { ...engine },
    timer: measureTimer(),
  };
}

/** Of the package's sources, where they are a checkout. */
function commitOf(folder: string): string | null {
  try {
    const command = ['describe', '--always', '--dirty', '--abbrev=12'];
    return execFileSync('git', command, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  } catch {
    return null;
  }
}

/** The limits of this process's cgroup, version 2, else 1; the nearest one only. */
export function containerLimits(): BenchEnvironment['container'] {
  const paths = readOr('/proc/self/cgroup', '').split('\n');
  const pathOf = (controller: string) =>
    paths.map((line) => line.split(':')).find(([, names]) => names?.split(',').includes(controller))?.[2];
  const unified = pathOf('') ?? '/';
  const [quota, period] = readOr(join('/sys/fs/cgroup', unified, 'cpu.max'), '').split(' ');
  const oldQuota = Number(readOr(join('/sys/fs/cgroup/cpu', pathOf('cpu') ?? '/', 'cpu.cfs_quota_us'), '-1'));
  const oldPeriod = Number(readOr(join('/sys/fs/cgroup/cpu', pathOf('cpu') ?? '/', 'cpu.cfs_period_us'), '0'));
  const memory = Number(readOr(join('/sys/fs/cgroup', unified, 'memory.max'), Number.NaN));
  const oldMemory = Number(
    readOr(join('/sys/fs/cgroup/memory', pathOf('memory') ?? '/', 'memory.limit_in_bytes'), Number.NaN),
  );
  const cpuLimit = Number(quota) / Number(period);
  const oldCpuLimit = oldQuota > 0 && oldPeriod > 0 ? oldQuota / oldPeriod : null;
  return {
    cpus: Number.isFinite(cpuLimit) ? cpuLimit : oldCpuLimit,
    // Version 1 has a number for no limit, beyond any memory.
    memoryBytes: [memory, oldMemory].find((limit) => Number.isFinite(limit) && limit <= totalmem()) ?? null,
  };
}

/** What two readings of the clock in a row are apart: in the median, and at least. No shorter time can be told from none. */
export function measureTimer(): BenchEnvironment['timer'] {
  const steps: number[] = [];
  for (let i = 0; i < TIMER_READINGS; i++) {
    const before = process.hrtime.bigint();
    steps.push(Number(process.hrtime.bigint() - before));
  }
  steps.sort((a, b) => a - b);
  return { stepNs: steps[TIMER_READINGS / 2] ?? 0, resolutionNs: steps.find((step) => step > 0) ?? 0 };
}
