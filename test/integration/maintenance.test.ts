import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EmulatedVm, type Host, type MaintenanceEvent, type Vm } from 'standstill';
import { afterEach, describe, expect, it } from 'vitest';
import { expectToRun, runningHost } from '../fixtures/hosts.js';
import { patchPath } from '../fixtures/patches.js';

let host: Host;
afterEach(() => host.close());

async function start(...programs: string[]): Promise<Vm[]> {
  const running = await runningHost(programs);
  host = running.host;
  return running.vms;
}

const VM_KEYS = [
  'name',
  'program',
  'ramBytes',
  'memory',
  'digestBefore',
  'digestAfter',
  'bytesRead',
  'stepsBefore',
  'stepsAfter',
  'invariantsOk',
  'blackoutNs',
  'phases',
  'clockLagBeforeNs',
  'clockLagAfterNs',
  'clockBracketNs',
  'resumedBy',
];

it('freezes, patches, resumes and proves', async () => {
  const vms = await start('kv-store', 'queue', 'page-writer', 'ticker');
  const report = await host.applyMaintenance({ patches: [patchPath('writes-file.mjs')], seed: 5, budgetMs: 60_000 });

  expect(report.problems).toEqual([]);
  expect(report).toMatchObject({ schemaVersion: 1, ok: true, seed: 5, budgetMs: 60_000, resumedBy: 'caller' });
  expect(report.patches).toMatchObject([
    { name: 'writes-file', ok: true, status: 'applied', result: { name: 'patched' }, error: null },
  ]);
  expect(existsSync(join(host.directory, 'patched'))).toBe(true);
  for (const vm of report.vms) {
    for (const key of VM_KEYS) expect(vm).toHaveProperty(key);
    expect(vm).toMatchObject({ memory: 'preserved', invariantsOk: true, resumedBy: 'caller', wasRunning: true });
    expect(vm.digestAfter).toMatch(/^[0-9a-f]{16}$/);
    expect(vm.digestAfter).toBe(vm.digestBefore);
    expect(vm.bytesRead).toBe(vm.ramBytes);
    expect(vm.stepsAfter).toBe(vm.stepsBefore);
    expect(vm.phases.patchNs).toBeGreaterThan(0);
    expect(vm.phases.requestNs).toBeGreaterThanOrEqual(0);
    expect(vm.phases.syncNs).toBeGreaterThanOrEqual(0);
  }
  for (const vm of vms) await expectToRun(vm);
});

it('leaves nothing out of the blackout', async () => {
  await start('kv-store', 'idle');
  for (const { blackoutNs, phases } of (await host.applyMaintenance()).vms) {
    expect(phases.haltNs + phases.digestNs + phases.patchNs + phases.resumeNs).toBe(blackoutNs);
    expect(blackoutNs).toBeGreaterThan(0);
  }
});

it('reports one JSON shape', async () => {
  await start('ticker');
  const report = await host.applyMaintenance({ patches: [patchPath('common-js.cjs')] });
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

it('goes through its phases in order, with the VMs frozen from the freeze to the release', async () => {
  const [vm] = await start('kv-store');
  const seen: [string, string | undefined][] = [];
  const onEvent = (event: MaintenanceEvent) => {
    if (event.type === 'phase') seen.push([event.phase, vm?.state]);
  };
  await host.applyMaintenance({ patches: [patchPath('writes-file.mjs')], onEvent });
  expect(seen).toEqual([
    ['quiesce', 'running'],
    ['freeze', 'running'],
    ['digest-at-halt', 'paused'],
    ['patch', 'paused'],
    ['digest-at-release', 'paused'],
    ['release', 'running'],
    ['clock-sync', 'running'],
    ['digest-after-release', 'running'],
    ['check', 'running'],
    ['done', 'running'],
  ]);
});

it('runs the patches in the order given, one after the other, and tells their progress', async () => {
  await start('idle');
  const events: MaintenanceEvent[] = [];
  const patch = (name: string) => ({ module: patchPath('writes-file.mjs'), name, options: { name } });
  const report = await host.applyMaintenance({
    patches: [patch('first'), patch('second')],
    onEvent: (event) => void events.push(event),
  });
  expect(events.filter(({ type }) => type !== 'phase')).toEqual([
    { type: 'patch-progress', patch: 'first', progress: 0, message: 'writing' },
    { type: 'patch-progress', patch: 'first', progress: 1 },
    { type: 'patch-end', patch: 'first', ok: true, durationNs: expect.any(Number) },
    { type: 'patch-progress', patch: 'second', progress: 0, message: 'writing' },
    { type: 'patch-progress', patch: 'second', progress: 1 },
    { type: 'patch-end', patch: 'second', ok: true, durationNs: expect.any(Number) },
  ]);
  const [first, second] = report.patches;
  expect(first?.startedAfterNs).toBeGreaterThanOrEqual(0);
  expect(second?.startedAfterNs).toBeGreaterThanOrEqual((first?.startedAfterNs ?? 0) + (first?.durationNs ?? 0));
});

it('a VM that its user had paused stays paused, and its memory is proven too', async () => {
  const [running, paused] = await start('kv-store', 'kv-store');
  paused?.pause();
  const report = await host.applyMaintenance();
  expect(report.ok).toBe(true);
  expect(report.vms[1]).toMatchObject({ wasRunning: false, memory: 'preserved', blackoutNs: 0, invariantsOk: true });
  expect(paused?.state).toBe('paused');
  if (running !== undefined) await expectToRun(running);
});

it('memory is right after the resume: the guest goes on to where an uninterrupted twin gets', async () => {
  host = (await runningHost([])).host;
  const options = { program: 'kv-store', memory: '1 MiB', seed: 11 };
  using twin = await EmulatedVm.create(options);
  await twin.runUntil(3_000_000);
  const vm = await host.createVm(options);
  const reached = vm.runUntil(3_000_000);
  for (let count = 0; count < 3; count += 1) expect((await host.applyMaintenance()).ok).toBe(true);
  await reached;
  expect((await vm.digest()).value).toBe((await twin.digest()).value);
  expect(vm.registers()).toEqual(twin.registers());
});

it('maintains only the VMs that it is given', async () => {
  const [first, second] = await start('kv-store', 'kv-store');
  if (first === undefined || second === undefined) throw new Error('no VMs');
  const report = await host.applyMaintenance({ vms: [second] });
  expect(report.vms.map((vm) => vm.name)).toEqual([second.name]);
});

describe('the proof', () => {
  it('deferred: all of it is read, and little of it in the freeze', async () => {
    const [vm] = await start('ticker');
    const report = await host.applyMaintenance();
    expect(report).toMatchObject({ ok: true, proof: 'deferred' });
    expect(report.vms[0]).toMatchObject({ memory: 'preserved', bytesRead: vm?.ramBytes, changedPages: null });
    expect(report.vms[0]?.bytesReadInFreeze).toBeLessThan(vm?.ramBytes ?? 0);
  });

  it('deferred: its digests are those of a full proof at the same step', async () => {
    const [vm] = await start('kv-store');
    vm?.pause();
    const [deferred, full] = [
      await host.applyMaintenance({ proof: 'deferred' }),
      await host.applyMaintenance({ proof: 'full' }),
    ];
    expect(deferred.vms[0]?.digestBefore).toBe(full.vms[0]?.digestBefore);
    expect(deferred.vms[0]?.digestAfter).toBe(full.vms[0]?.digestAfter);
    expect(full.vms[0]?.bytesReadInFreeze).toBe(2 * (vm?.ramBytes ?? 0));
  });

  it('sampled: reads a seeded share and says how much', async () => {
    await start('kv-store');
    const report = await host.applyMaintenance({ proof: 'sampled', sampleShare: 0.25, seed: 3 });
    const [vm] = report.vms;
    expect(report).toMatchObject({ ok: true, proof: 'sampled' });
    expect(vm?.memory).toBe('preserved');
    expect(vm?.bytesRead).toBeGreaterThan(0);
    expect(vm?.bytesRead).toBeLessThan(vm?.ramBytes ?? 0);
  });

  it('none: nothing is read, and nothing is claimed', async () => {
    await start('kv-store');
    const report = await host.applyMaintenance({ proof: 'none' });
    expect(report).toMatchObject({ ok: false, problems: ['kv-store-1: memory is unproven'] });
    expect(report.vms[0]).toMatchObject({ memory: 'unproven', digestBefore: null, digestAfter: null, bytesRead: 0 });
    expect(report.vms[0]?.phases.digestNs).toBe(0);
  });

  it('is skipped at the release where it does not fit into the budget, which is then kept', async () => {
    await start('kv-store');
    // Half of it is gone before the patches, and so the reservation is more than the rest.
    let isFirst = true;
    const report = await host.applyMaintenance({
      budgetMs: 3000,
      proof: 'full',
      onEvent: (event) => {
        if (event.type !== 'phase' || event.phase !== 'digest-at-halt' || !isFirst) return;
        isFirst = false;
        const until = performance.now() + 1900;
        while (performance.now() < until);
      },
    });
    expect(report.vms[0]).toMatchObject({ memory: 'unproven', digestAfter: null });
    expect(report.vms[0]?.digestBefore).toMatch(/^[0-9a-f]{16}$/);
    expect(report.ok).toBe(false);
  });
});

describe('the negative control', () => {
  it.each(['deferred', 'full'] as const)(
    'one flipped bit of a frozen VM, %s: not preserved, and the page is named',
    async (proof) => {
      await start('kv-store', 'kv-store');
      const report = await host.applyMaintenance({
        proof,
        faults: [{ kind: 'flip-bit', vm: 'kv-store-2', gpa: 0x5123, bit: 3 }],
      });
      expect(report.ok).toBe(false);
      expect(report.vms[0]?.memory).toBe('preserved');
      expect(report.vms[1]).toMatchObject({
        memory: 'changed',
        changedPages: { count: 1, firstPage: 5, firstGpa: 0x5000 },
      });
      expect(report.problems[0]).toBe('kv-store-2: memory changed in 1 page, first page 5 (0x5000)');
    },
  );

  it.each([
    { vm: 'nobody', gpa: 0, bit: 0 },
    { vm: 'idle-1', gpa: 1024 ** 2, bit: 0 },
    { vm: 'idle-1', gpa: 0, bit: 8 },
    { vm: 'idle-1', gpa: 0.5, bit: 0 },
  ])('refuses %j before anything is frozen', async (fault) => {
    const [vm] = await start('idle');
    await expect(host.applyMaintenance({ faults: [{ kind: 'flip-bit', ...fault }] })).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
    expect(vm?.stats().clock.pausedTotalNs).toBe(0);
  });
});

describe('the clock', () => {
  it('lags by the pause, and no longer after the synchronisation', async () => {
    await start('kv-store');
    const { vms } = await host.applyMaintenance({ patches: [patchPath('writes-file.mjs')] });
    expect(vms[0]?.syncedBy).toBe('step');
    expect(Math.abs(vms[0]?.clockLagAfterNs ?? Number.NaN)).toBeLessThan(vms[0]?.clockLagBeforeNs ?? 0);
  });

  it('control: keeps the lag where it is not synchronised', async () => {
    await start('kv-store');
    const { vms } = await host.applyMaintenance({ clockSync: { mode: 'off' } });
    expect(vms[0]).toMatchObject({ syncedBy: 'off' });
    expect(vms[0]?.clockLagAfterNs).toBeGreaterThan(0);
  });

  it('hides the pauses from a ticker to the nanosecond, however often it is frozen', async () => {
    const [vm] = await start('ticker');
    for (let count = 0; count < 5; count += 1) {
      const { vms, problems } = await host.applyMaintenance();
      expect(problems).toEqual([]);
      expect(vms[0]?.ticker).toMatchObject({ exact: true });
      expect(vms[0]?.ticker?.hiddenNs).toBe(vms[0]?.ticker?.pausedNs);
      expect(vms[0]?.ticker?.trueGapMaxNs).toBeGreaterThanOrEqual(vms[0]?.blackoutNs ?? Number.NaN);
    }
    if (vm !== undefined) await expectToRun(vm);
  });
});

it('walks no invariants where it is not asked to', async () => {
  await start('kv-store');
  const report = await host.applyMaintenance({ check: false });
  expect(report).toMatchObject({ ok: true, vms: [{ invariantsOk: null }] });
});

it('one at a time: a second one is refused, and the first goes on', async () => {
  await start('kv-store');
  const first = host.applyMaintenance({ patches: [patchPath('writes-file.mjs')] });
  await expect(host.applyMaintenance()).rejects.toMatchObject({ code: 'ERR_MAINTENANCE_ACTIVE' });
  expect((await first).ok).toBe(true);
  expect((await host.applyMaintenance()).ok).toBe(true);
});

it('is cancelled by its host, whoever began it: its VMs run again', async () => {
  expect({ is: host.isUnderMaintenance, was: host.cancelMaintenance() }).toEqual({ is: false, was: false });
  const [vm] = await start('kv-store');
  const maintenance = host.applyMaintenance({
    patches: [patchPath('waits.mjs')],
    onEvent: (event) => {
      if (event.type === 'phase' && event.phase === 'patch') {
        expect(host.isUnderMaintenance).toBe(true);
        expect(host.cancelMaintenance()).toBe(true);
      }
    },
  });
  await expect(maintenance).rejects.toMatchObject({ code: 'ERR_ABORTED', message: 'The maintenance was cancelled' });
  if (vm !== undefined) await expectToRun(vm);
  expect(host.cancelMaintenance()).toBe(false);
});

it('a VM that is closed in the middle leaves its memory unproven, and the others are maintained', async () => {
  const [vm, other] = await start('kv-store', 'kv-store');
  const report = await host.applyMaintenance({
    patches: [patchPath('writes-file.mjs')],
    onEvent: (event) => {
      if (event.type === 'phase' && event.phase === 'patch') vm?.close();
    },
  });
  expect(report.vms.map(({ memory }) => memory)).toEqual(['unproven', 'preserved']);
  expect(report.vms[0]?.invariantsOk).toBeNull();
  if (other !== undefined) await expectToRun(other);
});

it.each([
  [{ budgetMs: 0 }, 'ERR_INVALID_OPTION'],
  [{ budgetMs: '30s' }, 'ERR_INVALID_OPTION'],
  [null, 'ERR_INVALID_OPTION'],
  [{ proof: 'all' }, 'ERR_INVALID_OPTION'],
  [{ patches: 'x' }, 'ERR_INVALID_OPTION'],
  [{ patches: [5] }, 'ERR_INVALID_OPTION'],
  [{ signal: {} }, 'ERR_INVALID_OPTION'],
  [{ onEvent: 1 }, 'ERR_INVALID_OPTION'],
  [{ sampleShare: 0 }, 'ERR_INVALID_OPTION'],
  [{ budget: 1 }, 'ERR_UNKNOWN_OPTION'],
  [{ patch: [] }, 'ERR_UNKNOWN_OPTION'],
])('refuses %j, and freezes nothing', async (options, code) => {
  const [vm] = await start('kv-store');
  await expect(host.applyMaintenance(options as object)).rejects.toMatchObject({ code });
  expect(vm?.stats().clock.pausedTotalNs).toBe(0);
});

it('of a closed VM is refused', async () => {
  const [vm, other] = await start('kv-store', 'idle');
  if (vm === undefined || other === undefined) throw new Error('no VMs');
  vm.close();
  await expect(host.applyMaintenance({ vms: [vm, other] })).rejects.toMatchObject({ code: 'ERR_VM_CLOSED' });
  expect((await host.applyMaintenance()).vms.map(({ name }) => name)).toEqual([other.name]);
});
