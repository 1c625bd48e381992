import { describe, expect, it } from 'vitest';
import { Prng } from '../../../src/base/prng.js';
import {
  followSchedule,
  Milestones,
  ofEvent,
  type PlannedAction,
  planSchedule,
} from '../../../src/scenario/run/schedule.js';
import type { ScheduleEntry, Start } from '../../../src/scenario/scenario.js';

const entry = (id: string, start: Start, more: Partial<ScheduleEntry> = {}): ScheduleEntry => ({
  id,
  start,
  everyMs: null,
  times: 1,
  jitterMs: 0,
  action: { kind: 'freeze', vms: ['web'], durationMs: 1 },
  ...more,
});
const at = (atMs: number): Start => ({ kind: 'at', atMs });
const plan = (entries: readonly ScheduleEntry[], seed = 1n) => planSchedule(entries, new Prng(seed));

describe('the plan of a schedule', () => {
  const entries = [
    entry('a', at(100), { jitterMs: 50 }),
    entry('b', at(200), { everyMs: 1000, times: 3, jitterMs: 10 }),
    entry('c', { kind: 'after-entry', entry: 'a', delayMs: 5 }),
  ];

  it('has each time of an entry, with a number where there are several', () => {
    expect(plan(entries).map(({ id, entry: own, after }) => [id, own, after])).toEqual([
      ['a', 'a', null],
      ['b#1', 'b', null],
      ['b#2', 'b', null],
      ['b#3', 'b', null],
      ['c', 'c', 'entry a'],
    ]);
  });

  it('is the same for the same seed, and another for another', () => {
    expect(plan(entries, 7n)).toEqual(plan(entries, 7n));
    expect(plan(entries, 8n)).not.toEqual(plan(entries, 7n));
  });

  it('draws jitter within its bounds', () => {
    for (let seed = 0n; seed < 200n; seed += 1n) {
      const [a, b1, , b3, c] = plan(entries, seed).map(({ dueMs }) => dueMs);
      expect(a).toBeGreaterThanOrEqual(100);
      expect(a).toBeLessThan(150);
      expect(b1).toBeGreaterThanOrEqual(200);
      expect(b3).toBeGreaterThanOrEqual(2200);
      expect(b3).toBeLessThan(2210);
      expect(c).toBe(5);
    }
  });
});

describe('a schedule that is followed', () => {
  async function follow(planned: readonly PlannedAction[], signal = new AbortController().signal) {
    const milestones = new Milestones();
    const done: string[] = [];
    const missed: string[] = [];
    const beganAt = performance.now();
    const nowMs = () => performance.now() - beganAt;
    const dueAt = new Map<string, number>();
    const end = followSchedule(planned, {
      milestones,
      perform: async ({ id }) => {
        dueAt.set(id, nowMs());
        done.push(id);
      },
      missed: ({ id }) => missed.push(id),
      nowMs,
      patienceMs: 50,
      signal,
    });
    return { milestones, done, missed, dueAt, end };
  }

  it('does each thing once it is due, never before, and what waits for it after it', async () => {
    const entries = [
      entry('late', at(60)),
      entry('next', { kind: 'after-entry', entry: 'early', delayMs: 20 }),
      entry('early', at(5)),
    ];
    const { done, dueAt, end } = await follow(plan(entries));
    await end;
    expect(done.toSorted()).toEqual(['early', 'late', 'next']);
    expect(done.indexOf('early')).toBeLessThan(done.indexOf('next'));
    expect(dueAt.get('late')).toBeGreaterThanOrEqual(60);
    expect(dueAt.get('next')).toBeGreaterThanOrEqual(25);
  });

  it('waits for all times of an entry', async () => {
    const entries = [
      entry('often', at(1), { everyMs: 5, times: 3 }),
      entry('then', { kind: 'after-entry', entry: 'often', delayMs: 0 }),
    ];
    const { done, end } = await follow(plan(entries));
    await end;
    expect(done.at(-1)).toBe('then');
    expect(done).toHaveLength(4);
  });

  it('waits for an event of the log, also one that has come before', async () => {
    const entries = [entry('b', { kind: 'after-event', type: 'event-started', delayMs: 0 })];
    const { milestones, done, end } = await follow(plan(entries));
    milestones.reach(ofEvent('event-started'));
    await end;
    expect(done).toEqual(['b']);
    await milestones.reached(ofEvent('event-started'));
  });

  it('gives up what waits for something that never comes, and what waits for that', async () => {
    const entries = [
      entry('a', { kind: 'after-event', type: 'event-started', delayMs: 0 }),
      entry('b', { kind: 'after-entry', entry: 'a', delayMs: 0 }),
      entry('c', at(1)),
    ];
    const { done, missed, end } = await follow(plan(entries));
    await end;
    expect(done).toEqual(['c']);
    expect(missed.toSorted()).toEqual(['a', 'b']);
  });

  it('begins nothing further once it is aborted', async () => {
    const stop = new AbortController();
    const entries = [entry('soon', at(1)), entry('never', at(3_600_000))];
    const { done, missed, end } = await follow(plan(entries), stop.signal);
    await expect.poll(() => done).toEqual(['soon']);
    stop.abort();
    await end;
    expect(done).toEqual(['soon']);
    expect(missed).toEqual([]);
  });
});
