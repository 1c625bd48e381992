// VMs that begin at a snapshot: copies, and clones that share its memory.
import { describe, expect, test } from 'vitest';
import { Host, type Vm, type VmSnapshot } from '../../src/index.js';

const STEP = 20_000;

async function sourceOn(host: Host, memory = '4 MiB'): Promise<{ source: Vm; snapshot: VmSnapshot }> {
  const source = await host.createVm({ name: 'source', program: 'kv-store', memory, seed: 3 });
  await source.runUntil(STEP);
  return { source, snapshot: await source.snapshot() };
}

async function digestAt(vm: Vm, step: number): Promise<bigint> {
  await vm.runUntil(step);
  expect(await vm.check()).toMatchObject({ ok: true });
  return (await vm.digest()).value;
}

describe('restore', () => {
  test('a copy goes on as its source does, on this host and on another', async () => {
    await using host = await Host.create();
    await using elsewhere = await Host.create();
    const { source, snapshot } = await sourceOn(host);
    const later = await digestAt(source, 2 * STEP);
    for (const each of [host, elsewhere]) {
      const vm = await each.restore(snapshot, { name: 'copy' });
      expect(vm).toMatchObject({ name: 'copy', state: 'paused', program: 'kv-store', ramBytes: 4 * 2 ** 20 });
      expect(vm.stats().steps).toBe(STEP);
      expect((await vm.digest()).value).toBe(await snapshot.digest());
      expect(await digestAt(vm, 2 * STEP)).toBe(later);
      expect(each.vms).toContain(vm);
    }
  });

  // A snapshot tells its parameters as numbers, and a choice's number was refused.
  test('of a program with a parameter that is a choice', async () => {
    await using host = await Host.create();
    const source = await host.createVm({ program: 'page-writer', memory: '1 MiB', params: { pattern: 'zipfian' } });
    const snapshot = await source.snapshot();
    expect((await host.restore(snapshot)).program).toBe('page-writer');
    expect((await host.clone(snapshot, 2)).length).toBe(2);
  });

  test('with a seed, chance goes another way', async () => {
    await using host = await Host.create();
    const { snapshot } = await sourceOn(host);
    const digests = new Set<bigint>();
    for (const seed of [undefined, 7, 8, 7n]) {
      using vm = await host.restore(snapshot, { seed });
      digests.add(await digestAt(vm, 2 * STEP));
    }
    expect(digests.size).toBe(3);
  });

  test('refuses what is no snapshot, a name that is taken, an unknown option and a closed host', async () => {
    const host = await Host.create();
    const { snapshot } = await sourceOn(host);
    await expect(host.restore({} as VmSnapshot)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    await expect(host.restore(snapshot, { name: 'source' })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    await expect(host.restore(snapshot, { nam: 'x' } as never)).rejects.toMatchObject({
      code: 'ERR_UNKNOWN_OPTION',
      message: "Unknown option 'nam' for a restore; did you mean 'name'?",
    });
    await host.close();
    await expect(host.restore(snapshot)).rejects.toMatchObject({ code: 'ERR_HOST_CLOSED' });
  });
});

describe('clone', () => {
  test('each goes on by itself, with a name and a generation of its own', async () => {
    await using host = await Host.create();
    const { source, snapshot } = await sourceOn(host);
    const clones = await host.clone(snapshot, 5, { name: 'worker' });
    expect(clones.map(({ name }) => name)).toEqual(['worker-1', 'worker-2', 'worker-3', 'worker-4', 'worker-5']);
    expect(new Set([source, ...clones].map(({ generationId }) => generationId)).size).toBe(6);
    expect(snapshot.usage().imagePages).toBeGreaterThan(0);
    source.close();
    const [first, ...others] = clones as [Vm, ...Vm[]];
    const later = await digestAt(first, 2 * STEP);
    for (const vm of others) {
      expect((await vm.digest()).value).toBe(await snapshot.digest());
      expect(await digestAt(vm, 2 * STEP)).toBe(later);
    }
  });

  test('with a seed, each goes another way, and the same one as a copy with its seed', async () => {
    await using host = await Host.create();
    const { snapshot } = await sourceOn(host);
    const clones = await host.clone(snapshot, 3, { seed: 2n ** 64n - 2n });
    const digests = await Promise.all(clones.map((vm) => digestAt(vm, 2 * STEP)));
    expect(new Set(digests).size).toBe(3);
    using copy = await host.restore(snapshot, { seed: 0 });
    expect(await digestAt(copy, 2 * STEP)).toBe(digests[2]);
  });

  test('a maintenance of all of them finds their memory unchanged', async () => {
    await using host = await Host.create();
    const { snapshot } = await sourceOn(host);
    for (const vm of await host.clone(snapshot, 8)) vm.resume();
    const report = await host.applyMaintenance();
    expect(report.ok).toBe(true);
    expect(report.vms.length).toBe(9);
  });

  test('all of them are created, or none', async () => {
    await using host = await Host.create();
    const { snapshot } = await sourceOn(host);
    await host.createVm({ name: 'worker-3', program: 'queue', memory: '1 MiB' });
    await expect(host.clone(snapshot, 5, { name: 'worker' })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    expect(host.vms.map(({ name }) => name)).toEqual(['source', 'worker-3']);
    for (const count of [0, -1, 1.5, Number.NaN, 100_001, '3' as never])
      await expect(host.clone(snapshot, count)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    await expect(host.clone(snapshot, 2, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    expect(host.vms.length).toBe(2);
  });

  test("no room under the host's cap leaves the source as it was", async () => {
    await using host = await Host.create({ snapshotBytes: '2 MiB' });
    const source = await host.createVm({ program: 'page-writer', memory: '1 MiB' });
    await source.runUntil(STEP);
    const snapshot = await source.snapshot();
    const before = host.snapshotMemory;
    await expect(host.clone(snapshot, 1)).rejects.toMatchObject({ code: 'ERR_SNAPSHOT_LIMIT' });
    expect(host.snapshotMemory).toEqual(before);
    expect(host.vms).toEqual([source]);
    expect((await source.digest()).value).toBe(await snapshot.digest());
  });
});

test('a rollback and an exploration give a VM a new generation', async () => {
  await using host = await Host.create();
  const { source, snapshot } = await sourceOn(host);
  const generations = new Set([source.generationId]);
  await source.rollback(snapshot);
  generations.add(source.generationId);
  await source.explore(snapshot, { runs: 2, steps: 10 });
  generations.add(source.generationId);
  expect(generations.size).toBe(3);
});
