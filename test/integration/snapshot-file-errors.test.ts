import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  compactSnapshotFiles,
  diffSnapshotFiles,
  inspectSnapshotFile,
  type Progress,
  VmSnapshot,
  verifySnapshotFile,
} from 'standstill';
import { describe, expect, it } from 'vitest';
import { withTemporaryFolder } from '../fixtures/cli.js';
import { snapshotAt, snapshotsAt } from '../fixtures/snapshots.js';

const coded = (code: string, message: RegExp) =>
  expect.objectContaining({ name: 'StandstillError', code, message: expect.stringMatching(message) });

describe('a file that cannot be', () => {
  it.each([
    [
      'in a folder that is not there',
      'no/such/folder/a',
      /^Expected a file that can be .* but received ENOENT: .*\(open\)$/,
    ],
    ['below a file', 'file/a', /ENOTDIR/],
    ['in place of a folder', 'folder', /EISDIR: .*\(replace\)$/],
  ])('written: %s', async (_, name, message) => {
    await withTemporaryFolder(async ({ path, entries }) => {
      writeFileSync(join(path, 'file'), '');
      mkdirSync(join(path, 'folder'));
      const snapshot = await snapshotAt(100);
      for (const write of [
        () => snapshot.save(join(path, name)),
        () => snapshot.save(join(path, name), { compress: true }),
        () => snapshot.exportRaw(join(path, name)),
        () => snapshot.exportElf(join(path, name)),
      ]) {
        await expect(write()).rejects.toEqual(coded('ERR_SNAPSHOT_IO', message));
      }
      expect(entries().sort()).toEqual(['file', 'folder']);
    });
  });

  it('read: it is missing, or a folder', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const missing = join(path, 'missing');
      for (const read of [
        () => VmSnapshot.load(missing),
        () => inspectSnapshotFile(missing),
        () => verifySnapshotFile(missing),
        () => diffSnapshotFiles(missing, missing),
        () => compactSnapshotFiles([missing], join(path, 'out')),
      ]) {
        await expect(read()).rejects.toEqual(coded('ERR_SNAPSHOT_IO', /missing but received ENOENT: .*\(open\)$/));
      }
      await expect(VmSnapshot.load(path)).rejects.toEqual(coded('ERR_SNAPSHOT_IO', /EISDIR/));
    });
  });
});

describe('a file that is not as it was written', () => {
  it('is none at all', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const file = join(path, 'a');
      writeFileSync(file, Buffer.alloc(10_000, 'no snapshot '));
      const damage = { what: 'no snapshot file', offset: 0 };
      expect(await verifySnapshotFile(file)).toEqual({ ok: false, damage });
      const error = { code: 'ERR_SNAPSHOT_DAMAGED', cause: damage };
      await expect(VmSnapshot.load(file)).rejects.toMatchObject(error);
      await expect(inspectSnapshotFile(file)).rejects.toMatchObject(error);
    });
  });

  it.each([{ compress: false }, { compress: true }])('saved with %o, says where', async (options) => {
    await withTemporaryFolder(async ({ path }) => {
      const file = join(path, 'a');
      await (await snapshotAt(50_000, { program: 'kv-store' })).save(file, options);
      const whole = readFileSync(file);
      const offset = whole.length - 20_000;
      const altered = Buffer.from(whole);
      altered[offset] = (altered[offset] as number) ^ 1;
      writeFileSync(file, altered);
      const { ok, damage } = await verifySnapshotFile(file);
      expect(ok).toBe(false);
      expect(damage?.what).toMatch(options.compress ? /^a damaged chunk \d+$/ : /^a damaged page \d+$/);
      expect(damage?.offset).toBeLessThanOrEqual(offset);
      expect(damage?.offset).toBeGreaterThan(offset - (options.compress ? 300_000 : 4096));
      for (const how of [{ lazy: false }, { verify: true }]) {
        const error = { code: 'ERR_SNAPSHOT_DAMAGED', cause: damage };
        await expect(VmSnapshot.load(file, how)).rejects.toMatchObject(error);
      }

      writeFileSync(file, whole.subarray(0, offset));
      expect(await verifySnapshotFile(file)).toEqual({
        ok: false,
        damage: { what: `${offset} bytes in place of ${whole.length}`, offset },
      });
    });
  });
});

describe('bases', () => {
  it('that are missing, or others', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const [a, b, c] = (await snapshotsAt([1000, 2000, 3000])) as [VmSnapshot, VmSnapshot, VmSnapshot];
      const file = join(path, 'b');
      await b.save(file, { base: a });
      const without = (received: RegExp) =>
        coded(
          'ERR_SNAPSHOT_MISMATCH',
          new RegExp(`^Expected the base ${id} for .*b among the bases but received ${received.source}$`),
        );
      const id = await a.id;
      await expect(VmSnapshot.load(file)).rejects.toEqual(without(/none/));
      await expect(VmSnapshot.load(file, { bases: [c, file] })).rejects.toEqual(without(/2 without it/));
      await expect(compactSnapshotFiles([file], join(path, 'x'))).rejects.toEqual(without(/1 without it/));
    });
  });

  it('of another size', async () => {
    await withTemporaryFolder(async ({ path, entries }) => {
      const base = await snapshotAt(100, { memory: '4 MiB' });
      const save = (await snapshotAt(100)).save(join(path, 'a'), { base });
      await expect(save).rejects.toEqual(coded('ERR_SNAPSHOT_MISMATCH', /a snapshot of this program and RAM size/));
      expect(entries()).toEqual([]);
    });
  });

  it('of which two are the newest, are no chain', async () => {
    await withTemporaryFolder(async ({ path, entries }) => {
      const [a, b] = (await snapshotsAt([1000, 2000])) as [VmSnapshot, VmSnapshot];
      await a.save(join(path, 'a'));
      await b.save(join(path, 'b'));
      const folded = compactSnapshotFiles([join(path, 'a'), join(path, 'b')], join(path, 'x'));
      await expect(folded).rejects.toEqual(
        coded('ERR_SNAPSHOT_MISMATCH', /one chain .* 2 files that no other builds on/),
      );
      expect(entries().sort()).toEqual(['a', 'b']);
    });
  });
});

it('files of other RAM sizes have no diff', async () => {
  await withTemporaryFolder(async ({ path }) => {
    await (await snapshotAt(1)).save(join(path, 'a'));
    await (await snapshotAt(1, { memory: '4 MiB' })).save(join(path, 'b'));
    const diff = diffSnapshotFiles(join(path, 'a'), join(path, 'b'));
    await expect(diff).rejects.toEqual(
      coded('ERR_SNAPSHOT_MISMATCH', /RAM of 2 MiB, as in .*a, for .*b but received 4 MiB/),
    );
  });
});

describe('an abort', () => {
  it('before anything', async () => {
    const snapshot = await snapshotAt(100);
    const options = { signal: AbortSignal.abort(new Error('a reason')) };
    for (const begun of [
      snapshot.save('a', options),
      snapshot.exportRaw('a', options),
      snapshot.exportElf('a', options),
      VmSnapshot.load('a', options),
      verifySnapshotFile('a', options),
      compactSnapshotFiles(['a'], 'b', options),
    ]) {
      await expect(begun).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: { message: 'a reason' } });
    }
  });

  it('in the middle leaves the old file and nothing else', async () => {
    await withTemporaryFolder(async ({ path, entries }) => {
      const file = join(path, 'a');
      const snapshot = await snapshotAt(400_000, { program: 'kv-store', memory: '64 MiB' });
      await snapshot.save(file);
      const { mtimeNs } = statSync(file, { bigint: true });
      const stop = new AbortController();
      const seen: Progress[] = [];
      const save = snapshot.save(file, {
        compress: true,
        signal: stop.signal,
        onProgress: (progress) => {
          seen.push(progress);
          if (progress.done > 0) stop.abort();
        },
      });
      await expect(save).rejects.toMatchObject({ code: 'ERR_ABORTED' });
      expect(seen.length).toBeGreaterThan(0);
      expect(entries()).toEqual(['a']);
      expect(statSync(file, { bigint: true }).mtimeNs).toBe(mtimeNs);
    });
  });
});

it.each([
  [{ compres: true }, 'ERR_UNKNOWN_OPTION', /did you mean 'compress'/],
  [{ compress: 'yes' }, 'ERR_INVALID_OPTION', /Expected true or false for 'compress' of a save but received 'yes'/],
  [{ base: 'a.snap' }, 'ERR_INVALID_OPTION', /Expected a snapshot for 'base' of a save but received 'a.snap'/],
  [{ signal: 1 }, 'ERR_INVALID_OPTION', /an AbortSignal/],
])('save with %o', async (options, code, message) => {
  const snapshot = await snapshotAt(1);
  await expect(snapshot.save('never-written', options as object)).rejects.toEqual(coded(code, message));
});

it.each(['', 'a\0b', 7, undefined])('the path %j', async (path) => {
  const snapshot = await snapshotAt(1);
  const error = coded('ERR_INVALID_OPTION', /the path of a file for 'path' of a/);
  await expect(snapshot.save(path as string)).rejects.toEqual(error);
  await expect(VmSnapshot.load(path as string)).rejects.toEqual(error);
  await expect(inspectSnapshotFile(path as string)).rejects.toEqual(error);
});

it('bases that are none, and compact without files', async () => {
  const bases = [1] as unknown as string[];
  await expect(VmSnapshot.load('a', { bases })).rejects.toEqual(
    coded('ERR_INVALID_OPTION', /snapshots or paths of files/),
  );
  await expect(compactSnapshotFiles([], 'x')).rejects.toEqual(coded('ERR_INVALID_OPTION', /one file at least/));
});
