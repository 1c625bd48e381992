import { setTimeout as sleep } from 'node:timers/promises';
import { Host, type Vm } from 'standstill';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectToRun, startedVm } from '../fixtures/hosts.js';

let host: Host;
let vm: Vm;
beforeEach(async () => {
  host = await Host.create();
  vm = await startedVm(host, { program: 'kv-store' });
});
afterEach(() => host.close());

describe('whileFrozen', () => {
  it('has the VMs frozen when it returns its promise, and lets them run when the callback has returned', async () => {
    const frozen = host.whileFrozen(vm, () => vm.state);
    expect(vm.state).toBe('paused');
    const report = await frozen;
    expect(report).toMatchObject({ proof: 'full', resumedBy: 'caller', budgetMs: 30_000 });
    expect(report.vms).toMatchObject([{ name: vm.name, kind: 'emulated', memory: 'preserved', wasRunning: true }]);
    await expectToRun(vm);
  });

  it('has its blackout in phases that add up to it', async () => {
    const { vms } = await host.whileFrozen([vm], () => sleep(20));
    const { haltNs = 0, digestNs = 0, patchNs = 0, resumeNs = 0 } = vms[0]?.phases ?? {};
    expect(haltNs + digestNs + patchNs + resumeNs).toBe(vms[0]?.blackoutNs);
    expect(patchNs).toBeGreaterThanOrEqual(19e6);
  });

  it('shows memory that changed, and that a bit flipped back did not', async () => {
    const flipped = await host.whileFrozen(vm, () => vm.flipBit(0x5123, 3));
    expect(flipped.vms).toMatchObject([
      { memory: 'changed', changedPages: { count: 1, firstPage: 5, bytes: { gpa: 0x5110 } } },
    ]);
    const { atHalt = '', atRelease = '' } = flipped.vms[0]?.changedPages?.bytes ?? {};
    expect(atHalt).toHaveLength(2 * 48);
    const differing = [...(atHalt.match(/../g) ?? [])].flatMap((byte, at) =>
      byte === atRelease.slice(2 * at, 2 * at + 2) ? [] : [at],
    );
    expect(differing).toEqual([0x5123 - 0x5110]);
    const undone = await host.whileFrozen(vm, ({ defer }) => {
      vm.flipBit(0x5123, 3);
      defer(() => vm.flipBit(0x5123, 3));
    });
    expect(undone.vms).toMatchObject([{ memory: 'preserved', changedPages: null }]);
  });

  it.each([
    ['it was not asked for', { keepBytes: false }, undefined],
    ['there is no room for it', {}, '2 MiB'],
  ])('does without the bytes where %s', async (_, options, snapshotBytes) => {
    await using own = await Host.create({ snapshotBytes });
    const large = await startedVm(own, { program: 'page-writer', memory: '16 MiB' });
    await expect
      .poll(() => large.stats().dirtyPagesTotal + large.stats().steps, { timeout: 20_000 })
      .toBeGreaterThan(100_000);
    const { vms } = await own.whileFrozen(large, () => large.flipBit(0, 0), options);
    expect(vms).toMatchObject([{ memory: 'changed', changedPages: { count: 1, firstPage: 0, bytes: null } }]);
  });

  it('reads nothing with proof none', async () => {
    const { vms } = await host.whileFrozen(vm, () => vm.flipBit(0x5123, 3), { proof: 'none' });
    expect(vms).toMatchObject([{ memory: 'unproven', bytesReadInFreeze: 0 }]);
  });

  it('leaves a VM paused that its user had paused', async () => {
    vm.pause();
    const { vms } = await host.whileFrozen(vm, () => {});
    expect(vms).toMatchObject([{ wasRunning: false, blackoutNs: 0 }]);
    expect(vm.state).toBe('paused');
  });
});

describe('whatever leaves it', () => {
  it.each(['throws', 'rejects'])(
    'a callback that %s: VMs run, all is undone last first, its error comes out',
    async (how) => {
      const undone: string[] = [];
      const outcome = host.whileFrozen(vm, ({ defer }) => {
        defer(() => undone.push(`first, ${vm.state}`));
        defer(() => undone.push(`second, ${vm.state}`));
        if (how === 'throws') throw new Error('of the callback');
        return Promise.reject(new Error('of the callback'));
      });
      await expect(outcome).rejects.toThrow(/^of the callback$/);
      expect(undone).toEqual(['second, paused', 'first, paused']);
      await expectToRun(vm);
    },
  );

  it('a callback that hangs: the deadline releases, all is undone, its signal aborts', async () => {
    const undone: string[] = [];
    let signal: AbortSignal | undefined;
    const outcome = host.whileFrozen(
      vm,
      (frozen) => {
        signal = frozen.signal;
        frozen.defer(() => undone.push('undone'));
        return new Promise(() => {});
      },
      { budgetMs: 1500 },
    );
    await expect(outcome).rejects.toMatchObject({ code: 'ERR_CALLBACK_TIMEOUT' });
    expect(undone).toEqual(['undone']);
    expect(signal?.aborted).toBe(true);
    await expectToRun(vm);
  });

  it('a callback that blocks the event loop beyond the deadline: it is told, and the VMs ran meanwhile', async () => {
    const outcome = host.whileFrozen(
      vm,
      () => {
        const until = performance.now() + 1600;
        while (performance.now() < until);
      },
      { budgetMs: 1500 },
    );
    await expect(outcome).rejects.toMatchObject({ code: 'ERR_CALLBACK_TIMEOUT' });
    await expectToRun(vm);
  });

  it('an undoing that fails keeps none of the others from their turn, and is told beside the error', async () => {
    const undone: string[] = [];
    const outcome = host.whileFrozen(vm, ({ defer }) => {
      defer(() => undone.push('undone'));
      defer(() => Promise.reject(new Error('cannot be undone')));
      throw new Error('of the callback');
    });
    await expect(outcome).rejects.toMatchObject({
      name: 'AggregateError',
      message: 'of the callback; and then: cannot be undone',
    });
    expect(undone).toEqual(['undone']);
    await expectToRun(vm);
  });

  it('an undoing alone that fails is told, and the VMs run', async () => {
    const outcome = host.whileFrozen(vm, ({ defer }) => defer(() => Promise.reject(new Error('cannot be undone'))));
    await expect(outcome).rejects.toThrow(/^cannot be undone$/);
    await expectToRun(vm);
  });

  it('a host that is closed meanwhile: nothing hangs, and memory is unproven', async () => {
    const report = await host.whileFrozen(vm, () => host.close());
    expect(report.vms).toMatchObject([{ memory: 'unproven' }]);
  });
});

it.each([
  ['no VM', [], {}, 'ERR_INVALID_OPTION'],
  ['what is no VM', [{ name: 'nobody' }], {}, 'ERR_INVALID_OPTION'],
  ['an unknown option', undefined, { duration: 5 }, 'ERR_UNKNOWN_OPTION'],
  ['a bad budget', undefined, { budgetMs: 0 }, 'ERR_INVALID_OPTION'],
  ['a bad proof', undefined, { proof: 'deferred' }, 'ERR_INVALID_OPTION'],
])('refuses %s, and calls nothing', async (_, vms, options, code) => {
  let calls = 0;
  const act = () => {
    calls += 1;
  };
  // @ts-expect-error: bad input is the point
  await expect(host.whileFrozen(vms ?? [vm], act, options)).rejects.toMatchObject({ code });
  expect(calls).toBe(0);
  expect(vm.state).toMatch(/running|idle/);
});
