// The benchmark that the gate's study compares: steps, digests and pauses of a VM, about 50 ms of each,
// in the engine's control build. `--slower 20` makes each digest read 20 % of the pages twice. Prints Bencher's format.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { medianSorted } from 'simple-statistics';

const RAM_BYTES = 16 * 2 ** 20;
const RUNS = 10;
const STEPS = 20_000;
const DIGESTS = 20;
const PAUSES = 300;
const GAP_NS = 20_000n;
const HANDSHAKE_TIMEOUT_NS = 1e9;

const { values } = parseArgs({ options: { slower: { type: 'string', default: '0' } } });
const path = join(import.meta.dirname, '..', '..', 'build-controls', 'Release', 'standstill_controls.node');
const addon = createRequire(import.meta.url)(path);
addon.initialise(Error);
addon.setControl('skip-audit', true);
addon.setControl('slow-digest', Number(values.slower));

const vm = await addon.createVm({
  name: 'study',
  ramBytes: RAM_BYTES,
  program: 'page-writer',
  params: {},
  seed: 1n,
  dutyCycle: 1,
  prefault: true,
});
const runs = [];
for (let i = 1; i <= RUNS; i += 1) {
  const from = process.hrtime.bigint();
  await vm.runUntil(i * STEPS);
  runs.push(process.hrtime.bigint() - from);
}
const digests = [];
for (let i = 0; i < DIGESTS; i += 1) digests.push((await vm.digest({ threads: 1 })).elapsedNs);
const pauses = [];
for (let i = 0; i < PAUSES; i += 1) {
  vm.resume();
  // The guest is to run by the time it is asked to stop.
  const from = process.hrtime.bigint();
  while (process.hrtime.bigint() - from < GAP_NS);
  pauses.push(vm.pause(HANDSHAKE_TIMEOUT_NS).latencyNs);
}
vm.close();

const median = (samples) => ({ latency: { value: medianSorted(samples.map(Number).toSorted((a, b) => a - b)) } });
console.log(JSON.stringify({ digest: median(digests), pause: median(pauses), run: median(runs) }));
