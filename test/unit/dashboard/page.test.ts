// What the page makes of the log, without a browser.
import { describe, expect, it } from 'vitest';

const { Model } = await import(new URL('../../../src/dashboard/page/model.js', import.meta.url).href);
const { Rollout } = await import(new URL('../../../src/dashboard/page/rollout.js', import.meta.url).href);
const { formatNames, formatSeconds } = await import(
  new URL('../../../src/dashboard/page/format.js', import.meta.url).href
);

const MS = 1e6;

/** A model that has got these entries; those without a moment are 1 ms after the one before. */
function modelOf(entries: readonly object[]) {
  const model = new Model();
  model.receive('hello', { incarnation: 'a', resumed: false, kind: 'host', hosts: [{ host: 'h' }], patches: [] });
  let atNs = 0;
  for (const [index, entry] of entries.entries()) {
    atNs += MS;
    const whole = { seq: index + 1, atNs, wallTimeMs: 0, host: 'h', ...entry };
    atNs = whole.atNs;
    model.receive('entry', whole);
  }
  return model;
}

const VM = [
  { type: 'vm-created', vm: 'v', program: 'queue', ramBytes: 4096 },
  { type: 'vm-started', vm: 'v' },
];
const phase = (name: string, atMs: number) => ({ type: 'maintenance-phase', phase: name, atNs: atMs * MS });
const impact = (cause: string, haltedMs: number, resumedMs: number, atMs: number) => ({
  ...{ type: 'impact-end', vm: 'v', cause, atNs: atMs * MS },
  ...{ haltedAtNs: haltedMs * MS, resumedAtNs: resumedMs * MS },
});
const segmentsOf = (model: {
  vms: Map<string, { segments: { kind: string; fromNs: number; toNs: number | null }[] }>;
}) =>
  model.vms.get('v')?.segments.map(({ kind, fromNs, toNs }) => [kind, fromNs / MS, toNs === null ? null : toNs / MS]);

describe('the timeline of a VM', () => {
  it('has the phases of a maintenance while it lasts, and the stamps of the guest once it is over', () => {
    const entries = [
      ...VM,
      { type: 'maintenance-begin', vms: ['v'], budgetMs: 1000, atNs: 10 * MS },
      phase('freeze', 20),
      phase('digest-at-halt', 21),
      phase('patch', 25),
    ];
    expect(segmentsOf(modelOf(entries))).toEqual([
      ['halt', 20, 21],
      ['digest', 21, 25],
      ['patch', 25, null],
    ]);
    const whole = [
      ...entries,
      phase('digest-at-release', 60),
      phase('release', 70),
      impact('maintenance', 20.5, 71.5, 75),
    ];
    expect(segmentsOf(modelOf(whole))).toEqual([
      ['halt', 20.5, 21],
      ['digest', 21, 25],
      ['patch', 25, 60],
      ['digest', 60, 71.5],
    ]);
    expect(modelOf(whole).blackouts).toMatchObject([{ vm: 'v', blackoutNs: 51 * MS }]);
  });

  it('ends where the deadline released the VM, not where the patch did', () => {
    const model = modelOf([
      ...VM,
      { type: 'maintenance-begin', vms: ['v'], budgetMs: 1000, atNs: 10 * MS },
      phase('freeze', 20),
      phase('patch', 21),
      phase('digest-at-release', 90),
      phase('release', 95),
      impact('maintenance', 20, 50, 99),
    ]);
    expect(segmentsOf(model)).toEqual([
      ['halt', 20, 21],
      ['patch', 21, 50],
    ]);
  });

  it('keeps a VM that its user has paused out of a freeze', () => {
    const model = modelOf([...VM, { type: 'vm-paused', vm: 'v' }, { type: 'freeze-begin', vms: ['v'], budgetMs: 1 }]);
    expect(segmentsOf(model)).toEqual([['paused', 3, null]]);
  });

  it('has an impact that nobody saw begin, and no look inside among the blackouts', () => {
    const model = modelOf([...VM, impact('freeze', 20, 30, 31), impact('inspection', 40, 40.1, 41)]);
    expect(segmentsOf(model)).toEqual([
      ['frozen', 20, 30],
      ['check', 40, 40.1],
    ]);
    expect(model.blackouts).toHaveLength(1);
  });

  it('believes the engine more than what it has derived', () => {
    const model = modelOf([...VM, { type: 'freeze-begin', vms: ['v'], budgetMs: 1 }]);
    const counters = { state: 'running', steps: 5, epoch: 1, dirtyPagesTotal: 2, cpuTimeNs: null, residentBytes: null };
    model.receive('sample', { atNs: 10 * MS, vms: { v: counters } });
    expect(segmentsOf(model)).toEqual([['frozen', 3, 10]]);
    model.receive('sample', {
      atNs: 510 * MS,
      vms: { v: { ...counters, steps: 1005, epoch: 2, dirtyPagesTotal: 52 } },
    });
    expect(model.vms.get('v').rates).toMatchObject({ steps: 2000, dirtyPages: 100 });
    // No epoch has ended since: the pages are not counted anew, and so not as none.
    model.receive('sample', {
      atNs: 1010 * MS,
      vms: { v: { ...counters, steps: 1005, epoch: 2, dirtyPagesTotal: 52 } },
    });
    expect(model.vms.get('v').rates).toMatchObject({ steps: 0, dirtyPages: 100 });
  });
});

it('another incarnation begins anew, the same one goes on', () => {
  const model = modelOf(VM);
  model.receive('hello', { incarnation: 'a', resumed: true });
  expect([...model.vms.keys()]).toEqual(['v']);
  model.receive('hello', { incarnation: 'b', resumed: false, hosts: [], patches: [] });
  expect([...model.vms.keys()]).toEqual([]);
});

it('what is no longer there is not shown, and what was dropped from the log is', () => {
  const model = modelOf(VM);
  const vm = { name: 'w', host: 'h', availabilitySet: null, program: 'queue', ramBytes: 1, state: 'paused' };
  model.receive('picture', { atNs: 9 * MS, vms: [vm], events: [], hostsUnderMaintenance: [] });
  expect([...model.vms.keys()]).toEqual(['w']);
  expect(model.vms.get('w').held).toBe('paused');
});

it('a rollout is followed from the middle on, where its begin was dropped', () => {
  const about = { rollout: 'r', direction: 'forward', updateDomain: 2 };
  const entries = [
    { type: 'domain-begin', hosts: ['h'], atNs: 1, ...about },
    { type: 'host-patch-end', host: 'h', ok: false, atNs: 2, ...about },
    { type: 'domain-end', ok: false, problems: ['h: no'], atNs: 3, ...about },
    { type: 'rollout-stopped', reason: 'failure', problems: ['h: no'], atNs: 4, rollout: 'r' },
  ];
  const rollout = entries.reduce((before, entry) => Rollout.after(before, entry), undefined as unknown);
  expect(rollout).toMatchObject({
    status: 'stopped',
    problems: ['h: no'],
    domains: [{ updateDomain: 2, state: 'not well', hostsDone: 1, spans: [{ fromNs: 1, toNs: 3, ok: false }] }],
  });
});

it('says times and names as people do', () => {
  expect([0.4, 59, 125, 900, 7200].map(formatSeconds)).toEqual(['0 s', '59 s', '2 min 5 s', '15 min', '2 h']);
  expect([['a'], ['a', 'b'], ['a', 'b', 'c', 'd']].map((names) => formatNames(names))).toEqual([
    'a',
    'a and b',
    'a, b and 2 more',
  ]);
});
