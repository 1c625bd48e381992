// P12: from a snapshot file to the first step of a guest that goes on from it: the file opened and loaded, a VM made
// of it, one step. The file is in the page cache.
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GIB, loadLibrary, MIB } from '../addon.mjs';
import { dirty, freeSnapshots, PAGE_BYTES, sizeName, timed } from '../guest.mjs';
import { LatencySeries } from '../histogram.mjs';
import { caseResult, inTurns } from '../results.mjs';

/** An eager load takes a good part of a second a GiB, a lazy one a thousandth of it: as many of a round as fit. */
const ROUND_NS = 250e6;
const PER_ROUND_MAX = 60;

async function writeFile(library, path, ramBytes) {
  const vm = await library.EmulatedVm.create({
    program: 'page-writer',
    memory: ramBytes,
    params: { pattern: 'sequential' },
  });
  await dirty(vm, ramBytes / PAGE_BYTES);
  const snapshot = await vm.snapshot();
  vm.close();
  await snapshot.save(path);
  return snapshot.steps;
}

export const restoreFile = {
  name: 'restore-file',
  promise: 'P12',
  summary: 'snapshot file of 1 GiB → first guest step, by clone and by restore; limit: mapping such a file',
  async run({ limits, quick }) {
    const { library, missing } = await loadLibrary();
    if (library === undefined) throw new Error(`Expected the library for the case restore-file but ${missing}`);
    const ramBytes = quick ? 64 * MIB : GIB;
    const rounds = quick ? 2 : 20;
    const host = await library.Host.create();
    const folder = await mkdtemp(join(tmpdir(), 'standstill-bench-'));
    const path = join(folder, 'vm.snap');
    const series = { clone: new LatencySeries(), restore: new LatencySeries() };
    const load = new LatencySeries();
    const mapping = new LatencySeries();
    const reading = new LatencySeries();
    try {
      const steps = await writeFile(library, path, ramBytes);
      await freeSnapshots();
      const make = {
        clone: async (snapshot) => (await host.clone(snapshot, 1))[0],
        restore: async (snapshot) => await host.restore(snapshot),
      };
      const firstStep = async (way) => {
        const loaded = await timed(() => library.VmSnapshot.load(path));
        const made = await timed(async () => {
          const vm = await make[way](loaded.value);
          await vm.runUntil(steps + 1);
          return vm;
        });
        made.value.close();
        return { loadNs: loaded.ns, wholeNs: loaded.ns + made.ns };
      };
      const sides = Object.keys(make).map((way) => async ({ warmUp }) => {
        let spentNs = 0;
        for (let i = 0; i < PER_ROUND_MAX && spentNs < ROUND_NS; i++) {
          const { loadNs, wholeNs } = await firstStep(way);
          spentNs += wholeNs;
          await freeSnapshots();
          if (warmUp) continue;
          load.record(loadNs);
          series[way].record(wholeNs);
        }
      });
      sides.push(async ({ warmUp }) => {
        const { ns } = await timed(() => readFile(path));
        if (!warmUp) reading.record(ns);
        const mapped = limits && (await limits.ask('map', 20, ramBytes / MIB));
        if (mapped && !warmUp) mapping.recordAll(mapped.elapsedNs);
      });
      await inTurns(rounds, sides);
      const { size } = await stat(path);
      return Object.keys(make).map((way) =>
        caseResult({
          name: `restore-file ${sizeName(ramBytes)} by ${way}`,
          promise: 'P12',
          ours: series[way].summary(),
          limit: limits && { name: 'mapping a file in memory and reading its first page', summary: mapping.summary() },
          peer: { name: 'reading the file into a buffer (fs.readFile)', summary: reading.summary() },
          target: { text: 'p50 ≤ 5 ms', atMost: { p50: 5e6 } },
          details: { fileBytes: size, loadAlone: load.summary() },
        }),
      );
    } finally {
      await host.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
};
