// Everything about memory that can take long tells how far it is and ends at once where it is aborted, leaving
// everything as it was.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  compactSnapshotFiles,
  Host,
  type Progress,
  type ProgressOptions,
  type Vm,
  type VmSnapshot,
  verifySnapshotFile,
} from 'standstill';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const WRITTEN_BYTES = 96 * 2 ** 20;
const RUNS_WITHOUT_END = 2 ** 40;

const folder = mkdtempSync(join(tmpdir(), 'standstill-test-'));
let host: Host;
let vm: Vm;
let snapshot: VmSnapshot;
let other: VmSnapshot;
beforeAll(async () => {
  host = await Host.create();
  vm = await host.createVm({
    program: 'page-writer',
    memory: '128 MiB',
    params: { pattern: 'sequential', workingSet: WRITTEN_BYTES },
  });
  other = await rewritten();
  snapshot = await rewritten();
  await other.save(join(folder, 'base'));
  await snapshot.save(join(folder, 'flat'));
  await snapshot.save(join(folder, 'differential'), { base: other });
});
afterAll(async () => {
  await host.close();
  rmSync(folder, { recursive: true });
});

/** A snapshot of which every written page is another one than before, and was never digested. */
async function rewritten(): Promise<VmSnapshot> {
  await rewrite();
  return await vm.snapshot();
}
async function rewrite(): Promise<undefined> {
  const words = WRITTEN_BYTES / 8;
  await vm.runUntil(vm.stats().steps + words);
}

interface Operation {
  /** What it works on, made anew for each try. */
  readonly prepare?: () => Promise<VmSnapshot | undefined>;
  readonly begin: (watch: ProgressOptions, prepared: VmSnapshot) => Promise<unknown>;
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  snapshot: { prepare: rewrite, begin: (watch) => vm.snapshot(watch) },
  'live snapshot': { prepare: rewrite, begin: (watch) => vm.snapshot({ ...watch, live: true }) },
  'digest of RAM': { begin: (watch) => vm.digest(watch) },
  'digest of a snapshot': { prepare: rewritten, begin: (watch, fresh) => fresh.digest(watch) },
  diff: { begin: (watch) => snapshot.diff(other, watch) },
  save: { begin: (watch) => snapshot.save(join(folder, 'new'), watch) },
  'compressed save': { begin: (watch) => snapshot.save(join(folder, 'new'), { ...watch, compress: true }) },
  'differential save': { begin: (watch) => snapshot.save(join(folder, 'new'), { ...watch, base: other }) },
  load: { begin: (watch) => host.loadSnapshot(join(folder, 'flat'), { ...watch, lazy: false }) },
  'verified load': { begin: (watch) => host.loadSnapshot(join(folder, 'flat'), { ...watch, verify: true }) },
  'differential load': {
    begin: (watch) => host.loadSnapshot(join(folder, 'differential'), { ...watch, bases: [join(folder, 'base')] }),
  },
  verification: { begin: (watch) => verifySnapshotFile(join(folder, 'flat'), watch) },
  compaction: {
    begin: (watch) =>
      compactSnapshotFiles([join(folder, 'differential'), join(folder, 'base')], join(folder, 'new'), watch),
  },
  'raw export': { begin: (watch) => snapshot.exportRaw(join(folder, 'new'), watch) },
  'ELF export': { begin: (watch) => snapshot.exportElf(join(folder, 'new'), watch) },
  restore: { begin: async (watch) => (await host.restore(snapshot, watch)).close() },
  clone: {
    prepare: rewritten,
    begin: async (watch, fresh) => {
      for (const clone of await host.clone(fresh, 3, watch)) clone.close();
    },
  },
  exploration: { begin: (watch) => vm.explore(snapshot, { runs: 3, steps: 100, check: false, ...watch }) },
};

const files = () => readdirSync(folder).sort();

describe.each(Object.entries(OPERATIONS))('%s', (_, { prepare, begin }) => {
  const prepared = async () => (await prepare?.()) ?? snapshot;

  test('tells how far it is, in the end that all is done', async () => {
    const told: Progress[] = [];
    await begin({ onProgress: (progress) => told.push(progress) }, await prepared());
    expect(told.length).toBeGreaterThan(0);
    for (const { done, total } of told) expect(done).toBeLessThanOrEqual(total);
    expect(told.at(-1)?.total).toBeGreaterThan(0);
    expect(told.at(-1)?.done).toBe(told.at(-1)?.total);
    rmSync(join(folder, 'new'), { force: true });
  });

  // It may be done before it is told to end: then, seldom, on a loaded machine, it is begun again.
  test('ends where it is aborted, and leaves everything as it was', { retry: 5 }, async () => {
    const subject = await prepared();
    const before = { files: files(), vms: host.vms.length, state: vm.state };
    const abort = new AbortController();
    const begun = begin({ signal: abort.signal }, subject);
    abort.abort('a reason');
    await expect(begun).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'a reason' });
    expect({ files: files(), vms: host.vms.length, state: vm.state }).toEqual(before);
    await begin({}, subject);
    rmSync(join(folder, 'new'), { force: true });
  });

  test('does not begin where it was aborted before', async () => {
    const signal = AbortSignal.abort('a reason');
    const begun = begin({ signal }, snapshot);
    await expect(begun).rejects.toMatchObject({ code: 'ERR_ABORTED', message: expect.stringMatching(/was aborted$/) });
    expect(files()).not.toContain('new');
  });
});

test('a check tells the bytes that it has read, and ends where it is aborted', { retry: 5 }, async () => {
  const told: Progress[] = [];
  await vm.check({ onProgress: (progress) => told.push(progress) });
  expect(told.at(-1)?.total).toBe(0);
  expect(told.at(-1)?.done).toBeGreaterThan(0.9 * WRITTEN_BYTES);
  const abort = new AbortController();
  const begun = vm.check({ signal: abort.signal });
  abort.abort('a reason');
  await expect(begun).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'a reason' });
  expect(await vm.check()).toMatchObject({ ok: true });
});

test.each(['digest', 'check'] as const)('a %s refuses what it does not know', async (operation) => {
  await expect(vm[operation]({ sgnal: 1 } as never)).rejects.toMatchObject({
    code: 'ERR_UNKNOWN_OPTION',
    message: `Unknown option 'sgnal' for a ${operation}; did you mean 'signal'?`,
  });
});

test('an exploration that would not end is ended, with its VM at the snapshot', async () => {
  const abort = new AbortController();
  const begun = vm.explore(snapshot, {
    runs: RUNS_WITHOUT_END,
    steps: 100,
    check: false,
    signal: abort.signal,
    onProgress: ({ done }) => {
      if (done > 0) abort.abort();
    },
  });
  await expect(begun).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  expect((await vm.digest()).value).toBe(await snapshot.digest());
});
