import { describe, expect, it } from 'vitest';
import { timelineOf } from '../../../src/report/timeline.js';
import { maintainedRun } from '../../fixtures/run-record.js';

const MS = 1e6;
const timeline = timelineOf(maintainedRun('web', 'host'));
const lane = (name: string) => {
  const found = timeline.groups.flatMap(({ lanes }) => lanes).find((each) => each.name === name);
  if (found === undefined) throw new Error(`no lane ${name}`);
  return found.spans.map(({ kind, fromNs, toNs }) => [kind, fromNs / MS, toNs / MS]);
};

describe('the timeline of a run', () => {
  it('has a group for each host and one for the probes, over the whole run', () => {
    expect(timeline.groups.map(({ title }) => title)).toEqual(['host · update domain 0', 'Probes']);
    expect([timeline.beginNs, timeline.endNs]).toEqual([0, 200 * MS]);
  });

  it('shows what each VM was in, and the phases of its freeze where they were', () => {
    expect(lane('web')).toEqual([
      ['created', 1, 2],
      ['running', 2, 150],
      ['paused', 150, 160],
      ['running', 160, 200],
      ['frozen', 101, 121],
      ['halt', 101, 102],
      ['digest', 102, 104],
      ['patch', 104, 114],
      ['digest', 114, 116],
      ['resume', 116, 121],
    ]);
  });

  it('shows a scheduled event from its announcement to its removal, with its impact', () => {
    expect(lane('scheduled events')).toEqual([
      ['notice', 50, 121],
      ['impact', 100, 121],
    ]);
    const { marks } = timeline.groups[0]?.lanes.find(({ name }) => name === 'scheduled events') ?? { marks: [] };
    expect(marks.map(({ atNs, kind }) => [atNs / MS, kind])).toEqual([
      [60, 'good'],
      [121, 'plain'],
    ]);
  });

  it('shows the answers of a probe, those that say the same as one', () => {
    expect(
      timeline.groups.at(-1)?.lanes[0]?.spans.map(({ kind, fromNs, toNs }) => [kind, fromNs / MS, toNs / MS]),
    ).toEqual([
      ['well', 19, 20],
      ['ill', 105, 110],
      ['well', 199, 200],
    ]);
  });

  it('gives the last reports to the last maintenances, where the log reaches further back', () => {
    const record = maintainedRun('web', 'host');
    const stamp = { atNs: 1, wallTimeMs: 1 };
    const earlier = [
      { ...stamp, seq: 1, type: 'maintenance-begin', host: 'host', vms: [], budgetMs: 1 } as const,
      { ...stamp, seq: 2, type: 'maintenance-end', host: 'host', ok: true, problems: [] } as const,
    ];
    const both = timelineOf({ ...record, log: [...earlier, ...record.log] });
    expect(both.groups[0]?.lanes.find(({ name }) => name === 'web')?.spans.map(({ kind }) => kind)).toContain('digest');
  });
});
