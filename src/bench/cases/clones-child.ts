// Prints what a hundred VMs of one snapshot take, and what writing takes them.
//   node --expose-gc clones-child.js clones|copies COUNT RAM_BYTES STEPS
import { readFileSync } from 'node:fs';
import { KIB, MIB } from '../../base/units.js';
import { Host } from '../../host/host.js';
import type { Vm } from '../../vm/vm.js';

const WARM_UP_STEPS = 40_000;

const kind = process.argv[2];
const [count = 1, memory = MIB, steps = 1] = process.argv.slice(3).map(Number);

const host = await Host.create();
const source = await host.createVm({ program: 'page-writer', memory, params: { workingSet: memory } });
await source.runUntil(WARM_UP_STEPS * Math.ceil(memory / (8 * MIB)));
const snapshot = await source.snapshot();
source.close();
await snapshot.digest();

globalThis.gc?.();
const before = pssBytes();
const made = await timed(() => (kind === 'clones' ? host.clone(snapshot, count) : copies()));
const vms = made.value;
// All of each is read, as a guest would in time: what is shared is then counted as shared.
for (const vm of vms) await vm.digest();
const readBytes = pssBytes() - before;

const written: { ns: number; pages: number }[] = [];
for (const vm of vms) {
  const { ns } = await timed(() => vm.runUntil(snapshot.steps + steps));
  written.push({ ns, pages: vm.endEpoch().dirtyPages });
}
const afterBytes = pssBytes() - before;
process.stdout.write(`${JSON.stringify({ createdNs: made.ns, readBytes, afterBytes, written })}\n`);
await host.close();

async function copies(): Promise<Vm[]> {
  const vms: Vm[] = [];
  for (let index = 0; index < count; index++) vms.push(await host.restore(snapshot));
  return vms;
}

function pssBytes(): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1]) * KIB;
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ns: number }> {
  const fromNs = process.hrtime.bigint();
  const value = await work();
  return { value, ns: Number(process.hrtime.bigint() - fromNs) };
}
