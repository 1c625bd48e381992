import { freemem } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { StandstillError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { Calibrator } from './calibration.js';
import { type BenchCase, type BenchContext, type BenchParams, CaseSkipped, type Side } from './case.js';
import { closeVms } from './engine.js';
import { describeEnvironment } from './environment.js';
import { metricOf } from './metric.js';
import { type FoundPrograms, findNativePrograms } from './native/programs.js';
import { type LimitsServer, NativeServer, type StoreCostServer } from './native/server.js';
import { NoiseMeter, noiseWarnings } from './noise.js';
import { BENCH_RESULT_FORMAT, BENCH_RESULT_VERSION, type BenchMetric, type BenchResult } from './result-schema.js';
import { Series } from './series.js';
import { secondsAnOperation, type ThroughputPlan, type ThroughputSide } from './throughput.js';

const CASE_SECONDS_DEFAULT = 5;
const SPIN_NS = { quick: 100e6, full: 500e6 };
/** Of one core, between two cases. */
const SPIN_BETWEEN_NS = 50e6;
/** A duration that is asked for still has so many rounds at least, so that there is an interval. */
const ROUNDS_MIN = 5;

export interface BenchRunOptions {
  readonly cases: readonly BenchCase[];
  readonly quick: boolean;
  readonly params: BenchParams;
  /** For each comparison instead of the case's own number of rounds. */
  readonly durationMs?: number | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: BenchProgress) => void) | undefined;
}

export interface BenchProgress {
  /** What is under way. */
  readonly name: string;
  /** Of all of it, from 0 to 1, by what the cases usually take. */
  readonly share: number;
  /** null: not known yet. */
  readonly secondsLeft: number | null;
}

/** Runs benchmarks one after the other. Rejects with ERR_ABORTED where the signal aborts, and with what a case throws. */
export async function runBench(options: BenchRunOptions): Promise<BenchResult> {
  const run = new Run(options);
  try {
    return await run.perform();
  } catch (error) {
    // Ctrl-C in a terminal ends the children as well, and what fails for want of them is of no interest.
    await run.goOn();
    throw error;
  } finally {
    await run.close();
  }
}

class Run {
  readonly #options: BenchRunOptions;
  readonly #startedAt = new Date();
  readonly #startedMs = performance.now();
  readonly #meter = new NoiseMeter();
  #programs: FoundPrograms = { missing: 'not looked for' };
  #limits: LimitsServer | null = null;
  #storeCost: StoreCostServer | undefined;
  #secondsDone = 0;
  #turn = 0;

  constructor(options: BenchRunOptions) {
    this.#options = options;
  }

  /** The turn under way. */
  get turn(): number {
    return this.#turn;
  }
  get atMs(): number {
    return performance.now() - this.#startedMs;
  }

  async perform(): Promise<BenchResult> {
    const { cases, quick } = this.#options;
    const environment = describeEnvironment(addon.engineInfo());
    this.#say('the native programs', 0);
    const missing = await this.#openLimits();
    await this.goOn();
    this.#meter.restart();
    this.#meter.spin(quick ? SPIN_NS.quick : SPIN_NS.full);
    const before = this.#meter.read();
    this.#meter.restart();
    const calibrator = this.#limits === null ? null : new Calibrator(this.#limits, quick, this);
    await calibrator?.warmUp();
    const drafts: { one: BenchCase; draft: Awaited<ReturnType<BenchCase['run']>>[number] }[] = [];
    const skipped: BenchResult['skipped'] = [];
    for (const one of cases) {
      this.#say(one.name, 0);
      this.#nextTurn();
      await calibrator?.take();
      this.#meter.spin(SPIN_BETWEEN_NS);
      try {
        drafts.push(
          ...(await one.run(this.#contextOf(one, environment.timer.stepNs))).map((draft) => ({ one, draft })),
        );
      } catch (error) {
        if (!(error instanceof CaseSkipped)) throw error;
        skipped.push({ name: one.name, reason: error.message });
      } finally {
        closeVms();
      }
      await this.goOn();
      this.#secondsDone += one.seconds ?? CASE_SECONDS_DEFAULT;
    }
    this.#nextTurn();
    await calibrator?.take();
    const noise = { before, during: this.#meter.read() };
    const calibrations = calibrator?.result() ?? [];
    const metrics: BenchMetric[] = drafts.map(({ one, draft }) => metricOf(one, draft, calibrations));
    const warnings = noiseWarnings(noise, environment);
    if (missing !== null) warnings.push(`limits were not measured: ${missing}`);
    return {
      format: BENCH_RESULT_FORMAT,
      schemaVersion: BENCH_RESULT_VERSION,
      startedAt: this.#startedAt.toISOString(),
      durationMs: this.atMs,
      quick,
      environment,
      noise,
      warnings,
      calibrations,
      metrics,
      skipped,
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#limits?.close(), this.#storeCost?.close()]);
  }

  async #openLimits(): Promise<string | null> {
    this.#programs = await findNativePrograms(this.#options.signal);
    if ('missing' in this.#programs) return this.#programs.missing;
    this.#limits = this.#serve(this.#programs.folder, 'standstill_bench_limits');
    return null;
  }

  #openStoreCost(): StoreCostServer {
    if ('missing' in this.#programs) throw new CaseSkipped(this.#programs.missing);
    this.#storeCost ??= this.#serve(this.#programs.folder, 'standstill_bench_store_cost');
    return this.#storeCost;
  }

  #serve<Answers>(folder: string, program: string): NativeServer<Answers> {
    const server = new NativeServer<Answers>(join(folder, program));
    this.#meter.addChild(server.pid);
    return server;
  }

  #contextOf(one: BenchCase, timerStepNs: number): BenchContext {
    const { quick, params, signal } = this.#options;
    return {
      addon,
      limits: this.#limits,
      quick,
      params,
      freeBytes: freemem(),
      timerStepNs,
      signal,
      openStoreCost: async () => this.#openStoreCost(),
      addChild: (pid) => this.#meter.addChild(pid),
      latencies: () => new Series('latencies', this),
      figures: (values = []) => {
        const series = new Series('figures', this);
        series.recordAll(values);
        return series;
      },
      inTurns: (rounds, sides) => this.#inTurns(one, rounds, sides),
      throughput: (sides, plan) => this.#throughput(one, sides, plan),
    };
  }

  async #inTurns(one: BenchCase, rounds: number, sides: readonly Side[]): Promise<void> {
    const { durationMs } = this.#options;
    let fromMs = performance.now();
    const isOver = (round: number) =>
      durationMs === undefined ? round > rounds : round > ROUNDS_MIN && performance.now() - fromMs >= durationMs;
    for (let round = 0; !isOver(round); round++) {
      if (round === 1) fromMs = performance.now();
      this.#nextTurn();
      this.#say(one.name, round / rounds);
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        this.#assertGoingOn();
        await side({ warmUp: round === 0 });
      }
    }
  }

  async #throughput(one: BenchCase, sides: readonly ThroughputSide[], plan: ThroughputPlan) {
    const series = new Map(sides.map(({ name }) => [name, new Series('figures', this)]));
    await this.#inTurns(
      one,
      plan.rounds,
      sides.map((side) => async ({ warmUp }) => {
        const seconds = await secondsAnOperation(side, plan);
        if (!warmUp) series.get(side.name)?.recordAll(seconds.map((perOperation) => (plan.scale ?? 1) / perOperation));
      }),
    );
    return series;
  }

  #nextTurn(): void {
    this.#turn += 1;
  }

  /** Rejects with ERR_ABORTED where it was. A case may have left the event loop no turn to hear of a signal. */
  async goOn(): Promise<void> {
    await turn();
    this.#assertGoingOn();
  }

  #assertGoingOn(): void {
    const { signal } = this.#options;
    if (signal.aborted) throw new StandstillError('ERR_ABORTED', 'The benchmark was aborted', { cause: signal.reason });
  }

  #say(name: string, share: number): void {
    const { cases, onProgress } = this.#options;
    const secondsOf = (one: BenchCase | undefined) => one?.seconds ?? CASE_SECONDS_DEFAULT;
    const seconds = cases.reduce((sum, one) => sum + secondsOf(one), 0);
    const current = secondsOf(cases.find((one) => one.name === name));
    const done = Math.min(1, (this.#secondsDone + current * Math.min(1, share)) / seconds);
    const secondsLeft = done > 0 ? (this.atMs / 1000 / done) * (1 - done) : null;
    onProgress?.({ name, share: done, secondsLeft });
  }
}
