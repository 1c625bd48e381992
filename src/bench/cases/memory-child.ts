// Prints what VMs add to this process beside their RAM, as the kernel counts it, one line of JSON.
//   node --expose-gc memory-child.js COUNT RAM_BYTES REPEATS
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { KIB, MIB, PAGE_BYTES } from '../../base/units.js';
import type { NativeVm } from '../../native/contract.js';
import { createVm } from '../engine.js';

const [count = 1, ramBytes = MIB, repeats = 1] = process.argv.slice(2).map(Number);

function readKib(path: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync(path, 'utf8'))?.[1] ?? 0) * KIB;
}

function readMemory() {
  globalThis.gc?.();
  return {
    rss: readKib('/proc/self/smaps_rollup', 'Rss'),
    pss: readKib('/proc/self/smaps_rollup', 'Pss'),
    anonymous: readKib('/proc/self/smaps_rollup', 'Pss_Anon'),
    pageTables: readKib('/proc/self/status', 'VmPTE'),
  };
}

/** VMs whose marks have been through several epochs: all maps used, all folded. */
async function openWorn(): Promise<NativeVm[]> {
  const vms: NativeVm[] = [];
  for (let i = 0; i < count; i++) vms.push(await createVm({ name: `bench-${i}`, ramBytes }));
  const steps = Math.max(100_000, (4 * ramBytes) / PAGE_BYTES);
  for (let epoch = 1; epoch <= 4; epoch++) {
    for (const vm of vms) {
      await vm.runUntil(steps * epoch);
      vm.endEpoch();
    }
  }
  return vms;
}

async function closeAll(vms: readonly NativeVm[]): Promise<void> {
  for (const vm of vms) vm.close();
  await sleep(50);
}

// What the first VM makes for all (pool threads, arenas, compiled code) is no VM's.
await closeAll([await createVm({ ramBytes: MIB })]);
await closeAll(await openWorn());

const samples = [];
for (let i = 0; i < repeats; i++) {
  await sleep(20);
  const before = readMemory();
  const vms = await openWorn();
  await sleep(20);
  const after = readMemory();
  const grown = (key: keyof typeof before) => Math.round((after[key] - before[key]) / count);
  samples.push({
    pssBesideRamBytes: grown('pss') - ramBytes,
    rssBesideRamBytes: grown('rss') - ramBytes,
    anonymousBytes: grown('anonymous'),
    pageTableBytes: grown('pageTables'),
  });
  await closeAll(vms);
}
process.stdout.write(`${JSON.stringify(samples)}\n`);
