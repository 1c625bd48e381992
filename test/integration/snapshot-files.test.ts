import { statSync } from 'node:fs';
import { join } from 'node:path';
import {
  compactSnapshotFiles,
  diffSnapshotFiles,
  EmulatedVm,
  Host,
  inspectSnapshotFile,
  VmSnapshot,
  verifySnapshotFile,
} from 'standstill';
import { describe, expect, it } from 'vitest';
import { withTemporaryFolder } from '../fixtures/cli.js';
import { snapshotAt, snapshotsAt } from '../fixtures/snapshots.js';

const SOUND = { ok: true, damage: undefined };

async function expectSame(a: VmSnapshot, b: VmSnapshot): Promise<void> {
  expect(await a.id).toBe(await b.id);
  expect(await a.digest()).toBe(await b.digest());
  expect(await a.diff(b)).toEqual([]);
  expect(a.registers()).toEqual(b.registers());
  const told = ({
    vmName,
    program,
    params,
    seed,
    ramBytes,
    steps,
    guestMonotonicNs,
    guestWallNs,
    takenAt,
  }: VmSnapshot) => ({
    ...{ vmName, program, params, seed, ramBytes, steps, guestMonotonicNs, guestWallNs, takenAt },
  });
  expect(told(a)).toEqual(told(b));
}

describe.each([{ compress: false }, { compress: true }])('saved with %o', (options) => {
  it.each(['page-writer', 'kv-store', 'queue', 'hash-chain', 'ticker', 'idle'])('%s comes back', async (program) => {
    await withTemporaryFolder(async ({ path, entries }) => {
      const saved = await snapshotAt(program === 'idle' ? 10 : 20_000, { program });
      const file = join(path, 'a.snap');
      await saved.save(file, options);
      expect(entries()).toEqual(['a.snap']);
      expect(await verifySnapshotFile(file)).toEqual(SOUND);
      const loaded = await VmSnapshot.load(file);
      expect(loaded.cost).toBeUndefined();
      await expectSame(loaded, saved);
    });
  });

  it('a chain of differential files comes back, each by its bases', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const [a, b, c] = (await snapshotsAt([5000, 6000, 7000])) as [VmSnapshot, VmSnapshot, VmSnapshot];
      const [fileA, fileB, fileC] = ['a', 'b', 'c'].map((name) => join(path, name)) as [string, string, string];
      await a.save(fileA, options);
      await b.save(fileB, { ...options, base: a });
      await c.save(fileC, { ...options, base: b });
      for (const file of [fileA, fileB, fileC]) expect(await verifySnapshotFile(file)).toEqual(SOUND);
      expect(statSync(fileC).size).toBeLessThan(statSync(fileA).size);
      await expectSame(await VmSnapshot.load(fileC, { bases: [fileA, fileB] }), c);
      await expectSame(await VmSnapshot.load(fileC, { bases: [fileB, fileA, fileC] }), c);
      await expectSame(await VmSnapshot.load(fileC, { bases: [a, fileB] }), c);
      await expectSame(await VmSnapshot.load(fileC, { bases: [a, b] }), c);

      const folded = join(path, 'folded');
      const info = await compactSnapshotFiles([fileB, fileC, fileA], folded, options);
      expect(info).toMatchObject({ id: await c.id, baseId: undefined, compressed: options.compress });
      await expectSame(await VmSnapshot.load(folded), c);
      expect(await diffSnapshotFiles(fileC, folded)).toEqual([]);
      expect(await diffSnapshotFiles(fileA, fileC)).toEqual(await a.diff(c));
    });
  });
});

it('a file tells what is in it', async () => {
  await withTemporaryFolder(async ({ path }) => {
    const [a, b] = (await snapshotsAt([2000, 2500], { program: 'kv-store' })) as [VmSnapshot, VmSnapshot];
    await a.save(join(path, 'a'));
    await b.save(join(path, 'b'), { base: a });
    const [ofA, ofB] = [await inspectSnapshotFile(join(path, 'a')), await inspectSnapshotFile(join(path, 'b'))];
    expect(ofB).toMatchObject({
      path: join(path, 'b'),
      formatVersion: 1,
      id: await b.id,
      baseId: await a.id,
      compressed: false,
      fileBytes: statSync(join(path, 'b')).size,
      digest: await b.digest(),
      vmName: 'vm',
      program: 'kv-store',
      params: b.params,
      seed: 7n,
      ramBytes: 2 * 1024 ** 2,
      steps: 2500,
      takenAt: b.takenAt,
    });
    const { zeroPages } = a.usage();
    expect(ofA.pages).toEqual({ zero: zeroPages, shared: 0, private: 512 - zeroPages, dirty: 0 });
    const dirty = (await b.diff(a)).reduce((sum, { pageCount }) => sum + pageCount, 0);
    expect(ofB.pages).toMatchObject({ private: 0, dirty });
    expect(ofB.pages.zero + ofB.pages.shared).toBe(512 - dirty);
    expect(ofB.pageKinds).toHaveLength(512);
  });
});

it('a file takes the place of what was there', async () => {
  await withTemporaryFolder(async ({ path, entries }) => {
    const [a, b] = (await snapshotsAt([1000, 2000])) as [VmSnapshot, VmSnapshot];
    await a.save(join(path, 'same'));
    await b.save(join(path, 'same'));
    expect(entries()).toEqual(['same']);
    await expectSame(await VmSnapshot.load(join(path, 'same')), b);
  });
});

it('a VM that is rolled back to a loaded snapshot runs as the first one did', async () => {
  await withTemporaryFolder(async ({ path }) => {
    const options = { program: 'kv-store', memory: '2 MiB', seed: 7 };
    const [at1000, at9000] = (await snapshotsAt([1000, 9000], options)) as [VmSnapshot, VmSnapshot];
    await at1000.save(join(path, 'a'), { compress: true });
    using vm = await EmulatedVm.create({ ...options, seed: 8 });
    await vm.runUntil(3000);
    await vm.rollback(await VmSnapshot.load(join(path, 'a')));
    await vm.runUntil(9000);
    expect((await vm.digest()).value).toBe(await at9000.digest());
  });
});

it("a host's snapshots are loaded under its cap", async () => {
  await withTemporaryFolder(async ({ path }) => {
    const [small, large] = [
      await snapshotAt(2000, { program: 'kv-store' }),
      await snapshotAt(20_000, { program: 'page-writer', memory: '20 MiB' }),
    ];
    await small.save(join(path, 'small'));
    await large.save(join(path, 'large'));
    await using host = await Host.create({ snapshotBytes: '4 MiB' });
    const loaded = await host.loadSnapshot(join(path, 'small'), { lazy: false });
    expect(host.snapshotMemory.heldBytes).toBeGreaterThan(0);
    await expect(host.loadSnapshot(join(path, 'large'), { lazy: false })).rejects.toMatchObject({
      code: 'ERR_SNAPSHOT_LIMIT',
    });
    await expectSame(loaded, small);
    await host.close();
    await expect(host.loadSnapshot(join(path, 'small'))).rejects.toMatchObject({ code: 'ERR_HOST_CLOSED' });
  });
});

it('ten times the RAM, most of it zero, takes no ten times the room', async () => {
  await withTemporaryFolder(async ({ path }) => {
    const options = { program: 'queue', params: { workingSet: '1 MiB' } };
    await (await snapshotAt(20_000, { ...options, memory: '20 MiB' })).save(join(path, 'a'));
    const onDiskBytes = statSync(join(path, 'a')).blocks * 512;
    expect(statSync(join(path, 'a')).size).toBeGreaterThan(20 * 1024 ** 2);
    expect(onDiskBytes).toBeLessThan(3 * 1024 ** 2);
    expect(await verifySnapshotFile(join(path, 'a'))).toEqual(SOUND);
  });
});
