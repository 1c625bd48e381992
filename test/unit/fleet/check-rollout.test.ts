import { describe, expect, it } from 'vitest';
import type { LogEntry } from '../../../src/base/event-log.js';
import { assertOneDomainAtATime, checkRollout } from '../../../src/fleet/check-rollout.js';
import type { FleetEvent } from '../../../src/fleet/events.js';

/** A log of VMs 'a' and 'b' of domain 0, 'c' of domain 1, and 'd' of no set, that run since 0. */
class Story {
  readonly entries: LogEntry<FleetEvent>[] = [];

  constructor() {
    for (const [vm, updateDomain, availabilitySet] of [
      ['a', 0, 'web'],
      ['b', 0, 'web'],
      ['c', 1, 'web'],
      ['d', 1, null],
    ] as const) {
      const host = `host-${updateDomain + 1}`;
      this.add(0, { type: 'vm-placed', vm, host, updateDomain, faultDomain: 0, availabilitySet });
      this.add(0, { type: 'vm-started', vm, host });
    }
  }

  add(atNs: number, event: FleetEvent): this {
    this.entries.push({ seq: this.entries.length + 1, atNs, wallTimeMs: 0, ...event });
    return this;
  }

  impact(vm: string, haltedAtNs: number, resumedAtNs: number): this {
    const impact = { vm, host: 'h', cause: 'maintenance', updateDomain: null, haltedAtNs } as const;
    const end = { releasedAtNs: resumedAtNs, resumedAtNs, resumedBy: 'caller' } as const;
    this.add(1000, { type: 'impact-begin', ...impact, requestedAtNs: haltedAtNs });
    return this.add(1000, { type: 'impact-end', ...impact, ...end });
  }
}

const kinds = (story: Story, runningShareMin?: number) =>
  checkRollout(story.entries, { runningShareMin }).violations.map(({ kind }) => kind);

describe('the checker of a rollout', () => {
  it('has nothing against domains that follow each other without a gap', () => {
    const story = new Story().impact('a', 10, 20).impact('b', 12, 20).impact('c', 20, 30);
    expect(checkRollout(story.entries)).toMatchObject({ ok: true, impacts: 3, violations: [] });
    assertOneDomainAtATime(story.entries);
  });

  it('sees an overlap of one nanosecond, and shows the entries', () => {
    const story = new Story().impact('a', 10, 21).impact('c', 20, 30);
    const { violations } = checkRollout(story.entries);
    expect(violations[0]).toMatchObject({ kind: 'two-domains', availabilitySet: 'web', atNs: 20 });
    expect(violations[0]?.entries.map((entry) => 'vm' in entry && entry.vm)).toEqual(['a', 'c']);
    expect(() => assertOneDomainAtATime(story.entries)).toThrow(/0 and 1 were/);
  });

  it('does not count VMs of other sets or of none', () => {
    expect(kinds(new Story().impact('a', 10, 20).impact('d', 10, 20))).toEqual([]);
  });

  it('promises all but the largest domain, or what it is told', () => {
    const story = () => new Story().impact('a', 10, 20).impact('b', 10, 20);
    expect(kinds(story())).toEqual([]);
    expect(kinds(story(), 1 / 3)).toEqual([]);
    expect(kinds(story(), 0.5)).toEqual(['too-few-running']);
  });

  it('counts a faulted guest as down until it is rolled back, and one that its user has paused not at all', () => {
    const paused = new Story()
      .add(5, { type: 'vm-paused', vm: 'c', host: 'h' })
      .impact('a', 10, 20)
      .impact('b', 30, 40);
    expect(kinds(paused)).toEqual([]);
    const faulted = () => new Story().add(5, { type: 'vm-faulted', vm: 'c', host: 'h' }).impact('a', 10, 20);
    expect(kinds(faulted().impact('b', 10, 20))).toEqual(['too-few-running']);
    const mended = new Story().add(5, { type: 'vm-faulted', vm: 'c', host: 'h' });
    mended.add(8, { type: 'vm-rolled-back', vm: 'c', host: 'h' }).impact('a', 10, 20).impact('b', 10, 20);
    expect(kinds(mended)).toEqual([]);
  });

  it('begins anew with each process', () => {
    const story = new Story().add(1000, {
      type: 'impact-begin',
      ...{ vm: 'a', host: 'h', cause: 'maintenance', updateDomain: 0, haltedAtNs: 900, requestedAtNs: 900 },
    });
    story.add(2000, { type: 'fleet-opened', processId: 1, updateDomains: 2, faultDomains: 1, hosts: [] });
    story.add(2000, { type: 'vm-placed', vm: 'c', host: 'h', updateDomain: 1, faultDomain: 0, availabilitySet: 'web' });
    story.add(2000, { type: 'vm-started', vm: 'c', host: 'h' }).impact('c', 2100, 2200);
    expect(kinds(story)).toEqual([]);
  });

  it('sees a host that is patched twice by one rollout', () => {
    const story = new Story();
    const about = { rollout: 'r', host: 'host-1', updateDomain: 0, direction: 'forward' } as const;
    const end = { applied: 'yes', ok: true, problems: [], durationNs: 1 } as const;
    story.add(1, { type: 'host-patch-begin', ...about }).add(2, { type: 'host-patch-end', ...about, ...end });
    expect(kinds(story)).toEqual([]);
    expect(kinds(story.add(3, { type: 'host-patch-begin', ...about }))).toEqual(['patched-twice']);
  });

  it('does not prove anything from a part of a log, or from one without an impact', () => {
    const { entries } = new Story().impact('a', 10, 20);
    expect(() => checkRollout(entries.slice(1))).toThrow(/entry 1 is missing/);
    expect(() => checkRollout(entries.toSpliced(4, 1))).toThrow(/entry 5 is missing/);
    expect(() => assertOneDomainAtATime(new Story().entries)).toThrow(/received none/);
    expect(() => checkRollout(entries, { runningShareMin: 2 })).toThrow(/from 0 to 1/);
  });
});
