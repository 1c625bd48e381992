import { describe, expect, it } from 'vitest';
import type { LogEntry } from '../../../src/base/event-log.js';
import type { RunEvent } from '../../../src/report/record.js';
import { parseExpectation } from '../../../src/scenario/expectation.js';
import { METRIC_NAMES, metricOf } from '../../../src/scenario/metrics.js';
import { judge } from '../../../src/scenario/run/expectations.js';
import type { Observed } from '../../../src/scenario/run/samples.js';
import type { ScheduledEvent } from '../../../src/scheduled-events/event.js';

const NOTHING: Observed = { log: [], maintenances: [], rollouts: [], probes: [], durationNs: 1e9 };

const logOf = (...events: RunEvent[]): LogEntry<RunEvent>[] =>
  events.map((event, index) => ({ seq: index + 1, atNs: index, wallTimeMs: 0, ...event }));

const stood = (vm: string, fromNs: number, toNs: number, cause: 'freeze' | 'inspection' = 'freeze'): RunEvent[] => {
  const about = { host: 'host-1', vm, cause, updateDomain: 0, haltedAtNs: fromNs } as const;
  return [
    { type: 'impact-begin', ...about, requestedAtNs: fromNs - 100 },
    { type: 'impact-end', ...about, releasedAtNs: toNs, resumedAtNs: toNs, resumedBy: 'caller' },
  ];
};

function judged(text: string, observed: Partial<Observed>, members = (name: string): readonly string[] => [name]) {
  const parsed = parseExpectation(text);
  if ('mistake' in parsed) throw new Error(parsed.mistake.message);
  return judge(parsed.expectation, { ...NOTHING, ...observed }, members);
}

/** An expectation of each metric that holds of nothing, if anything did. */
function vacuous(metric: (typeof METRIC_NAMES)[number]): string {
  const { unit, states, isDistribution } = metricOf(metric);
  if (unit === 'state') return `${metric}: ${states[0]}`;
  if (unit === 'count') return `${metric} == 0`;
  return `${metric}${isDistribution ? '.max' : ''} <= ${unit === 'share' ? '100%' : '1h'}`;
}

describe('what nothing was seen of', () => {
  const seenAlways = new Set(['duration', 'events.scheduled']);
  it.each(METRIC_NAMES.filter((metric) => !seenAlways.has(metric)).map((metric) => [vacuous(metric)]))(
    'is not so: %s',
    (text) => {
      const result = judged(text, {});
      expect(result.ok).toBe(false);
      expect(result.detail[0]).toContain('nothing was seen of it');
    },
  );
});

describe('a distribution', () => {
  const log = logOf(
    ...stood('a', 0, 10),
    ...stood('a', 100, 130),
    ...stood('b', 0, 50),
    ...stood('a', 0, 999, 'inspection'),
  );

  it.each([
    ['blackout.max <= 50ns', true],
    ['blackout.max < 50ns', false],
    ['blackout.min == 10ns', true],
    ['blackout.mean == 30ns', true],
    ['blackout.p50 == 30ns', true],
    ['blackout(a) < 50ns', true],
    ['blackout(b).p99 >= 50ns', true],
    ['pause.max == 100ns', true],
  ])('%s: %s', (text, ok) => {
    expect(judged(text, { log })).toMatchObject({ text, ok });
  });

  it('tells the value, of how many, and the greatest', () => {
    expect(judged('blackout.p50 < 1ms', { log })).toMatchObject({
      observed: '30 ns of 3 samples',
      detail: ['the greatest, 50 ns, of b'],
    });
  });

  it('of an entry with a count is that of all its VMs', () => {
    const members = (name: string) => (name === 'all' ? ['a', 'b'] : [name]);
    expect(judged('blackout(all).max == 50ns', { log }, members).ok).toBe(true);
  });
});

describe('Scheduled Events', () => {
  const event: ScheduledEvent = {
    id: 'E1',
    status: 'Scheduled',
    type: 'Freeze',
    resources: ['a', 'b'],
    notBeforeMs: 0,
    description: '',
    source: 'Platform',
    durationSeconds: 1,
  };
  // Two hosts, each of which tells what concerns its VMs.
  const log = logOf(
    ...['host-1', 'host-2'].flatMap((host): RunEvent[] => [
      { host, type: 'event-scheduled', event },
      { host, type: 'event-acknowledged', eventId: 'E1', vm: 'a' },
      { host, type: 'event-removed', eventId: 'E1', reason: 'completed' },
    ]),
  );

  it.each([
    ['events.scheduled == 1', true],
    ['events.acknowledged == 1', true],
    ['events.acknowledged(b) >= 1', false],
    ['events.completed == 1', true],
    ['events.cancelled == 0', true],
  ])('count once, whoever tells of them: %s: %s', (text, ok) => {
    expect(judged(text, { log }).ok).toBe(ok);
  });
});

describe('memory', () => {
  const read = (vm: string, memory: 'preserved' | 'changed' | 'unproven'): RunEvent => ({
    ...{ type: 'memory-read', vm, memory, bytesRead: 4096 },
    difference: memory === 'changed' ? '1 pages, first 7' : null,
  });

  it.each([
    ['memory: preserved', ['preserved', 'preserved'], true],
    ['memory: preserved', ['preserved', 'changed'], false],
    ['memory: changed', ['preserved', 'changed'], true],
    ['memory: preserved', ['unproven', 'preserved'], false],
  ] as const)('%s of %j: %s', (text, seen, ok) => {
    const log = logOf(...seen.map((memory, index) => read(`vm-${index}`, memory)));
    expect(judged(text, { log }).ok).toBe(ok);
  });

  it('says of which VM, and what', () => {
    const log = logOf(read('a', 'changed'), read('b', 'preserved'));
    expect(judged('memory: preserved', { log })).toMatchObject({
      observed: '1 changed, 1 preserved',
      detail: ['a: 1 pages, first 7'],
    });
  });
});
