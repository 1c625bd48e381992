import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, HostOptions, MaintenanceReport, PatchSpec, Vm } from 'standstill';
import { afterEach, describe, expect, it } from 'vitest';
import { expectToRun, runningHost } from '../fixtures/hosts.js';
import { patchPath } from '../fixtures/patches.js';

let host: Host;
let vm: Vm;
afterEach(() => host.close());

async function start(options?: HostOptions): Promise<void> {
  const running = await runningHost(['kv-store'], options);
  const [first] = running.vms;
  if (first === undefined) throw new Error('no VM');
  host = running.host;
  vm = first;
}

const apply = (patch: PatchSpec, budgetMs = 30_000): Promise<MaintenanceReport> =>
  host.applyMaintenance({ patches: [patch, patchPath('writes-file.mjs')], budgetMs });

/** Whatever a patch does, the VMs run again with their memory as it was, and the next maintenance works. */
async function expectAllWell(report: MaintenanceReport): Promise<void> {
  expect(report.vms[0]).toMatchObject({ memory: 'preserved', invariantsOk: true, resumedBy: 'caller' });
  expect(report.budgetKept).toBe(true);
  await expectToRun(vm);
  expect((await host.applyMaintenance({ patches: [patchPath('writes-file.mjs')] })).ok).toBe(true);
}

describe('before the freeze, nothing is frozen for', () => {
  it.each([
    ['a module that does not exist', 'no-such-patch.mjs', 'ERR_PATCH_NOT_FOUND'],
    ['a default export that is no function', patchPath('no-function.mjs'), 'ERR_PATCH_INVALID'],
    ['no default export', patchPath('no-default.mjs'), 'ERR_PATCH_INVALID'],
    ['a syntax error', patchPath('syntax-error.mjs'), 'ERR_PATCH_INVALID'],
    ['a module that throws', patchPath('throws-on-load.mjs'), 'ERR_PATCH_INVALID'],
    ['a module that ends its thread', patchPath('exits-on-load.mjs'), 'ERR_PATCH_INVALID'],
  ])('%s', async (_, module, code) => {
    await start();
    await expect(apply(module)).rejects.toMatchObject({ name: 'StandstillError', code });
    expect(vm.stats().clock.pausedTotalNs).toBe(0);
    await expectToRun(vm);
    expect((await host.applyMaintenance({ patches: [patchPath('writes-file.mjs')] })).ok).toBe(true);
  });

  it('a module that never loads, once it is aborted', async () => {
    await start();
    const controller = new AbortController();
    const { signal } = controller;
    const maintenance = host.applyMaintenance({ patches: [patchPath('loops-on-load.mjs')], signal });
    setTimeout(() => controller.abort(), 100);
    await expect(maintenance).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(vm.stats().clock.pausedTotalNs).toBe(0);
  });
});

describe('in the freeze, the patch has failed and the rest is skipped where it', () => {
  it.each([
    ['throws', 'throws.mjs', 'ERR_PATCH_FAILED', /^deliberate$/],
    ['throws outside of its promise', 'throws-later.mjs', 'ERR_PATCH_FAILED', /deliberate, later/],
    ['ends its thread', 'exits.mjs', 'ERR_PATCH_EXITED', /ended its thread/],
    ['returns what is no JSON', 'returns-garbage.mjs', 'ERR_PATCH_FAILED', /circular/i],
  ])('%s', async (_, name, code, message) => {
    await start();
    const report = await apply({ module: patchPath(name), options: {} });
    expect(report.ok).toBe(false);
    expect(report.patches).toMatchObject([
      { ok: false, status: 'failed', result: null, error: { code } },
      { ok: false, status: 'skipped', startedAfterNs: null, error: { code: 'ERR_PATCH_SKIPPED' } },
    ]);
    expect(report.patches[0]?.error?.message).toMatch(message);
    expect(existsSync(join(host.directory, 'patched'))).toBe(false);
    await expectAllWell(report);
  });

  it('returns a BigInt', async () => {
    await start();
    const report = await apply({ module: patchPath('returns-garbage.mjs'), options: { kind: 'bigint' } });
    expect(report.patches[0]?.error).toMatchObject({ code: 'ERR_PATCH_FAILED' });
    await expectAllWell(report);
  });
});

describe('still well', () => {
  it.each([
    ['a patch in CommonJS', 'common-js.cjs', 'from CommonJS'],
    ['a result that JSON leaves out', 'returns-function.mjs', null],
    ['junk on the port', 'posts-junk.mjs', null],
    ['a closed port', 'closes-port.mjs', 'done'],
  ])('%s', async (_, name, result) => {
    await start();
    const report = await host.applyMaintenance({ patches: [patchPath(name)] });
    expect(report).toMatchObject({ ok: true, patches: [{ status: 'applied', result }] });
  });
});

describe('out of budget', () => {
  const BUDGET_MS = 3000;

  it('a patch that stops when it is told to is cancelled', async () => {
    await start();
    const report = await apply(patchPath('waits.mjs'), BUDGET_MS);
    expect(report.patches).toMatchObject([
      { status: 'cancelled', error: { code: 'ERR_PATCH_BUDGET' } },
      { status: 'skipped' },
    ]);
    expect(existsSync(join(host.directory, 'stopped'))).toBe(true);
    await expectAllWell(report);
  });

  it('a patch that gets done within its grace counts', async () => {
    await start();
    const report = await host.applyMaintenance({ patches: [patchPath('finishes-when-told.mjs')], budgetMs: BUDGET_MS });
    expect(report).toMatchObject({ ok: true, patches: [{ status: 'applied', result: 'done after all' }] });
  });

  it.each([
    ['loops in JavaScript', 'loops.mjs'],
    ['listens to nobody', 'ignores-cancellation.mjs'],
  ])('a patch that %s is terminated', async (_, name) => {
    await start({ patchGraceMs: 200 });
    const report = await apply(patchPath(name), BUDGET_MS);
    expect(report.patches).toMatchObject([
      { status: 'cancelled', error: { code: 'ERR_PATCH_BUDGET' } },
      { status: 'skipped' },
    ]);
    expect(host.abandonedThreads).toBe(0);
    // Terminated at the last moment: on a noisy machine the deadline may be first, which memory is proved over as well.
    expect(report.vms[0]?.memory).toBe('preserved');
    await expectToRun(vm);
    expect((await host.applyMaintenance({ patches: [patchPath('writes-file.mjs')] })).ok).toBe(true);
  });

  it('a patch that is blocked in native code is abandoned; its slot is lost until it ends', async () => {
    await start({ patchGraceMs: 50 });
    const fifo = join(host.directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const blocked = { module: patchPath('blocks-natively.mjs'), options: { fifo } };
    try {
      for (let lost = 1; lost <= 4; lost += 1) {
        const report = await apply(blocked, 1000);
        expect(report.patches).toMatchObject([
          { status: 'abandoned', error: { code: 'ERR_PATCH_ABANDONED' } },
          { status: 'skipped' },
        ]);
        expect(report.vms[0]?.memory).toBe('preserved');
        expect(host.abandonedThreads).toBe(lost);
        await expectToRun(vm);
      }
      await expect(apply(blocked)).rejects.toMatchObject({ code: 'ERR_PATCH_ABANDONED' });
    } finally {
      // Lets all of the threads go, so that the test process can end.
      closeSync(openSync(fifo, 'w'));
    }
    await expect.poll(() => host.abandonedThreads, { timeout: 20_000 }).toBe(0);
    expect((await host.applyMaintenance({ patches: [patchPath('writes-file.mjs')] })).ok).toBe(true);
  });
});

describe('out of memory', () => {
  it('a patch whose heap grows without end is terminated', async () => {
    await start({ patchHeapBytes: '32 MiB' });
    const report = await apply(patchPath('eats-heap.mjs'));
    expect(report.patches[0]).toMatchObject({ status: 'failed', error: { code: 'ERR_PATCH_MEMORY' } });
    await expectAllWell(report);
  });

  it('a patch whose buffers grow without end is terminated', async () => {
    await start({ patchResidentBytes: '128 MiB' });
    const report = await apply(patchPath('eats-buffers.mjs'));
    expect(report.patches[0]).toMatchObject({ status: 'failed', error: { code: 'ERR_PATCH_MEMORY' } });
    expect(report.patches[0]?.error?.message).toMatch(/Expected at most 128 MiB of resident memory but it grew by/);
    await expectAllWell(report);
  });
});
