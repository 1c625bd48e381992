import { describe, expect, it } from 'vitest';
import { renderTimeline } from '../../../src/cli/render/timeline.js';
import { terminalOf } from '../../../src/cli/terminal.js';
import { segmentsOf } from '../../../src/report/phase-segments.js';
import { reportOf, vmReportOf } from '../report-fixture.js';

const plain = (columns: number) => ({ ...terminalOf(process.stdout, false), columns });

it('splits a row into parts that follow each other', () => {
  const segments = segmentsOf(vmReportOf(), 1100);
  expect(segments.map(({ part }) => part)).toEqual([
    'running',
    'halt',
    'digest',
    'patch',
    'digest',
    'resume',
    'running',
  ]);
  segments.slice(1).forEach((segment, index) => {
    expect(segment.fromNs).toBe(segments[index]?.toNs);
  });
  expect(segments.at(-1)?.toNs).toBe(1100);
});

it('draws nothing for a VM that stood still', () => {
  expect(segmentsOf(vmReportOf({ wasRunning: false }), 100)).toEqual([]);
});

describe.each([40, 60, 80, 100, 200])('at %d columns', (columns) => {
  it('fits, with a row for each VM and patch', () => {
    const patch = {
      name: 'p',
      kind: 'module',
      impact: 'pause',
      component: null,
      ok: true,
      status: 'applied',
      durationNs: 200,
      startedAfterNs: 300,
      result: null,
    } as const;
    const report = reportOf({ patches: [{ ...patch, error: null }] });
    const rows = renderTimeline(report, plain(columns)).split('\n').slice(1);
    expect(rows).toHaveLength(3);
    for (const row of rows) expect(row.length).toBeLessThanOrEqual(columns);
  });
});
