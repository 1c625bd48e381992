// Thirty workers from one prepared state. A store is warmed up once; each clone begins there at once, shares its memory
// copy-on-write, and goes its own way by a seed of its own. What they take is measured, beside as many copies.
//
//   node examples/clone/clone.mjs [workers, default 30]
import { readFile } from 'node:fs/promises';
import { Host } from 'standstill';

const WORKERS = Number(process.argv[2] ?? 30);
const MIB = 2 ** 20;

const host = await Host.create();
try {
  const prepared = await host.createVm({ program: 'kv-store', memory: '16 MiB', seed: 7 });
  await prepared.runUntil(500_000);
  const snapshot = await prepared.snapshot();
  prepared.close();

  const begunMs = performance.now();
  const [clones, clonesBytes] = await growth(() => host.clone(snapshot, WORKERS, { name: 'worker', seed: 1 }));
  console.log(`${WORKERS} clones in ${(performance.now() - begunMs).toFixed(0)} ms, ${mib(clonesBytes)}`);

  const [, writtenBytes] = await growth(() => Promise.all(clones.map((vm) => vm.runUntil(snapshot.steps + 1000))));
  const digests = new Set(await Promise.all(clones.map(async (vm) => (await vm.digest()).value)));
  console.log(`1,000 steps later: ${digests.size} different memories, ${mib(writtenBytes)} more`);
  for (const vm of clones) vm.close();

  const [, copiesBytes] = await growth(() =>
    Promise.all(Array.from({ length: WORKERS }, (_, index) => host.restore(snapshot, { name: `copy-${index + 1}` }))),
  );
  const ratio = copiesBytes / (clonesBytes + writtenBytes);
  console.log(
    `${WORKERS} copies: ${mib(copiesBytes)}, ${ratio.toFixed(0)} times as much as the clones with what they wrote`,
  );
} finally {
  await host.close();
}

/** What it made, and by how much the process grew meanwhile: its proportional share of memory, by the kernel's account. */
async function growth(make) {
  const before = await pssBytes();
  const made = await make();
  return [made, (await pssBytes()) - before];
}

async function pssBytes() {
  const [, kib] = /^Pss: +(\d+) kB$/m.exec(await readFile('/proc/self/smaps_rollup', 'utf8'));
  return Number(kib) * 1024;
}

function mib(bytes) {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
