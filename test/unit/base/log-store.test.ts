import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { describe, expect, it } from 'vitest';
import { EventLog, type LogEntry } from '../../../src/base/event-log.js';
import { LogStore } from '../../../src/base/log-store.js';
import { withTemporaryFolder } from '../../fixtures/cli.js';

interface Happening {
  readonly type: 'a';
  readonly value: number;
}

const isEntry = (value: unknown): value is LogEntry<Happening> =>
  typeof value === 'object' && value !== null && 'seq' in value && 'atNs' in value;

async function openLog(path: string) {
  const { storage, past, beganAtNs } = await LogStore.open(path, isEntry);
  return { storage, log: new EventLog<Happening>({ storage, past, beganAtNs }) };
}

async function written(path: string, count: number): Promise<void> {
  const { storage, log } = await openLog(path);
  for (let value = 0; value < count; value += 1) log.append({ type: 'a', value });
  await log.flush();
  await storage.close();
}

describe('a log in a folder', () => {
  it('goes on from what former openers wrote, in number and in time', () =>
    withTemporaryFolder(async ({ path }) => {
      const folder = join(path, 'log');
      await written(folder, 25);
      const { storage, log } = await openLog(folder);
      const next = log.append({ type: 'a', value: 99 });
      const { entries } = log;
      expect(entries.map(({ value }) => value)).toEqual([...Array.from({ length: 25 }, (_, index) => index), 99]);
      expect(next.seq).toBe(26);
      expect(next.atNs).toBeGreaterThanOrEqual(entries[24]?.atNs ?? 0);
      await storage.close();
    }));

  it('counts time on over a reboot, by the wall clock', () =>
    withTemporaryFolder(async ({ path }) => {
      await written(path, 1);
      const database = new ClassicLevel<string, unknown>(path, { valueEncoding: 'json' });
      await database.put('begin', { monotonicNs: '1', bootId: 'another' });
      await database.close();
      const { storage, log } = await openLog(path);
      const before = log.entries[0]?.atNs ?? 0;
      expect(log.append({ type: 'a', value: 1 }).atNs - before).toBeLessThan(60e9);
      await storage.close();
    }));

  it('has one opener at a time', () =>
    withTemporaryFolder(async ({ path }) => {
      const { storage } = await openLog(path);
      await expect(openLog(path)).rejects.toMatchObject({ code: 'ERR_STATE_LOCKED' });
      await storage.close();
      await (await openLog(path)).storage.close();
    }));

  const DAMAGES: Record<string, (path: string) => Promise<void> | void> = {
    'without CURRENT': (path) => rmSync(join(path, 'CURRENT')),
    'with junk for CURRENT': (path) => writeFileSync(join(path, 'CURRENT'), 'junk'),
    'without its manifest': (path) => rmSync(join(path, fileOf(path, 'MANIFEST'))),
    'with an altered table': async (path) => {
      const database = new ClassicLevel(path);
      await database.open();
      await database.compactRange('', '~');
      await database.close();
      const table = join(path, fileOf(path, '.ldb'));
      const bytes = readFileSync(table);
      bytes[20] = (bytes[20] ?? 0) ^ 0xff;
      writeFileSync(table, bytes);
    },
    'with an entry gone': (path) => altered(path, (database) => database.del('entry:0000000000000003')),
    'with an entry that is none': (path) => altered(path, (database) => database.put('entry:0000000000000003', '"x"')),
    'with an entry that is no JSON': (path) => altered(path, (database) => database.put('entry:0000000000000003', '{')),
    'with a begin that is none': (path) => altered(path, (database) => database.put('begin', '5')),
  };

  it.each(Object.entries(DAMAGES))('refuses a folder %s', (_, damage) =>
    withTemporaryFolder(async ({ path }) => {
      await written(path, 10);
      await damage(path);
      await expect(openLog(path)).rejects.toMatchObject({ code: 'ERR_STATE_DAMAGED' });
    }),
  );

  it('says so where the folder cannot be made', () =>
    withTemporaryFolder(async ({ path }) => {
      writeFileSync(join(path, 'file'), '');
      await expect(openLog(join(path, 'file', 'log'))).rejects.toMatchObject({ code: 'ERR_STATE_IO' });
    }));

  it('says so where it cannot be written', () =>
    withTemporaryFolder(async ({ path }) => {
      const { storage, log } = await openLog(path);
      await storage.close();
      log.append({ type: 'a', value: 1 });
      await expect(log.flush()).rejects.toMatchObject({ code: 'ERR_STATE_IO' });
    }));
});

const fileOf = (path: string, part: string): string => {
  const found = readdirSync(path).find((name) => name.includes(part));
  if (found === undefined) throw new Error(`no file like ${part}`);
  return found;
};

async function altered(path: string, alter: (database: ClassicLevel) => Promise<void>): Promise<void> {
  const database = new ClassicLevel(path);
  await alter(database);
  await database.close();
}
