// Snapshots that stay in their file, and VMs that run on a mapping of it.
import { copyFileSync, renameSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { constants, type NodeGCPerformanceDetail, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Host, inspectSnapshotFile, VmSnapshot, verifySnapshotFile } from 'standstill';
import { describe, expect, it } from 'vitest';
import { withTemporaryFolder } from '../fixtures/cli.js';
import { crc64, snapshotAt } from '../fixtures/snapshots.js';

const STEP = 20_000;
const GUEST = { program: 'kv-store', memory: '4 MiB' };
const LOST = { code: 'ERR_MEMORY_LOST', message: expect.stringMatching(/^Expected a file that stays as it was/) };

async function withFile(use: (file: string, saved: VmSnapshot) => Promise<void>): Promise<void> {
  await withTemporaryFolder(async ({ path }) => {
    const saved = await snapshotAt(STEP, GUEST);
    const file = join(path, 'a.snap');
    await saved.save(file);
    await use(file, saved);
  });
}

async function overwrite(file: string, offset: number, byte: number): Promise<void> {
  const opened = await open(file, 'r+');
  await opened.write(Buffer.from([byte]), 0, 1, offset);
  await opened.close();
}

/** The first byte of the first page that is in the file. */
async function firstByteOfData(file: string): Promise<{ offset: number; page: number }> {
  const { fileBytes, ramBytes, pageKinds } = await inspectSnapshotFile(file);
  const page = pageKinds.indexOf(2);
  return { offset: fileBytes - 32 - ramBytes + page * 4096, page };
}

describe('loaded lazily', () => {
  it('a snapshot takes no memory, and is the one that was saved', async () => {
    await withFile(async (file, saved) => {
      await using host = await Host.create();
      const loaded = await host.loadSnapshot(file);
      const { privatePages, zeroPages } = saved.usage();
      const expected = { zeroPages, filePages: privatePages, privatePages: 0, sharedPages: 0, imagePages: 0 };
      expect(loaded.usage()).toEqual(expected);
      expect(await loaded.id).toBe(await saved.id);
      expect(await loaded.digest()).toBe(await saved.digest());
      expect(await crc64(loaded.read(0, loaded.ramBytes))).toBe(await saved.digest());
      expect(await loaded.diff(saved)).toEqual([]);
      expect(host.snapshotMemory.heldBytes).toBe(0);
      const eager = await host.loadSnapshot(file, { lazy: false });
      expect(eager.usage().filePages).toBe(0);
      expect(host.snapshotMemory.heldBytes).toBe(privatePages * 4096);
    });
  });

  it('VMs go on as the VM itself would have, on any host, and leave the file as it is', async () => {
    await withFile(async (file) => {
      const later = await (await snapshotAt(2 * STEP, GUEST)).digest();
      const loaded = await VmSnapshot.load(file, { verify: true });
      await using host = await Host.create();
      const vms = [await host.restore(loaded), await host.restore(loaded, { prefault: true })];
      for (const vm of [...vms, ...(await host.clone(loaded, 3))]) {
        expect((await vm.digest()).value).toBe(await loaded.digest());
        await vm.runUntil(2 * STEP);
        expect((await vm.digest()).value).toBe(later);
        expect(await vm.check()).toMatchObject({ ok: true });
      }
      expect(await verifySnapshotFile(file)).toMatchObject({ ok: true });
    });
  });

  it('what is taken of a VM on it costs what was written, and goes back, is explored and saved', async () => {
    await withFile(async (file, saved) => {
      await using host = await Host.create();
      const loaded = await host.loadSnapshot(file);
      const vm = await host.restore(loaded);
      await vm.runUntil(STEP + 50);
      const next = await vm.snapshot();
      expect(next.cost?.pagesCopied).toBeLessThanOrEqual(200);
      expect(next.usage().filePages).toBeGreaterThan(0);
      await vm.rollback(loaded);
      expect((await vm.digest()).value).toBe(await saved.digest());
      const explored = await vm.explore(loaded, { runs: 20, steps: 100 });
      expect(explored).toMatchObject({ runs: 20, findingsTotal: 0 });
      await next.save(file, { base: loaded }); // in the place of its own base
      const [clone] = await host.clone(next, 1);
      expect((await clone?.digest())?.value).toBe(await next.digest());
    });
  });

  it('a file that is renamed, replaced or removed is held', async () => {
    await withFile(async (file, saved) => {
      const loaded = await VmSnapshot.load(file);
      const moved = `${file}.moved`;
      renameSync(file, moved);
      writeFileSync(file, 'something else');
      await saved.save(moved, { compress: true });
      rmSync(moved);
      expect(await loaded.digest()).toBe(await saved.digest());
    });
  });

  it('a maintenance proves the memory of a VM on it', async () => {
    await withFile(async (file) => {
      await using host = await Host.create();
      const vm = await host.restore(await host.loadSnapshot(file));
      vm.resume();
      const report = await host.applyMaintenance();
      expect(report).toMatchObject({ ok: true, vms: [{ memory: 'preserved' }] });
    });
  });
});

describe('a file with an altered byte', () => {
  it('is refused with verify, and else where its page is read', async () => {
    await withFile(async (file, saved) => {
      const { offset, page } = await firstByteOfData(file);
      const byte = saved.read(page * 4096, 1)[0] as number;
      await overwrite(file, offset, byte ^ 1);
      const damage = { what: `a damaged page ${page}`, offset };
      const damaged = { code: 'ERR_SNAPSHOT_DAMAGED', cause: damage };
      await expect(VmSnapshot.load(file, { verify: true })).rejects.toMatchObject(damaged);
      const loaded = await VmSnapshot.load(file);
      const found = { code: 'ERR_SNAPSHOT_DAMAGED', cause: { ...damage, what: expect.stringContaining(damage.what) } };
      await expect(loaded.digest()).rejects.toMatchObject(found);
      await expect(loaded.id).rejects.toMatchObject(found);
      await expect(loaded.save(`${file}.copy`)).rejects.toMatchObject(found);
      expect(() => loaded.read(page * 4096, 1)).toThrowError(expect.objectContaining(found));

      // A VM of another origin is not taken to it, and stays as it was.
      await using host = await Host.create();
      const vm = await host.restore(saved);
      await vm.runUntil(STEP + 10);
      const before = (await vm.digest()).value;
      await expect(vm.rollback(loaded)).rejects.toMatchObject(found);
      expect((await vm.digest()).value).toBe(before);
    });
  });
});

describe('a file that does not stay as it was', () => {
  const strikes: [string, (file: string) => void | Promise<void>][] = [
    ['cut', (file) => truncateSync(file, 5000)],
    ['written to', (file) => overwrite(file, 100_000, 0x5a)],
    ['copied over in place', (file) => copyFileSync(process.execPath, file)],
    ['touched', (file) => utimesSync(file, new Date(), new Date(0))],
  ];
  it.each(strikes)('%s: VM and snapshot are told lost, everything else lives', async (_, strike) => {
    await withFile(async (file, saved) => {
      await using host = await Host.create();
      const loaded = await host.loadSnapshot(file);
      const vm = await host.restore(loaded, { name: 'mapped' });
      const safe = await host.restore(saved, { name: 'safe' });
      for (const each of [vm, safe]) each.resume();
      await strike(file);
      vm.pause();
      expect(vm.state).toBe('faulted');
      expect(vm.stats().fault).toMatchObject({ kind: 'memory-lost' });
      for (const work of [
        () => vm.digest(),
        () => vm.check(),
        () => vm.snapshot(),
        () => vm.rollback(saved),
        () => loaded.digest(),
        () => loaded.diff(saved),
        () => saved.diff(loaded),
        () => loaded.save(`${file}.copy`),
        () => loaded.exportRaw(`${file}.raw`),
        () => host.restore(loaded),
        () => host.clone(loaded, 2),
        () => safe.snapshot({ live: true }).then((snapshot) => snapshot.save(`${file}.copy`, { base: loaded })),
      ]) {
        await expect(work()).rejects.toMatchObject(LOST);
      }
      expect(() => vm.read(0, 1)).toThrowError(expect.objectContaining(LOST));
      expect(() => loaded.read(0, 1)).toThrowError(expect.objectContaining(LOST));
      expect(() => vm.resume()).toThrowError(expect.objectContaining({ code: 'ERR_VM_FAULTED' }));
      await expect(vm.runUntil(1e9)).rejects.toMatchObject({ code: 'ERR_VM_FAULTED' });

      const report = await host.applyMaintenance();
      expect(report.vms.find(({ name }) => name === 'safe')).toMatchObject({ memory: 'preserved' });
      expect(report.vms.find(({ name }) => name === 'mapped')).toMatchObject({ memory: 'unproven' });
      expect(report.ok).toBe(false);
      expect(host.vms.map(({ name }) => name)).toEqual(['mapped', 'safe']);
      expect(await safe.snapshot({ live: true }).then((snapshot) => snapshot.digest())).toBeTypeOf('bigint');
    });
  });
});

it.each([{ lazy: 'no' }, { verify: 1 }, { lasy: true }])('load with %j', async (options) => {
  await expect(VmSnapshot.load('a', options as object)).rejects.toMatchObject({
    code: 'lasy' in options ? 'ERR_UNKNOWN_OPTION' : 'ERR_INVALID_OPTION',
  });
});

// Each VM of a gigabyte on a mapping told V8 of so much memory that its first step waited for a whole garbage collection.
it('VMs on a mapping are no reason to collect garbage', async () => {
  await withTemporaryFolder(async ({ path }) => {
    const file = join(path, 'a.snap');
    await (await snapshotAt(10, { program: 'page-writer', memory: '1 GiB' })).save(file);
    await using host = await Host.create();
    const loaded = await host.loadSnapshot(file);
    let collections = 0;
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { detail: NodeGCPerformanceDetail })[]) {
        if (entry.detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections += 1;
      }
    });
    observer.observe({ entryTypes: ['gc'] });
    for (let i = 0; i < 20; i += 1) {
      const vm = await host.restore(loaded);
      await vm.runUntil(loaded.steps + 1);
      vm.close();
    }
    await nextTurn();
    observer.disconnect();
    expect(collections).toBeLessThan(5);
  });
});
