import Benchmark from 'benchmark';

/** One operation, over and over. */
export interface ThroughputSide {
  readonly name: string;
  /** Its promise, if it answers one, is waited for where `async` is set. */
  readonly run: () => unknown;
  readonly async?: boolean;
}

export interface ThroughputPlan {
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly samplesPerRound?: number;
  /** What an operation counts; default 1. */
  readonly scale?: number;
}

/** Seconds an operation, by the `benchmark` package. */
export async function secondsAnOperation(
  { name, run, async: deferred = false }: ThroughputSide,
  { secondsPerRound, samplesPerRound = 1 }: ThroughputPlan,
): Promise<number[]> {
  return await new Promise((resolve, reject) => {
    const options = {
      maxTime: secondsPerRound,
      minSamples: samplesPerRound,
      async: true,
      defer: deferred,
      fn: deferred
        ? (turn: { resolve(): void }) => void Promise.resolve(run()).then(() => turn.resolve(), reject)
        : run,
      onComplete: () => {
        const { error } = bench as unknown as { error?: Error };
        if (error === undefined) resolve(bench.stats.sample);
        else reject(error);
      },
    };
    const bench = new Benchmark(name, options as unknown as Benchmark.Options);
    bench.run();
  });
}
