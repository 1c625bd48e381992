import type { LimitsServer } from './native/server.js';
import type { BenchCalibration, BenchDirection, BenchUnit } from './result-schema.js';
import { Series, type TurnClock } from './series.js';

const BANDWIDTH_MIB = 64;
const BANDWIDTH_BYTES = BANDWIDTH_MIB * 2 ** 20;
const SAMPLES = { quick: 60, full: 400 };
/** A thread that is to sleep takes milliseconds to. */
const WAKES = { quick: 5, full: 20 };

interface Measure {
  readonly name: string;
  readonly title: string;
  readonly unit: BenchUnit;
  readonly direction: BenchDirection;
  readonly take: (limits: LimitsServer, quick: boolean) => Promise<readonly number[]>;
}

const amount = (of: typeof SAMPLES, quick: boolean) => (quick ? of.quick : of.full);
const bandwidth = ({ elapsedNs }: { elapsedNs: number }) => [BANDWIDTH_BYTES / elapsedNs];

/** What this machine can do at best. Budgets and multiples name them. */
const MEASURES: readonly Measure[] = [
  {
    name: 'handshake',
    title: 'two threads, one asks and the other one answers, without sleeping',
    unit: 'ns',
    direction: 'lower',
    take: async (limits, quick) => (await limits.ask('handshake', amount(SAMPLES, quick))).haltNs,
  },
  {
    name: 'wake',
    title: 'futex wake of a thread that sleeps, until it runs',
    unit: 'ns',
    direction: 'lower',
    take: async (limits, quick) => (await limits.ask('wake', amount(WAKES, quick))).resumeNs,
  },
  {
    name: 'page-fault',
    title: 'first touch of a fresh page of 4 KiB',
    unit: 'ns',
    direction: 'lower',
    take: async (limits, quick) => (await limits.ask('fault', amount(SAMPLES, quick))).faultNs,
  },
  {
    name: 'read',
    title: 'reading memory, one thread',
    unit: 'GB/s',
    direction: 'higher',
    take: async (limits) => bandwidth(await limits.ask('read', 1, BANDWIDTH_MIB)),
  },
  {
    name: 'copy',
    title: 'memcpy into warm pages, one thread',
    unit: 'GB/s',
    direction: 'higher',
    take: async (limits) => bandwidth(await limits.ask('copy', 1, BANDWIDTH_MIB)),
  },
];

/** Measured a little before each case, so that it is of the same time as they are. */
export class Calibrator {
  readonly #limits: LimitsServer;
  readonly #quick: boolean;
  readonly #series: ReadonlyMap<string, Series>;

  constructor(limits: LimitsServer, quick: boolean, clock: TurnClock) {
    this.#limits = limits;
    this.#quick = quick;
    this.#series = new Map(
      MEASURES.map(({ name, unit }) => [name, new Series(unit === 'ns' ? 'latencies' : 'figures', clock)]),
    );
  }

  /** Once before the first `take`: maps the memory, makes the threads. */
  async warmUp(): Promise<void> {
    for (const { take } of MEASURES) await take(this.#limits, true);
  }

  async take(): Promise<void> {
    for (const { name, take } of MEASURES) this.#series.get(name)?.recordAll(await take(this.#limits, this.#quick));
  }

  result(): BenchCalibration[] {
    return MEASURES.flatMap(({ name, title, unit, direction }) => {
      const series = this.#series.get(name);
      return series === undefined ? [] : [{ name, title, unit, direction, measurement: series.measurement() }];
    });
  }
}
