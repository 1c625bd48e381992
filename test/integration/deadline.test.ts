import type { Host, MaintenanceEvent, MaintenanceOptions, Vm } from 'standstill';
import { afterEach, expect, it } from 'vitest';
import { expectToRun, retryWhereNoneHalts, runningHost } from '../fixtures/hosts.js';
import { patchPath } from '../fixtures/patches.js';

let host: Host;
afterEach(() => host.close());

async function startOne(): Promise<Vm> {
  const running = await runningHost(['kv-store']);
  host = running.host;
  const [vm] = running.vms;
  if (vm === undefined) throw new Error('no VM');
  return vm;
}

const BUDGET_MS = 200;
const BLOCKED_MS = 3000;

const apply = (options: MaintenanceOptions) => retryWhereNoneHalts(() => host.applyMaintenance(options));

/** Blocks the event loop, and returns how far the guest got meanwhile. */
function blockEventLoop(vm: Vm): { stepsFirst: number; stepsLast: number } {
  const stepsFirst = vm.stats().steps;
  const until = performance.now() + BLOCKED_MS;
  let stepsLast = stepsFirst;
  while (performance.now() < until) stepsLast = vm.stats().steps;
  return { stepsFirst, stepsLast };
}

it('the deadline releases the VMs while the event loop is blocked', async () => {
  const vm = await startOne();
  let blocked = { stepsFirst: 0, stepsLast: 0 };
  const onEvent = (event: MaintenanceEvent) => {
    if (event.type === 'phase' && event.phase === 'patch') blocked = blockEventLoop(vm);
  };
  const report = await apply({ budgetMs: BUDGET_MS, proof: 'full', onEvent });

  expect(blocked.stepsLast).toBeGreaterThan(blocked.stepsFirst);
  expect(report).toMatchObject({ ok: false, resumedBy: 'deadline', budgetKept: false, budgetMs: BUDGET_MS });
  expect(report.vms[0]).toMatchObject({ resumedBy: 'deadline', memory: 'unproven', digestAfter: null });
  expect(report.vms[0]?.stepsBefore).toBe(report.vms[0]?.stepsAfter);
  expect(report.vms[0]?.blackoutNs).toBeGreaterThanOrEqual(BUDGET_MS * 1e6 * 0.9);
  const { haltNs = 0, digestNs = 0, patchNs = 0, resumeNs = 0 } = report.vms[0]?.phases ?? {};
  expect(haltNs + digestNs + patchNs + resumeNs).toBe(report.vms[0]?.blackoutNs);
  await expectToRun(vm);
});

it('a deferred proof holds where the deadline was first: it reads memory as it stood at the release', async () => {
  const vm = await startOne();
  const onEvent = (event: MaintenanceEvent) => {
    if (event.type === 'phase' && event.phase === 'patch') blockEventLoop(vm);
  };
  const report = await apply({ budgetMs: BUDGET_MS, onEvent });
  expect(report).toMatchObject({ ok: false, resumedBy: 'deadline' });
  expect(report.vms[0]).toMatchObject({ memory: 'preserved', bytesRead: vm.ramBytes });
  expect(report.vms[0]?.digestAfter).toBe(report.vms[0]?.digestBefore);
});

it('a patch that is started after the release is skipped', async () => {
  const vm = await startOne();
  const onEvent = (event: MaintenanceEvent) => {
    if (event.type === 'phase' && event.phase === 'patch') blockEventLoop(vm);
  };
  const report = await apply({ budgetMs: BUDGET_MS, onEvent, patches: [patchPath('writes-file.mjs')] });
  expect(report.patches).toMatchObject([{ ok: false, status: 'skipped', error: { code: 'ERR_PATCH_SKIPPED' } }]);
});

it('a patch that was done only after the release does not count', async () => {
  const vm = await startOne();
  const onEvent = (event: MaintenanceEvent) => {
    if (event.type === 'patch-progress') blockEventLoop(vm);
  };
  const slow = { module: patchPath('slow-after-progress.mjs'), options: { durationMs: BLOCKED_MS / 2 } };
  const report = await apply({ budgetMs: BUDGET_MS, onEvent, patches: [slow] });
  expect(report).toMatchObject({ ok: false, resumedBy: 'deadline' });
  expect(report.patches).toMatchObject([{ ok: false, status: 'cancelled', error: { code: 'ERR_PATCH_BUDGET' } }]);
});

it('a patch that hangs is cancelled in time for the closing digest, and the budget is kept', async () => {
  const vm = await startOne();
  const report = await host.applyMaintenance({ budgetMs: 5000, patches: [patchPath('waits.mjs')] });
  expect(report).toMatchObject({ ok: false, resumedBy: 'caller', budgetKept: true });
  expect(report.vms[0]?.memory).toBe('preserved');
  expect(report.patches).toMatchObject([{ status: 'cancelled', error: { code: 'ERR_PATCH_BUDGET' } }]);
  await expectToRun(vm);
});
