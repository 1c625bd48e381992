// Prints what VMs add to this process beside their RAM, as the kernel counts it.
//   node --expose-gc memory-child.mjs COUNT RAM_BYTES REPEATS
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createVm, loadAddon, MIB } from '../addon.mjs';

const [count, ramBytes, repeats] = process.argv.slice(2).map(Number);
const addon = loadAddon();

function readKib(path, key) {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync(path, 'utf8'))?.[1] ?? 0) * 1024;
}
function readMemory() {
  globalThis.gc();
  return {
    rss: readKib('/proc/self/smaps_rollup', 'Rss'),
    pss: readKib('/proc/self/smaps_rollup', 'Pss'),
    anonymous: readKib('/proc/self/smaps_rollup', 'Pss_Anon'),
    pageTables: readKib('/proc/self/status', 'VmPTE'),
    perThreadKernelStack: 16 * 1024,
  };
}

/** VMs whose marks have been through several epochs: all maps used, all folded. */
async function openWorn() {
  const vms = [];
  for (let i = 0; i < count; i++) vms.push(await createVm(addon, { name: `bench-${i}`, ramBytes }));
  const steps = Math.max(100_000, (4 * ramBytes) / 4096);
  for (let epoch = 1; epoch <= 4; epoch++) {
    for (const vm of vms) {
      await vm.runUntil(steps * epoch);
      vm.endEpoch();
    }
  }
  return vms;
}

async function closeAll(vms) {
  for (const vm of vms) vm.close();
  await sleep(50);
}

// What the first VM makes for all (pool threads, arenas, compiled code) is no VM's.
await closeAll(await Promise.all([createVm(addon, { ramBytes: MIB })]));
const warm = await openWorn();
await closeAll(warm);
warm.length = 0;

const samples = [];
for (let i = 0; i < repeats; i++) {
  await sleep(20);
  const before = readMemory();
  const vms = await openWorn();
  await sleep(20);
  const after = readMemory();
  const grown = (key) => Math.round((after[key] - before[key]) / count);
  samples.push({
    pss: grown('pss') - ramBytes,
    rss: grown('rss') - ramBytes,
    anonymous: grown('anonymous'),
    pageTables: grown('pageTables'),
  });
  await closeAll(vms);
}
const median = (key) => samples.map((sample) => sample[key]).toSorted((a, b) => a - b)[Math.floor(samples.length / 2)];
console.log(
  JSON.stringify({
    samples: samples.length,
    besideRamBytes: median('pss'),
    kinds: {
      pssBesideRamBytes: median('pss'),
      rssBesideRamBytes: median('rss'),
      anonymousBytes: median('anonymous'),
      pageTableBytes: median('pageTables'),
      worstBytes: Math.max(...samples.map((sample) => sample.pss)),
    },
  }),
);
