import { describe, expect, it } from 'vitest';
import { EventLog, type LogEvent } from '../../../src/base/event-log.js';
import { Disturbances } from '../../../src/probe/disturbances.js';

type Entry = LogEvent & Record<string, unknown>;

function phasesOf(...entries: Entry[]): string[] {
  const log = new EventLog<Entry>();
  using disturbances = new Disturbances(log);
  return [
    disturbances.phase,
    ...entries.map((entry) => {
      log.append({ host: 'a', ...entry });
      return disturbances.phase;
    }),
  ];
}

describe('disturbances', () => {
  it.each<[string, Entry, Entry]>([
    ['a maintenance', { type: 'maintenance-begin' }, { type: 'maintenance-end' }],
    ['a maintenance that is rejected', { type: 'maintenance-begin' }, { type: 'maintenance-rejected' }],
    ['a rollout', { type: 'rollout-started', rollout: 'r' }, { type: 'rollout-done', rollout: 'r' }],
    ['a rollout that goes on', { type: 'rollout-resumed', rollout: 'r' }, { type: 'rollout-stopped', rollout: 'r' }],
    ['a rollout taken back', { type: 'rollout-started', rollout: 'r' }, { type: 'rollout-rolled-back', rollout: 'r' }],
    ['an impact', { type: 'event-impact-begin', eventId: 'e' }, { type: 'event-impact-end', eventId: 'e' }],
    [
      'an impact that fails',
      { type: 'event-impact-begin', eventId: 'e' },
      { type: 'event-impact-failed', eventId: 'e' },
    ],
    ['a freeze', { type: 'freeze-begin', vms: ['v'], budgetMs: 60_000 }, { type: 'impact-end', vm: 'v' }],
    ['a freeze of a closed VM', { type: 'freeze-begin', vms: ['v'], budgetMs: 60_000 }, { type: 'vm-closed', vm: 'v' }],
    ['a pause', { type: 'vm-paused', vm: 'v' }, { type: 'vm-resumed', vm: 'v' }],
  ])('%s is from its begin to its end', (_, begin, end) => {
    expect(phasesOf(begin, end)).toEqual(['before', 'during', 'after']);
  });

  it('what ends without a begin, and what is none, changes nothing', () => {
    expect(phasesOf({ type: 'maintenance-end' }, { type: 'vm-started', vm: 'v' }, { type: 'probe' })).toEqual(
      Array(4).fill('before'),
    );
  });

  it('one that is over leaves another under way', () => {
    expect(
      phasesOf(
        { type: 'rollout-started', rollout: 'r' },
        { type: 'maintenance-begin' },
        { type: 'maintenance-end' },
        { type: 'rollout-done', rollout: 'r' },
      ),
    ).toEqual(['before', 'during', 'during', 'during', 'after']);
  });

  it('a freeze whose end nobody tells is over with its budget', async () => {
    const log = new EventLog<Entry>();
    using disturbances = new Disturbances(log);
    log.append({ type: 'freeze-begin', host: 'a', vms: ['stood-still'], budgetMs: 20 });
    expect(disturbances.phase).toBe('during');
    await expect.poll(() => disturbances.phase).toBe('after');
  });

  it('tells each edge once, and counts what has begun', () => {
    const log = new EventLog<Entry>();
    using disturbances = new Disturbances(log);
    const edges: string[] = [];
    const listener = disturbances.onEdge((edge) => edges.push(edge));
    for (const type of ['maintenance-begin', 'maintenance-begin', 'maintenance-end', 'maintenance-end']) {
      log.append({ type, host: 'a' });
    }
    listener[Symbol.dispose]();
    log.append({ type: 'maintenance-begin', host: 'b' });
    expect(edges).toEqual(['begin', 'end']);
    expect(disturbances.begun).toBe(2);
  });
});
