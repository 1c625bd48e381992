// Throughput by the `benchmark` package, the sides in turns: each round runs every side once, in an order that
// alternates, so that a slow spell of the machine falls on all of them.
import Benchmark from 'benchmark';
import { summarise } from './histogram.mjs';

/**
 * @typedef {object} Side
 * @property {string} name
 * @property {() => unknown} run one operation; may answer a promise
 * @property {boolean} [async]
 */

function runOnce({ name, run, async: deferred = false }, options) {
  return new Promise((resolve, reject) => {
    const bench = new Benchmark(name, {
      ...options,
      async: true,
      defer: deferred,
      fn: deferred ? (turn) => Promise.resolve(run()).then(() => turn.resolve(), reject) : run,
      onComplete: () => (bench.error ? reject(bench.error) : resolve(bench.stats.sample)),
    });
    bench.run();
  });
}

/**
 * @param {Side[]} sides
 * @param {{ rounds: number, secondsPerRound: number, samplesPerRound?: number }} plan
 * @returns {Promise<Map<string, ReturnType<typeof summarise>>>} operations a second
 */
export async function interleave(sides, { rounds, secondsPerRound, samplesPerRound = 1 }) {
  const samples = new Map(sides.map((side) => [side.name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      const seconds = await runOnce(side, { maxTime: secondsPerRound, minSamples: samplesPerRound });
      samples.get(side.name).push(...seconds.map((perOperation) => 1 / perOperation));
    }
  }
  return new Map([...samples].map(([name, perSecond]) => [name, summarise(perSecond)]));
}
