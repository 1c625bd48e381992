// Each proof is shown to fail: the control build of the addon (npm test's stage `controls` makes it) carries one
// deliberate defect for each of them.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { Proof } from 'standstill';
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

const NAMES = ['flip-ram', 'drop-mark', 'skip-handover', 'lose-step', 'clock-runs', 'skip-audit'] as const;
afterEach(() => {
  for (const name of NAMES) setControl(name, false);
});

/** The proofs that read all of memory. */
const PROOFS = ['deferred', 'full'] as const;

async function maintain(program: string, proof: Proof, memory = '1 MiB') {
  await using host = await library.Host.create();
  const vm = await host.createVm({ program, memory });
  vm.start();
  await expect.poll(() => vm.stats().steps).toBeGreaterThan(0);
  const report = await host.applyMaintenance({ proof });
  const [first] = report.vms;
  if (first === undefined) throw new Error('the report has no VM');
  return { report, vm: first };
}

const twinRuns = () =>
  library.verifyDeterminism({ program: 'queue', memory: '1 MiB', seed: 7, steps: 10_000_000, pauses: 5 });

describe.each(PROOFS)('a bit of frozen RAM that flips, with a %s proof', (proof) => {
  it('turns the memory proof red, with the page named', async () => {
    expect((await maintain('kv-store', proof)).vm.memory).toBe('preserved');
    setControl('flip-ram', true);
    const { report, vm } = await maintain('kv-store', proof);
    expect(vm.memory).toBe('changed');
    expect(vm.changedPages).toMatchObject({ count: 1, firstPage: 128 });
    expect(report.ok).toBe(false);
  });
});

describe('a page that the guest writes without handing it over', () => {
  it('turns a deferred proof red: it reads what was written after the release', async () => {
    expect((await maintain('page-writer', 'deferred', '16 MiB')).vm.memory).toBe('preserved');
    setControl('skip-handover', true);
    // Whether the guest comes to a page before its reader does is chance; there are 4,096 of them each time.
    const isRed = async () => {
      const { report, vm } = await maintain('page-writer', 'deferred', '16 MiB');
      return vm.memory === 'changed' && !report.ok;
    };
    await expect.poll(isRed, { timeout: 25_000 }).toBe(true);
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

  // No proof of memory can see it: what is in RAM was preserved, and is that of a step before.
  it('turns the twin run of a maintenance with a deferred proof red', async () => {
    const equalsTwin = async (losesSteps: boolean) => {
      await using host = await library.Host.create();
      const options = { program: 'queue', memory: '1 MiB', seed: 7 };
      const vm = await host.createVm(options);
      vm.start();
      await expect.poll(() => vm.stats().steps).toBeGreaterThan(1000);
      setControl('lose-step', losesSteps);
      expect((await host.applyMaintenance({ proof: 'deferred' })).vms[0]?.memory).toBe('preserved');
      // A guest that waits for a processor has lost none yet.
      const { steps } = vm.stats();
      await expect.poll(() => vm.stats().steps).toBeGreaterThan(steps);
      setControl('lose-step', false);
      vm.pause();
      using twin = await library.EmulatedVm.create(options);
      await twin.runUntil(vm.stats().steps);
      return (await vm.digest()).value === (await twin.digest()).value;
    };
    expect(await equalsTwin(false)).toBe(true);
    expect(await equalsTwin(true)).toBe(false);
  });
});

describe.each(PROOFS)('a guest clock that runs on through a pause, with a %s proof', (proof) => {
  it("turns the ticker's equality red", async () => {
    expect((await maintain('ticker', proof)).vm.ticker?.exact).toBe(true);
    setControl('clock-runs', true);
    const { report, vm } = await maintain('ticker', proof);
    expect(vm.ticker?.exact).toBe(false);
    expect(report.ok).toBe(false);
  });
});

describe('a write without its mark', () => {
  const endOf = (dropMark: boolean, act: string) =>
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
         ${act};
         await host.close();`,
      ],
      {
        encoding: 'utf8',
        env: { ...process.env, STANDSTILL_ADDON: ADDON },
        cwd: resolve(import.meta.dirname, '../..'),
      },
    );

  it.each([
    ['an epoch', 'vm.endEpoch()'],
    ['a maintenance with a deferred proof', "await host.applyMaintenance({ proof: 'deferred' })"],
  ])('makes the audit of the marks end the process at %s, with the page named', (_, act) => {
    expect(endOf(false, act)).toMatchObject({ status: 0, stderr: '' });
    const broken = endOf(true, act);
    expect(broken.signal).toBe('SIGABRT');
    expect(broken.stderr).toMatch(/audit: page \d+ changed without its mark/);
  });

  it('turns a deferred proof red by itself, where there is no audit', async () => {
    setControl('skip-audit', true);
    expect((await maintain('page-writer', 'deferred')).vm.memory).toBe('preserved');
    setControl('drop-mark', true);
    const { report, vm } = await maintain('page-writer', 'deferred');
    expect(vm.memory).toBe('changed');
    expect(report.ok).toBe(false);
  });
});
