import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { monotonicNs, sleepMs } from '../base/clock.js';
import { parseOptions } from '../base/options.js';
import { Prng } from '../base/prng.js';
import { MIB, NS_PER_MS } from '../base/units.js';
import { EmulatedVm } from './emulated-vm.js';
import { seedSchema, type VmOptions } from './options.js';

const EXPECTED_STEPS = 'a whole number from 1 to 2^53 − 1';
const EXPECTED_PAUSES = 'a whole number from 0 to 1000000';
const EXPECTED_DUTY_CYCLE = 'a number above 0, up to 1';
const PAUSES_MAX = 1_000_000;

const STEPS_DEFAULT = 2_000_000;
const PAUSES_DEFAULT = 50;
const MEMORY_DEFAULT = 8 * MIB;
const SECOND_DUTY_CYCLE_DEFAULT = 0.5;

/** Of the run's time the pauses are spread over this share, so that most of them come before its end. */
const PAUSED_SHARE = 0.8;

const determinismSchema = z.strictObject({
  program: z.string('the name of a guest program'),
  params: z.record(z.string(), z.union([z.number(), z.string()], 'a number or text'), 'an object').default({}),
  memory: z.union([z.number(), z.string()], "bytes or text such as '256 MiB'").default(MEMORY_DEFAULT),
  seed: seedSchema.default(0n),
  steps: z.number(EXPECTED_STEPS).int(EXPECTED_STEPS).positive(EXPECTED_STEPS).default(STEPS_DEFAULT),
  pauses: z
    .number(EXPECTED_PAUSES)
    .int(EXPECTED_PAUSES)
    .min(0, EXPECTED_PAUSES)
    .max(PAUSES_MAX, EXPECTED_PAUSES)
    .default(PAUSES_DEFAULT),
  secondDutyCycle: z
    .number(EXPECTED_DUTY_CYCLE)
    .positive(EXPECTED_DUTY_CYCLE)
    .max(1, EXPECTED_DUTY_CYCLE)
    .default(SECOND_DUTY_CYCLE_DEFAULT),
});

/** Which guest is compared, and with how many pauses. */
export interface DeterminismOptions extends Pick<VmOptions, 'program' | 'params' | 'memory' | 'seed'> {
  /** At which step the runs are compared, 1 to 2^53 − 1. Default 2,000,000. */
  steps?: number | undefined;
  /** How often the second run is paused, at seeded random moments, 0 to 1,000,000. Default 50. */
  pauses?: number | undefined;
  /** The share of the time in which the third run's steps run, above 0 up to 1. Default 0.5. */
  secondDutyCycle?: number | undefined;
}

/** One run of the guest to the same step. */
export interface DeterminismRun {
  name: 'uninterrupted' | 'paused' | 'duty-cycle';
  /** CRC-64/NVME of all of RAM, as 16 hexadecimal digits. */
  digest: string;
  /** The registers, as hexadecimal digits. */
  registers: string;
  /** What `check()` said. */
  invariantsOk: boolean;
  violation: string | null;
  /** Pauses that halted the guest before it was there: fewer than asked for where it got there first. */
  pausesTaken: number;
  elapsedNs: number;
}

/** What `verifyDeterminism` found, as JSON. */
export interface DeterminismReport {
  /** Digests and registers are equal, and the invariants hold, in all runs. */
  ok: boolean;
  program: string;
  /** In decimal digits: a seed may exceed what a JSON number holds. */
  seed: string;
  steps: number;
  runs: DeterminismRun[];
}

type Parsed = z.output<typeof determinismSchema>;
type Interference = (vm: EmulatedVm, reached: Promise<void>) => Promise<number>;

/**
 * The twin-run proof: runs a guest to a step uninterrupted, again with pauses at seeded random moments, and again at
 * another duty cycle, and compares RAM, registers and invariants at that step. Leaves the event loop free but for short
 * pauses. Rejects with ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION, ERR_UNKNOWN_PROGRAM, ERR_UNKNOWN_PARAMETER,
 * ERR_OUT_OF_MEMORY, ERR_VM_FAULTED.
 */
export async function verifyDeterminism(options: DeterminismOptions): Promise<DeterminismReport> {
  const parsed = parseOptions(determinismSchema, options, 'verifyDeterminism');
  const first = await runTo(parsed, 'uninterrupted', 1, noPauses);
  const paused = await runTo(parsed, 'paused', 1, seededPauses(parsed, first.elapsedNs));
  const slower = await runTo(parsed, 'duty-cycle', parsed.secondDutyCycle, noPauses);
  const runs = [first, paused, slower];
  const ok = runs.every((run) => run.invariantsOk && run.digest === first.digest && run.registers === first.registers);
  return { ok, program: parsed.program, seed: String(parsed.seed), steps: parsed.steps, runs };
}

async function runTo(
  { program, params, memory, seed, steps }: Parsed,
  name: DeterminismRun['name'],
  dutyCycle: number,
  interfere: Interference,
): Promise<DeterminismRun> {
  using vm = await EmulatedVm.create({ program, params, memory, seed, dutyCycle, name });
  const startedAtNs = monotonicNs();
  const reached = vm.runUntil(steps);
  const [pausesTaken] = await Promise.all([interfere(vm, reached), reached]);
  const elapsedNs = Number(monotonicNs() - startedAtNs);
  const check = await vm.check();
  return {
    name,
    digest: (await vm.digest()).value.toString(16).padStart(16, '0'),
    registers: Buffer.from(vm.registers()).toString('hex'),
    invariantsOk: check.ok,
    violation: check.violation,
    pausesTaken,
    elapsedNs,
  };
}

const noPauses: Interference = async () => 0;

/** Pauses spread over the time that an uninterrupted run takes; what the pauses themselves cost comes on top. */
function seededPauses({ pauses, seed }: Parsed, runNs: number): Interference {
  return async (vm, reached) => {
    let isThere = false;
    reached.then(
      () => (isThere = true),
      () => (isThere = true),
    );
    const prng = new Prng(seed);
    let taken = 0;
    for (let pause = 0; pause < pauses && !isThere; pause += 1) {
      await wait((prng.nextFraction() * 2 * PAUSED_SHARE * runNs) / (pauses + 1));
      // A guest that got there meanwhile has halted by itself, and is not ours to resume.
      if (isThere || vm.pause().latencyNs === 0) break;
      taken += 1;
      await wait(prng.nextFraction() * NS_PER_MS);
      vm.resume();
    }
    return taken;
  };
}

async function wait(durationNs: number): Promise<void> {
  const untilNs = monotonicNs() + BigInt(Math.round(durationNs));
  if (durationNs > 2 * NS_PER_MS) await sleepMs(durationNs / NS_PER_MS - 1);
  while (monotonicNs() < untilNs) await setImmediate();
}
