import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { Host, type HostOptions } from 'standstill';
import { afterEach, describe, expect, it } from 'vitest';
import { expectToRun, runningHost } from '../fixtures/hosts.js';

const open: Host[] = [];
afterEach(async () => {
  for (const host of open.splice(0)) await host.close();
});

async function createHost(options?: HostOptions): Promise<Host> {
  const host = await Host.create(options);
  open.push(host);
  return host;
}

async function hostWith(...programs: string[]) {
  const running = await runningHost(programs);
  open.push(running.host);
  return running;
}

const code = (name: string) => expect.objectContaining({ code: name });

describe('its VMs', () => {
  it('have names of their own, are listed, and leave the list when closed', async () => {
    const { host, vms } = await hostWith('queue', 'queue');
    expect(vms.map((vm) => vm.name)).toEqual(['queue-1', 'queue-2']);
    vms[0]?.close();
    expect(host.vms.map((vm) => vm.name)).toEqual(['queue-2']);
  });

  it('cannot have the same name, not even when they are created at once', async () => {
    const host = await createHost();
    const create = () => host.createVm({ name: 'a', program: 'idle', memory: '1 MiB' });
    const outcomes = await Promise.allSettled([create(), create()]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await expect(create()).rejects.toThrow(/a name that no VM of this host has but received 'a'/);
    expect(host.vms).toHaveLength(1);
  });

  it('cannot have more RAM together than the machine has', async () => {
    const host = await createHost();
    const halves = Math.floor(totalmem() / 2 / 4096 + 1) * 4096;
    if (halves > 64 * 1024 ** 3) return;
    await host.createVm({ program: 'idle', memory: halves });
    await expect(host.createVm({ program: 'idle', memory: halves })).rejects.toThrow(/RAM of all VMs of a host/);
  });
});

describe('its folder', () => {
  it('is a temporary one, which close removes', async () => {
    const host = await createHost();
    expect(existsSync(host.directory)).toBe(true);
    await host.close();
    expect(existsSync(host.directory)).toBe(false);
  });

  it("is the user's where one is given, and stays", async () => {
    const parent = await mkdtemp(join(tmpdir(), 'standstill-test-'));
    const host = await createHost({ directory: join(parent, 'host') });
    await host.close();
    expect(existsSync(host.directory)).toBe(true);
    await rm(parent, { recursive: true });
  });
});

describe('closing', () => {
  it('closes the VMs, and is idempotent', async () => {
    const { host, vms } = await hostWith('queue');
    await Promise.all([host.close(), host.close()]);
    host[Symbol.dispose]();
    expect(vms[0]?.state).toBe('closed');
    await expect(host.createVm({ program: 'queue' })).rejects.toThrow(code('ERR_HOST_CLOSED'));
    expect(() => host.freeze()).toThrow(code('ERR_HOST_CLOSED'));
    await expect(host.applyMaintenance()).rejects.toThrow(code('ERR_HOST_CLOSED'));
  });

  it('closes a VM whose creation was under way', async () => {
    const host = await createHost();
    const creation = host.createVm({ program: 'idle', memory: '64 MiB', prefault: true });
    await host.close();
    await expect(creation).rejects.toThrow(code('ERR_HOST_CLOSED'));
  });
});

describe('freeze', () => {
  it('halts every VM until its scope is left, and restores what they were before', async () => {
    const { host, vms } = await hostWith('kv-store', 'queue');
    const [running, paused] = vms;
    if (running === undefined || paused === undefined) throw new Error('no VMs');
    const created = await host.createVm({ program: 'idle', memory: '1 MiB' });
    paused.pause();
    {
      using scope = host.freeze();
      expect(host.vms.map((vm) => vm.state)).toEqual(['paused', 'paused', 'created']);
      expect(scope.released).toBe(false);
      expect(scope.remainingNs).toBeGreaterThan(0);
      expect((await running.digest()).bytesRead).toBe(running.ramBytes);
      expect(scope.records().map((record) => record.wasRunning)).toEqual([true, false, false]);
    }
    await expectToRun(running);
    expect(paused.state).toBe('paused');
    expect(created.state).toBe('created');
  });

  it('releases when the scope is left by a throw', async () => {
    const { host, vms } = await hostWith('queue');
    expect(() => {
      using _scope = host.freeze();
      throw new Error('deliberate');
    }).toThrow('deliberate');
    for (const vm of vms) await expectToRun(vm);
  });

  it('synchronises the clocks before `await using` goes on', async () => {
    const { host, vms } = await hostWith('queue');
    let records: ReturnType<ReturnType<Host['freeze']>['records']>;
    {
      await using scope = host.freeze({ vms });
      scope.release();
      await scope.settled();
      records = scope.records();
    }
    expect(records[0]).toMatchObject({ resumedBy: 'caller', syncedBy: 'step' });
    expect(records[0]?.syncedAtNs).toBeGreaterThan(0n);
    expect(records[0]?.resumedAtNs).toBeGreaterThan(0n);
  });

  it('is ended by its deadline', async () => {
    const { host, vms } = await hostWith('queue');
    using scope = host.freeze({ budgetMs: 20 });
    await scope.settled();
    expect(scope.released).toBe(true);
    expect(scope.remainingNs).toBeLessThan(0);
    expect(scope.records()[0]?.resumedBy).toBe('deadline');
    for (const vm of vms) await expectToRun(vm);
  });

  it('holds its VMs: nobody else starts, resumes, runs or freezes them', async () => {
    const { host, vms } = await hostWith('queue');
    const [vm] = vms;
    if (vm === undefined) throw new Error('no VM');
    using _scope = host.freeze();
    expect(() => vm.resume()).toThrow(code('ERR_BUSY'));
    expect(() => host.freeze()).toThrow(code('ERR_BUSY'));
    await expect(vm.runUntil(2 ** 50)).rejects.toThrow(code('ERR_BUSY'));
    await expect(host.applyMaintenance()).rejects.toThrow(code('ERR_BUSY'));
    expect(vm.state).toBe('paused');
  });

  it.each([
    [{ budgetMs: 0 }, 'ERR_INVALID_OPTION'],
    [{ budgetMs: Number.NaN }, 'ERR_INVALID_OPTION'],
    [{ vms: [] }, 'ERR_INVALID_OPTION'],
    [{ vms: 'all' }, 'ERR_INVALID_OPTION'],
    [{ vms: [{}] }, 'ERR_INVALID_OPTION'],
    [{ budget: 1 }, 'ERR_UNKNOWN_OPTION'],
    [{ clockSync: { mode: 'jump' } }, 'ERR_INVALID_OPTION'],
    [{ clockSync: { delay: 1 } }, 'ERR_UNKNOWN_OPTION'],
  ])('refuses %j, and freezes nothing', async (options, expected) => {
    const { host, vms } = await hostWith('queue');
    expect(() => host.freeze(options as object)).toThrow(code(expected));
    for (const vm of vms) await expectToRun(vm);
  });

  it("refuses another host's VM, a VM twice, and a host without VMs", async () => {
    const { host, vms } = await hostWith('queue');
    const other = await hostWith('queue');
    const empty = await createHost();
    expect(() => host.freeze({ vms: other.vms })).toThrow(/VMs of this host for a freeze but received 'queue-1'/);
    expect(() => host.freeze({ vms: [...vms, ...vms] })).toThrow(/received one twice/);
    expect(() => empty.freeze()).toThrow(/received none/);
  });
});

it.each([
  [{ patchGraceMs: -1 }, 'ERR_INVALID_OPTION'],
  [{ patchHeapBytes: '1 MiB' }, 'ERR_INVALID_OPTION'],
  [{ patchResidentBytes: 'much' }, 'ERR_INVALID_OPTION'],
  [{ directory: '' }, 'ERR_INVALID_OPTION'],
  [{ folder: '.' }, 'ERR_UNKNOWN_OPTION'],
])('refuses %j', async (options, expected) => {
  await expect(Host.create(options as object)).rejects.toThrow(code(expected));
});
