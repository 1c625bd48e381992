// Each proof is shown to fail: the control build of the addon (npm test's stage `controls` makes it) carries one
// deliberate defect for each of them.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';

const ADDON = resolve(import.meta.dirname, '../../build-controls/Release/standstill_controls.node');

type Library = typeof import('standstill');
let library: Library;
let setControl: (name: string, enabled: boolean) => void;

beforeAll(async () => {
  process.env.STANDSTILL_ADDON = ADDON;
  library = await import('standstill');
  setControl = createRequire(import.meta.url)(ADDON).setControl;
});

const NAMES = ['flip-ram', 'lose-step', 'clock-runs'] as const;
afterEach(() => {
  for (const name of NAMES) setControl(name, false);
});

async function maintain(program: string) {
  await using host = await library.Host.create();
  const vm = await host.createVm({ program, memory: '1 MiB' });
  vm.start();
  const report = await host.applyMaintenance();
  const [first] = report.vms;
  if (first === undefined) throw new Error('the report has no VM');
  return { report, vm: first };
}

const twinRuns = () =>
  library.verifyDeterminism({ program: 'queue', memory: '1 MiB', seed: 7, steps: 10_000_000, pauses: 5 });

describe('a bit of frozen RAM that flips', () => {
  it('turns the memory proof red, with the page named', async () => {
    expect((await maintain('kv-store')).vm.memory).toBe('preserved');
    setControl('flip-ram', true);
    const { report, vm } = await maintain('kv-store');
    expect(vm.memory).toBe('changed');
    expect(vm.changedPages).toMatchObject({ count: 1, firstPage: 128 });
    expect(report.ok).toBe(false);
  });
});

describe('a step that is lost over a pause', () => {
  it('turns the twin-run proof red', async () => {
    const { ok, runs } = await twinRuns();
    expect(ok).toBe(true);
    expect(runs[1]?.pausesTaken).toBeGreaterThan(0);
    setControl('lose-step', true);
    expect((await twinRuns()).ok).toBe(false);
  });
});

describe('a guest clock that runs on through a pause', () => {
  it("turns the ticker's equality red", async () => {
    expect((await maintain('ticker')).vm.ticker?.exact).toBe(true);
    setControl('clock-runs', true);
    const { report, vm } = await maintain('ticker');
    expect(vm.ticker?.exact).toBe(false);
    expect(report.ok).toBe(false);
  });
});

describe('a write without its mark', () => {
  const endEpochs = (dropMark: boolean) =>
    spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `import { createRequire } from 'node:module';
         import { Host } from 'standstill';
         createRequire('/')(process.env.STANDSTILL_ADDON).setControl('drop-mark', ${dropMark});
         const host = await Host.create();
         const vm = await host.createVm({ program: 'page-writer', memory: '1 MiB' });
         await vm.runUntil(10_000);
         vm.endEpoch();
         await host.close();`,
      ],
      {
        encoding: 'utf8',
        env: { ...process.env, STANDSTILL_ADDON: ADDON },
        cwd: resolve(import.meta.dirname, '../..'),
      },
    );

  it('makes the audit of the marks end the process, with the page named', () => {
    expect(endEpochs(false)).toMatchObject({ status: 0, stderr: '' });
    const broken = endEpochs(true);
    expect(broken.signal).toBe('SIGABRT');
    expect(broken.stderr).toMatch(/audit: page \d+ changed without its mark/);
  });
});
