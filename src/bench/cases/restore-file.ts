// P12: from a snapshot file to the first step of a guest that goes on from it: the file opened and loaded, a VM made
// of it, one step. The file is in the page cache.
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatBytes, GIB, MIB, PAGE_BYTES } from '../../base/units.js';
import { Host } from '../../host/host.js';
import { VmSnapshot } from '../../snapshot/snapshot.js';
import { EmulatedVm } from '../../vm/emulated-vm.js';
import type { Vm } from '../../vm/vm.js';
import type { BenchCase, Side } from '../case.js';
import { dirty, freeSnapshots } from '../guest.js';
import { timed } from '../wait.js';

/** An eager load takes a good part of a second a GiB, a lazy one a thousandth of it: as many of a round as fit. */
const ROUND_NS = 250e6;
const PER_ROUND_MAX = 60;

async function writeSnapshot(path: string, memory: number): Promise<number> {
  using vm = await EmulatedVm.create({ program: 'page-writer', memory, params: { pattern: 'sequential' } });
  await dirty(vm, memory / PAGE_BYTES);
  const snapshot = await vm.snapshot();
  await snapshot.save(path);
  return snapshot.steps;
}

export const restoreFile: BenchCase = {
  name: 'restore-file',
  promise: 'P12',
  summary: 'snapshot file of 1 GiB → first guest step, by clone and by restore; limit: mapping such a file',
  params: ['memoryBytes'],
  seconds: 60,
  async run({ limits, quick, params, latencies, inTurns }) {
    const ramBytes = params.memoryBytes ?? (quick ? 64 * MIB : GIB);
    const rounds = quick ? 2 : 20;
    const folder = await mkdtemp(join(tmpdir(), 'standstill-bench-'));
    const path = join(folder, 'vm.snap');
    const load = latencies();
    const mapping = latencies();
    const reading = latencies();
    await using host = await Host.create();
    const ways = [
      { name: 'clone', series: latencies(), make: async (from: VmSnapshot) => (await host.clone(from, 1))[0] },
      { name: 'restore', series: latencies(), make: async (from: VmSnapshot) => await host.restore(from) },
    ];
    try {
      const steps = await writeSnapshot(path, ramBytes);
      await freeSnapshots();
      const firstStep = async (make: (from: VmSnapshot) => Promise<Vm | undefined>) => {
        const loaded = await timed(() => VmSnapshot.load(path));
        const made = await timed(async () => {
          const vm = await make(loaded.value);
          await vm?.runUntil(steps + 1);
          return vm;
        });
        made.value?.close();
        return { loadNs: loaded.ns, wholeNs: loaded.ns + made.ns };
      };
      const sides = ways.map(
        ({ make, series }): Side =>
          async ({ warmUp }) => {
            let spentNs = 0;
            for (let i = 0; i < PER_ROUND_MAX && spentNs < ROUND_NS; i++) {
              const { loadNs, wholeNs } = await firstStep(make);
              spentNs += wholeNs;
              await freeSnapshots();
              if (warmUp) continue;
              load.record(loadNs);
              series.record(wholeNs);
            }
          },
      );
      sides.push(async ({ warmUp }) => {
        const { ns } = await timed(() => readFile(path));
        const mapped = await limits?.ask('map', 20, ramBytes / MIB);
        if (warmUp) return;
        reading.record(ns);
        mapping.recordAll(mapped?.elapsedNs ?? []);
      });
      await inTurns(rounds, sides);
      const { size } = await stat(path);
      return ways.map(({ name, series }) => ({
        title: `restore-file ${formatBytes(ramBytes)} by ${name}`,
        params: { ramBytes },
        ours: series,
        limit: { name: 'mapping a file in memory and reading its first page', series: mapping },
        peers: [
          { name: 'reading the file into a buffer (fs.readFile)', series: reading, differs: 'no VM is made of it' },
        ],
        target: { text: 'p50 ≤ 5 ms', atMost: { p50: 5e6 } },
        details: { fileBytes: size, loadAlone: load.summary() },
      }));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
