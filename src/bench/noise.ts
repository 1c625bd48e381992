import { cpus, loadavg } from 'node:os';
import { monotonicNs } from '../base/clock.js';
import { readOr } from './environment.js';
import type { BenchEnvironment, BenchNoise } from './result-schema.js';

const TICKS_PER_SECOND = 100; // USER_HZ, fixed in the kernel's interface
/** A reading of the clock takes a thirtieth of this at most: what is longer was taken from the thread. */
const GAP_NS = 10_000;
/** Above these the run carries a warning. */
const STEAL_SHARE_MAX = 0.01;
const OTHERS_SHARE_MAX = 0.05;
const JITTER_SHARE_MAX = 0.02;
export const TIMER_STEP_NS_MAX = 200;

interface CpuTicks {
  readonly busy: number;
  readonly steal: number;
  readonly ours: number;
  readonly atNs: bigint;
}

/** How much of the machine others have: its hypervisor (steal), other processes, and whatever interrupts a thread. */
export class NoiseMeter {
  readonly #childPids = new Set<number>();
  #gapsNs = 0;
  #spunNs = 0;
  #from: CpuTicks = this.#read();

  /** A process that works for this run is no noise. */
  addChild(pid: number | undefined): void {
    if (pid !== undefined) this.#childPids.add(pid);
  }

  /** Begins anew. */
  restart(): void {
    this.#gapsNs = this.#spunNs = 0;
    this.#from = this.#read();
  }

  /** Reads the clock for so long and counts the gaps. */
  spin(durationNs: number): void {
    const fromNs = process.hrtime.bigint();
    let lastNs = fromNs;
    let nowNs = fromNs;
    while (Number(nowNs - fromNs) < durationNs) {
      nowNs = process.hrtime.bigint();
      const gapNs = Number(nowNs - lastNs);
      if (gapNs > GAP_NS) this.#gapsNs += gapNs;
      lastNs = nowNs;
    }
    this.#spunNs += Number(nowNs - fromNs);
  }

  /** Since it was made or began anew. */
  read(): BenchNoise {
    const now = this.#read();
    const from = this.#from;
    const seconds = Number(now.atNs - from.atNs) / 1e9;
    const ticks = Math.max(1, seconds * TICKS_PER_SECOND * cpus().length);
    const share = (value: number) => Math.min(1, Math.max(0, Math.round((value / ticks) * 1000) / 1000));
    const stealShare = share(now.steal - from.steal);
    const othersShare = share(now.busy - from.busy - (now.ours - from.ours));
    const jitterShare = this.#spunNs === 0 ? null : Math.round((this.#gapsNs / this.#spunNs) * 1000) / 1000;
    const score = Math.min(100, 100 * (stealShare + othersShare + (jitterShare ?? 0)));
    return {
      seconds,
      stealShare,
      othersShare,
      jitterShare,
      score: Math.round(score * 10) / 10,
      load1: loadavg()[0] ?? 0,
    };
  }

  #read(): CpuTicks {
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (
      readOr('/proc/stat', '').split('\n')[0] ?? ''
    )
      .split(/\s+/)
      .slice(1)
      .map(Number);
    let ours = 0;
    for (const pid of ['self', ...this.#childPids]) {
      // After the command's name in brackets: state is field 3, the four times are fields 14 to 17.
      const fields = readOr(`/proc/${pid}/stat`, '').split(') ')[1]?.split(' ') ?? [];
      ours += fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
    }
    return { busy: user + nice + system + irq + softirq, steal, ours, atNs: monotonicNs() };
  }
}

/** What disturbed the machine by more than a run bears; empty where nothing did. */
export function noiseFindings({
  stealShare,
  othersShare,
  jitterShare,
}: Pick<BenchNoise, 'stealShare' | 'othersShare' | 'jitterShare'>): string[] {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const findings: string[] = [];
  if (stealShare > STEAL_SHARE_MAX)
    findings.push(`the hypervisor gave ${percent(stealShare)} of the CPU time to others (steal)`);
  if (othersShare > OTHERS_SHARE_MAX) findings.push(`other processes used ${percent(othersShare)} of the CPU time`);
  if ((jitterShare ?? 0) > JITTER_SHARE_MAX)
    findings.push(`a thread that only reads the clock lost ${percent(jitterShare ?? 0)} of its time`);
  return findings;
}

/** What a reader must know before trusting the figures; empty where the machine was quiet. */
export function noiseWarnings(noise: Readonly<Record<'before' | 'during', BenchNoise>>, environment: BenchEnvironment) {
  const warnings = Object.entries(noise).flatMap(([when, measured]) =>
    noiseFindings(measured).map((finding) => `${when} the run ${finding}`),
  );
  const { governor, timer } = environment;
  if (governor !== null && governor !== 'performance') warnings.push(`the CPU's frequency governor is ${governor}`);
  if (timer.stepNs > TIMER_STEP_NS_MAX)
    warnings.push(`one reading of the clock takes ${timer.stepNs} ns, which is in every latency seen by JavaScript`);
  return warnings;
}
