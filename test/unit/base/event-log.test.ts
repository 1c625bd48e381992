import { describe, expect, it } from 'vitest';
import { EventLog } from '../../../src/base/event-log.js';

type Happening = { readonly type: 'a'; readonly value: number } | { readonly type: 'b' };

describe('an event log', () => {
  it('numbers its entries and never lets their time fall', () => {
    const log = new EventLog<Happening>();
    for (let value = 0; value < 1000; value += 1) log.append({ type: 'a', value });
    const { entries } = log;
    expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1));
    expect(entries.every(({ atNs }, index) => atNs >= (entries[index - 1]?.atNs ?? 0))).toBe(true);
  });

  it('hands out views that later entries do not change', () => {
    const log = new EventLog<Happening>();
    log.append({ type: 'b' });
    const { entries } = log;
    log.append({ type: 'b' });
    expect(entries).toHaveLength(1);
  });

  it('tells its listeners of each entry until they stop', () => {
    const log = new EventLog<Happening>();
    const seen: number[] = [];
    const subscription = log.subscribe(({ seq }) => seen.push(seq));
    log.append({ type: 'b' });
    subscription[Symbol.dispose]();
    log.append({ type: 'b' });
    expect(seen).toEqual([1]);
  });

  it('goes on where a listener throws, and lets the error be seen', async () => {
    const log = new EventLog<Happening>();
    const seen: number[] = [];
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
    const handlers = process.listeners('uncaughtException').slice(0, -1);
    for (const handler of handlers) process.off('uncaughtException', handler);
    log.subscribe(() => {
      throw new Error('deliberate');
    });
    log.subscribe(({ seq }) => seen.push(seq));
    log.append({ type: 'b' });
    expect(seen).toEqual([1]);
    expect(await thrown).toMatchObject({ message: 'deliberate' });
    for (const handler of handlers) process.on('uncaughtException', handler);
  });

  it('is followed from any entry on, to those to come, until a signal', async () => {
    const log = new EventLog<Happening>();
    for (let value = 0; value < 3; value += 1) log.append({ type: 'a', value });
    const stop = new AbortController();
    const seen: number[] = [];
    const following = (async () => {
      for await (const { seq } of log.follow({ afterSeq: 1, signal: stop.signal })) seen.push(seq);
    })();
    await new Promise(setImmediate);
    log.append({ type: 'b' });
    log.append({ type: 'b' });
    await new Promise(setImmediate);
    stop.abort();
    await following;
    expect(seen).toEqual([2, 3, 4, 5]);
  });

  it('drops the oldest entries beyond its limit, which the numbers show', () => {
    const log = new EventLog<Happening>({ entriesMax: 100 });
    for (let value = 0; value < 1000; value += 1) log.append({ type: 'a', value });
    const { entries } = log;
    expect(entries.length).toBeLessThanOrEqual(100);
    expect(entries.length).toBeGreaterThan(80);
    expect(entries.at(-1)?.seq).toBe(1000);
    expect(entries[0]?.seq).toBe(1000 - entries.length + 1);
  });

  it('hands out the entries behind any other, as far as it has them', () => {
    const log = new EventLog<Happening>({ entriesMax: 100 });
    for (let value = 0; value < 1000; value += 1) log.append({ type: 'a', value });
    const seqs = (seq: number, countMax: number) => log.after(seq, countMax).map((entry) => entry.seq);
    expect(seqs(997, 2)).toEqual([998, 999]);
    expect(seqs(999, 5)).toEqual([1000]);
    expect(seqs(1000, 5)).toEqual([]);
    expect(seqs(3, 1)).toEqual([log.entries[0]?.seq]);
  });

  it('has branches, whose entries are its own too, by the same clock', () => {
    const log = new EventLog<Happening>();
    log.append({ type: 'b' });
    const branch = log.branch<{ readonly type: 'b' }>();
    branch.append({ type: 'b' });
    expect(branch.entries.map(({ seq }) => seq)).toEqual([1]);
    expect(log.entries.map(({ type }) => type)).toEqual(['b', 'b']);
    const stamp = process.hrtime.bigint();
    expect(branch.sinceBeginNs(stamp)).toBe(log.sinceBeginNs(stamp));
  });

  it('exports an object a line', () => {
    const log = new EventLog<Happening>();
    log.append({ type: 'a', value: 7 });
    log.append({ type: 'b' });
    const lines = log.toNdjson().trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(log.entries);
  });
});
