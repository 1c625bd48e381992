import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { defineBench, loadBenches } from '../../../src/bench/define.js';
import { openLoop } from '../../../src/bench/open-loop.js';
import { runBench } from '../../../src/bench/run.js';
import { Series } from '../../../src/bench/series.js';

const folder = mkdtempSync(join(tmpdir(), 'standstill-define-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { signal } = new AbortController();
const latencies = () => new Series('latencies', { turn: 1, atMs: 0 });

describe('defineBench', () => {
  it('gives a case its host and running VMs, and measures what it does with them', async () => {
    process.env.STANDSTILL_BENCH_PROGRAMS = folder; // no native program is needed, so none is built
    const one = defineBench({
      name: 'own',
      summary: 'freezes two VMs',
      vms: [
        { program: 'queue', memory: '1MiB' },
        { program: 'ticker', memory: '1MiB' },
      ],
      async run({ host, vms, latencies, inTurns }) {
        expect(vms.map(({ state }) => state)).not.toContain('created');
        const series = latencies();
        await inTurns(5, [
          () => {
            const from = performance.now();
            host.freeze({ vms }).release();
            series.record((performance.now() - from) * 1e6);
          },
        ]);
        return [{ title: 'own freeze', ours: series }];
      },
    });
    const { metrics } = await runBench({ cases: [one], quick: true, params: {}, signal });
    expect(metrics.map(({ name, measurement }) => [name, measurement.summary.samples])).toEqual([['own/freeze', 6]]);
  });

  it('refuses what is none', () => {
    const run = async () => [];
    expect(() => defineBench({ name: 'Own Case', summary: '', run })).toThrow(/lower-case letters.*'Own Case'/);
    expect(() => defineBench({ name: 'own', summary: '', run, vm: [] } as never)).toThrow(/Unknown option 'vm'/);
  });

  it('is found in a file by its default export, and nothing else is', async () => {
    const source = pathToFileURL(join(import.meta.dirname, '../../../dist/bench/define.js')).href;
    const write = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const definition = `defineBench({ name: 'own', summary: '', run: async () => [] })`;
    const good = write('good.mjs', `import { defineBench } from '${source}'; export default [${definition}];`);
    expect((await loadBenches(good)).map(({ name }) => name)).toEqual(['own']);
    const bad = write('bad.mjs', `export default { name: 'own', summary: '', run: async () => [] };`);
    await expect(loadBenches(bad)).rejects.toThrow(/Expected what defineBench answers/);
    await expect(loadBenches(join(folder, 'none.mjs'))).rejects.toThrow(/none\.mjs does not load/);
  });
});

describe('an open loop', () => {
  const plan = { ratePerSecond: 200, durationMs: 400, signal };

  it('makes every request of a standstill wait for its end, not only the one under way', async () => {
    const series = latencies();
    const stoodMs = 200;
    let until = 0;
    let asked = 0;
    await openLoop(plan, series, async () => {
      asked += 1;
      if (asked === 20) until = performance.now() + stoodMs;
      while (performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 1));
    });
    const { distribution } = series.measurement();
    const values = distribution.kind === 'samples' ? distribution.values : [];
    expect(values).toHaveLength(80);
    // About 40 were due meanwhile; the later ones waited less.
    expect(values.filter((ns) => ns > (stoodMs / 2) * 1e6).length).toBeGreaterThanOrEqual(15);
  });

  it('rejects with what an operation rejects with, and where it is aborted', async () => {
    const failing = openLoop(plan, latencies(), () => Promise.reject(new Error('refused')));
    await expect(failing).rejects.toThrow('refused');
    const aborted = openLoop({ ...plan, signal: AbortSignal.abort() }, latencies(), async () => {});
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  });
});
