import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClassicLevel } from 'classic-level';
import {
  assertOneDomainAtATime,
  checkRollout,
  type Fleet,
  type FleetEvent,
  type LogEntry,
  type RolloutOptions,
} from 'standstill';
import { describe, expect, it } from 'vitest';
import { Workshop } from '../fixtures/bundles.js';
import { withTemporaryFolder } from '../fixtures/cli.js';
import { appends, linesOfAll, runningFleet } from '../fixtures/fleets.js';
import { expectToRun } from '../fixtures/hosts.js';
import { patchPath } from '../fixtures/patches.js';

const BACK = [appends({ line: 'back' })];

const ofType = <Type extends FleetEvent['type']>(fleet: Fleet, type: Type) =>
  fleet.log.entries.filter((entry): entry is Extract<LogEntry<FleetEvent>, { type: Type }> => entry.type === type);

/** In pairs of type and domain: the order in which domains were taken. */
const domainsOf = (fleet: Fleet) =>
  fleet.log.entries.flatMap((entry) =>
    entry.type === 'domain-begin' || entry.type === 'domain-end' ? [`${entry.type} ${entry.updateDomain}`] : [],
  );

describe('a rollout', () => {
  it('takes one update domain at a time, and says what it did to each VM', async () => {
    await using fleet = await runningFleet(12, { hosts: 5 });
    const report = await fleet.rollout({ patches: [appends()] });
    expect(report).toMatchObject({ ok: true, status: 'done', problems: [], stoppedBy: null, invariants: { ok: true } });
    expect(linesOfAll(fleet)).toEqual(Array(5).fill(['applied']));
    expect(domainsOf(fleet)).toEqual(
      [0, 1, 2, 3, 4].flatMap((domain) => [`domain-begin ${domain}`, `domain-end ${domain}`]),
    );
    expect(report.domains.map(({ hosts, ok }) => [hosts, ok])).toEqual(
      [1, 2, 3, 4, 5].map((n) => [[`host-${n}`], true]),
    );
    expect(report.vms).toHaveLength(12);
    expect(report.vms.every(({ blackoutNs, problem }) => (blackoutNs ?? 0) > 0 && problem === null)).toBe(true);
    expect(report.blackout?.samples).toBe(12);
    expect(report.invariants?.impacts).toBe(24); // the maintenance and the inspection of each VM
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    assertOneDomainAtATime(fleet.log);
    for (const vm of fleet.vms) await expectToRun(vm);
  });

  it('has the budget of each host, unless it names one', async () => {
    await using fleet = await runningFleet(1, { hosts: 1, host: { budgetMs: 12_345 } });
    await fleet.rollout({ patches: [appends()] });
    await fleet.rollout({ patches: [appends()], budgetMs: 23_456 });
    expect(ofType(fleet, 'maintenance-begin').map(({ budgetMs }) => budgetMs)).toEqual([12_345, 23_456]);
  });

  it('goes in a given order, and waits between the domains', async () => {
    await using fleet = await runningFleet(3, { hosts: 3, updateDomains: 3 });
    await fleet.rollout({ patches: [appends()], order: [2, 0, 1], pauseBetweenMs: 120 });
    expect(domainsOf(fleet).filter((text) => text.startsWith('domain-begin'))).toEqual(
      [2, 0, 1].map((n) => `domain-begin ${n}`),
    );
    const begins = ofType(fleet, 'domain-begin').map(({ atNs }) => atNs);
    const ends = ofType(fleet, 'domain-end').map(({ atNs }) => atNs);
    expect((begins[1] ?? 0) - (ends[0] ?? 0)).toBeGreaterThanOrEqual(120e6);
    expect((begins[2] ?? 0) - (ends[1] ?? 0)).toBeGreaterThanOrEqual(120e6);
  });

  it('works on as many hosts of a domain at once as it may', async () => {
    await using fleet = await runningFleet(6, { hosts: 6, updateDomains: 1 });
    await fleet.rollout({ patches: [appends()], hostsAtOnce: 2 });
    let atOnce = 0;
    let most = 0;
    for (const { type } of fleet.log.entries) {
      if (type === 'host-patch-begin') atOnce += 1;
      if (type === 'host-patch-end') atOnce -= 1;
      most = Math.max(most, atOnce);
    }
    expect(most).toBe(2);
    expect(linesOfAll(fleet)).toEqual(Array(6).fill(['applied']));
  });

  it('patches the hosts of its sets only', async () => {
    await using fleet = await runningFleet(2, { hosts: 4, updateDomains: 4 });
    const report = await fleet.rollout({ patches: [appends()], availabilitySets: ['web'] });
    expect(report.ok).toBe(true);
    expect(linesOfAll(fleet)).toEqual([['applied'], ['applied'], [], []]);
  });

  it('passes over a domain in which the set has no VM, and patches hosts that carry none', async () => {
    await using fleet = await runningFleet(2, { hosts: 3, updateDomains: 3 });
    const report = await fleet.rollout({ patches: [appends()] });
    expect(report).toMatchObject({ ok: true, status: 'done' });
    expect(linesOfAll(fleet)).toEqual([['applied'], ['applied'], ['applied']]);
  });

  it('leaves the maintenance of each host to who was named for it', async () => {
    await using fleet = await runningFleet(2, { hosts: 2 });
    const reports: string[] = [];
    const report = await fleet.rollout({
      patches: [appends()],
      maintain: async (host, options) => {
        const maintained = await host.applyMaintenance({ ...options, proof: 'full' });
        reports.push(`${host.name} ${maintained.proof} ${maintained.result}`);
        return maintained;
      },
    });
    expect(report.ok).toBe(true);
    expect(reports).toEqual(['host-1 full done', 'host-2 full done']);
  });

  it('asks its probe of each VM before the next domain', async () => {
    await using fleet = await runningFleet(4, { hosts: 2 });
    const asked: string[] = [];
    await fleet.rollout({
      patches: [appends()],
      probe: async (vm, { place, signal }) => {
        expect(signal.aborted).toBe(false);
        asked.push(`${place.updateDomain} ${vm.name}`);
        await sleep(5);
        return true;
      },
    });
    expect(asked).toEqual(['0 web-0', '0 web-2', '1 web-1', '1 web-3']);
    expect(ofType(fleet, 'health').every(({ ok }) => ok)).toBe(true);
  });
});

describe('a rollout that meets a failure', () => {
  it('stops, leaves the later domains alone, and goes on from there', () =>
    withTemporaryFolder(async ({ path }) => {
      const mended = join(path, 'mended');
      await using fleet = await runningFleet(4, { hosts: 4, updateDomains: 4, directory: join(path, 'state') });
      const report = await fleet.rollout({ patches: [appends({ failsOn: ['host-2'], unless: mended })] });
      expect(report).toMatchObject({ ok: false, status: 'stopped', stoppedBy: 'failure', direction: 'forward' });
      expect(report.problems.join()).toMatch(/host-2: patch appends failed: deliberate/);
      expect(linesOfAll(fleet)).toEqual([['applied'], [], [], []]);
      await expect(fleet.rollout({ patches: [appends()] })).rejects.toMatchObject({ code: 'ERR_ROLLOUT_ACTIVE' });
      writeFileSync(mended, '');
      const resumed = await fleet.resumeRollout();
      expect(resumed).toMatchObject({ ok: true, status: 'done', problems: [] });
      expect(linesOfAll(fleet)).toEqual(Array(4).fill(['applied']));
      await expect(fleet.resumeRollout()).rejects.toMatchObject({ code: 'ERR_ROLLOUT_NOT_FOUND' });
    }));

  it('takes back what it has done, the way back, where the policy says so', () =>
    withTemporaryFolder(async ({ path: directory }) => {
      await using fleet = await runningFleet(4, { hosts: 4, updateDomains: 4, directory });
      const report = await fleet.rollout({
        patches: [appends({ failsOn: ['host-3'] })],
        rollbackPatches: BACK,
        onFailure: 'rollback',
      });
      expect(report).toMatchObject({
        ok: false,
        status: 'rolled-back',
        direction: 'rollback',
        invariants: { ok: true },
      });
      expect(report.problems.join()).toMatch(/host-3: patch appends failed: deliberate/);
      expect(linesOfAll(fleet)).toEqual([['applied', 'back'], ['applied', 'back'], [], []]);
      const back = ofType(fleet, 'domain-begin').filter(({ direction }) => direction === 'rollback');
      expect(back.map(({ updateDomain }) => updateDomain)).toEqual([1, 0]);
      expect((await fleet.rollout({ patches: [appends()] })).ok).toBe(true);
    }));

  it('stops where the rollback fails, and takes it up again', () =>
    withTemporaryFolder(async ({ path }) => {
      const mended = join(path, 'mended');
      await using fleet = await runningFleet(2, { hosts: 2, directory: join(path, 'state') });
      const report = await fleet.rollout({
        patches: [appends({ failsOn: ['host-2'] })],
        rollbackPatches: [appends({ line: 'back', failsOn: ['host-1'], unless: mended })],
        onFailure: 'rollback',
      });
      expect(report).toMatchObject({ status: 'stopped', direction: 'rollback', stoppedBy: 'failure' });
      writeFileSync(mended, '');
      expect(await fleet.resumeRollout()).toMatchObject({ status: 'rolled-back' });
      expect(linesOfAll(fleet)).toEqual([['applied', 'back'], []]);
    }));

  const PROBES: [string, RolloutOptions['probe'], RegExp][] = [
    ['says no', () => false, /web-0: its probe says that it is not well/],
    [
      'throws',
      () => {
        throw new Error('deliberate');
      },
      /web-0: its probe failed: deliberate/,
    ],
    ['hangs', () => new Promise<never>(() => {}), /web-0: its probe did not answer within 50 ms/],
  ];
  it.each(PROBES)('that a probe which %s has found', async (_, probe, problem) => {
    await using fleet = await runningFleet(2, { hosts: 2 });
    const report = await fleet.rollout({ patches: [appends()], probe, probeTimeoutMs: 50 });
    expect(report).toMatchObject({ status: 'stopped', stoppedBy: 'failure' });
    expect(report.problems.join()).toMatch(problem);
    expect(linesOfAll(fleet)).toEqual([['applied'], []]);
    // The patches are there: only the health is asked for again.
    expect(await fleet.resumeRollout()).toMatchObject({ ok: true });
    expect(linesOfAll(fleet)).toEqual([['applied'], ['applied']]);
  });

  it('of a guest whose clock lags', async () => {
    await using fleet = await runningFleet(2, { hosts: 2 });
    // A clock that nobody synchronises lags by the pause.
    const report = await fleet.rollout({ patches: [appends()], lagMsMax: 0, check: false, clockSync: { mode: 'off' } });
    expect(report).toMatchObject({ status: 'stopped', stoppedBy: 'failure' });
    expect(report.problems.join()).toMatch(/web-0: its clock lags by .* more than 0 ms/);
  });

  it('because a host is closed in the middle', async () => {
    await using fleet = await runningFleet(3, { hosts: 3, updateDomains: 3 });
    fleet.log.subscribe((entry) => {
      if (entry.type === 'domain-end' && entry.updateDomain === 0) void fleet.hosts[1]?.close();
    });
    const report = await fleet.rollout({ patches: [appends()] });
    expect(report).toMatchObject({ status: 'stopped', stoppedBy: 'failure', invariants: { ok: true } });
    expect(report.hosts[1]).toMatchObject({ applied: 'no' });
    const [first, third] = [fleet.vm('web-0'), fleet.vm('web-2')];
    await expectToRun(first);
    await expectToRun(third);
  });

  it('because a host is closed under its patch: it is not known whether it is there', async () => {
    await using fleet = await runningFleet(2, { hosts: 2 });
    fleet.log.subscribe((entry) => {
      if (entry.type === 'maintenance-phase' && entry.phase === 'patch') void fleet.hosts[0]?.close();
    });
    const report = await fleet.rollout({ patches: [patchPath('waits.mjs')] });
    expect(report).toMatchObject({ status: 'stopped', stoppedBy: 'failure' });
    expect(report.hosts[0]).toMatchObject({ applied: 'unknown' });
    expect(await fleet.resumeRollout()).toMatchObject({ stoppedBy: 'in-doubt' });
  });
});

describe('a rollout that is aborted', () => {
  it('finishes the hosts under way, begins no other, and goes on later', async () => {
    await using fleet = await runningFleet(3, { hosts: 3, updateDomains: 3 });
    const stop = new AbortController();
    fleet.log.subscribe((entry) => {
      if (entry.type === 'host-patch-begin' && entry.host === 'host-2') stop.abort();
    });
    const report = await fleet.rollout({ patches: [appends()], signal: stop.signal });
    expect(report).toMatchObject({ ok: false, status: 'stopped', stoppedBy: 'aborted' });
    expect(linesOfAll(fleet)).toEqual([['applied'], ['applied'], []]);
    expect(await fleet.resumeRollout()).toMatchObject({ ok: true });
    expect(linesOfAll(fleet)).toEqual([['applied'], ['applied'], ['applied']]);
  });

  it('is stopped by its fleet, whoever began it, and goes on later', async () => {
    await using fleet = await runningFleet(2, { hosts: 2, updateDomains: 2 });
    expect(await fleet.stopRollout()).toBe(false);
    const rollout = fleet.rollout({ patches: [appends()], pauseBetweenMs: 3_600_000 });
    await expect.poll(() => ofType(fleet, 'domain-end').length, { timeout: 20_000 }).toBe(1);
    expect(await fleet.stopRollout()).toBe(true);
    expect(await rollout).toMatchObject({ status: 'stopped', stoppedBy: 'aborted' });
    expect(await fleet.resumeRollout()).toMatchObject({ ok: true });
  });

  it('does not wait for the pause between domains, nor for a probe', async () => {
    for (const slow of [{ pauseBetweenMs: 3_600_000 }, { probe: () => new Promise<never>(() => {}) }]) {
      await using fleet = await runningFleet(2, { hosts: 2 });
      const stop = new AbortController();
      const rollout = fleet.rollout({ patches: [appends()], signal: stop.signal, probeTimeoutMs: 3_600_000, ...slow });
      await expect.poll(() => ofType(fleet, 'host-patch-end').length, { timeout: 20_000 }).toBe(1);
      await sleep(20);
      stop.abort();
      expect(await rollout).toMatchObject({ status: 'stopped', stoppedBy: 'aborted' });
    }
  });

  it('can be taken back instead, or given up', async () => {
    await using fleet = await runningFleet(2, { hosts: 2 });
    const abortAtFirst = (): AbortSignal => {
      const stop = new AbortController();
      fleet.log.subscribe((entry) => {
        if (entry.type === 'host-patch-end' && entry.host === 'host-1') stop.abort();
      });
      return stop.signal;
    };
    await fleet.rollout({ patches: [appends()], rollbackPatches: BACK, signal: abortAtFirst() });
    expect(await fleet.resumeRollout({ direction: 'rollback' })).toMatchObject({ status: 'rolled-back' });
    expect(linesOfAll(fleet)).toEqual([['applied', 'back'], []]);
    await fleet.rollout({ patches: [appends()], signal: abortAtFirst() });
    await expect(fleet.resumeRollout({ direction: 'rollback' })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    await fleet.abandonRollout();
    expect(fleet.rolloutReport()).toMatchObject({ status: 'abandoned' });
    await expect(fleet.abandonRollout()).rejects.toMatchObject({ code: 'ERR_ROLLOUT_NOT_FOUND' });
  });

  it('by closing the fleet', async () => {
    const fleet = await runningFleet(3, { hosts: 3, updateDomains: 3 });
    const rollout = fleet.rollout({ patches: [appends()], pauseBetweenMs: 3_600_000 });
    await expect.poll(() => ofType(fleet, 'domain-end').length, { timeout: 20_000 }).toBe(1);
    await fleet.close();
    expect(await rollout).toMatchObject({ status: 'stopped', stoppedBy: 'aborted' });
  });
});

describe('a rollout is refused', () => {
  const REFUSED: [string, RolloutOptions, string, RegExp][] = [
    ['without patches', { patches: [] }, 'ERR_INVALID_OPTION', /at least one patch/],
    ['with an unknown option', { patches: [appends()], pause: 1 } as RolloutOptions, 'ERR_UNKNOWN_OPTION', /pause/],
    [
      'of a set that is not there',
      { patches: [appends()], availabilitySets: ['wep'] },
      'ERR_INVALID_OPTION',
      /'wep'; did you mean 'web'/,
    ],
    [
      'of a set that has no VM',
      { patches: [appends()], availabilitySets: ['empty'] },
      'ERR_INVALID_OPTION',
      /its sets have no VM/,
    ],
    [
      'with an unknown domain in its order',
      { patches: [appends()], order: [0, 1, 5] },
      'ERR_INVALID_OPTION',
      /from 0 to 1 for 'order' .* received 5/,
    ],
    [
      'with a repeated domain',
      { patches: [appends()], order: [0, 1, 0] },
      'ERR_INVALID_OPTION',
      /each update domain once .* received 0 twice/,
    ],
    ['with a domain left out', { patches: [appends()], order: [1] }, 'ERR_INVALID_OPTION', /but 0 is missing/],
    [
      'with a rollback but nothing for it',
      { patches: [appends()], onFailure: 'rollback' },
      'ERR_INVALID_OPTION',
      /'rollbackPatches'/,
    ],
    ['with a patch that is not there', { patches: ['/no/such.mjs'] }, 'ERR_PATCH_NOT_FOUND', /no such file/],
    [
      'with options of a patch that no file holds',
      { patches: [{ module: patchPath('appends.mjs'), options: { at: new Date() } }] },
      'ERR_INVALID_OPTION',
      /options that are JSON/,
    ],
    [
      'with a probe that is none',
      { patches: [appends()], probe: 5 } as unknown as RolloutOptions,
      'ERR_INVALID_OPTION',
      /a function for 'probe'/,
    ],
  ];
  it.each(REFUSED)('%s, and nothing was done', async (_, options, code, message) => {
    await using fleet = await runningFleet(2, { hosts: 2 });
    fleet.createAvailabilitySet({ name: 'empty' });
    await expect(fleet.rollout(options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(ofType(fleet, 'rollout-started')).toEqual([]);
    expect(fleet.rolloutReport()).toBeNull();
    expect((await fleet.rollout({ patches: [appends()] })).ok).toBe(true);
  });

  it('while another is under way', async () => {
    await using fleet = await runningFleet(2, { hosts: 2 });
    const first = fleet.rollout({ patches: [appends()] });
    await expect(fleet.rollout({ patches: [appends()] })).rejects.toMatchObject({ code: 'ERR_ROLLOUT_ACTIVE' });
    await expect(fleet.resumeRollout()).rejects.toMatchObject({ code: 'ERR_ROLLOUT_ACTIVE' });
    await expect(fleet.abandonRollout()).rejects.toMatchObject({ code: 'ERR_ROLLOUT_ACTIVE' });
    expect(await first).toMatchObject({ ok: true });
    expect(linesOfAll(fleet)).toEqual([['applied'], ['applied']]);
  });
});

it('freezing two domains at once by hand is seen by the checker: the control', async () => {
  await using fleet = await runningFleet(4, { hosts: 2 });
  await fleet.rollout({ patches: [appends()] });
  expect(checkRollout(fleet.log).violations).toEqual([]);
  const scopes = fleet.hosts.map((host) => host.freeze());
  for (const scope of scopes) scope.release();
  for (const scope of scopes) await scope.settled();
  const kinds = checkRollout(fleet.log).violations.map(({ kind }) => kind);
  expect(kinds).toContain('two-domains');
  expect(kinds).toContain('too-few-running');
  expect(() => assertOneDomainAtATime(fleet.log)).toThrow(/one update domain of 'web' to be impacted .* 0 and 1 were/);
});

describe('a rollout of bundles', () => {
  it('of class reboot, where it is allowed, takes the VMs of one domain down at a time; the control takes two', async () => {
    using workshop = new Workshop();
    const patches = [{ bundle: await workshop.bundle({ impact: 'reboot' }) }];
    const host = { trustedKeys: [workshop.keys.publicKey] };
    await using fleet = await runningFleet(6, { hosts: 3, updateDomains: 3, host });
    for (const each of fleet.hosts) await workshop.install(each);
    const refused = await fleet.rollout({ patches });
    expect(refused).toMatchObject({ status: 'stopped', stoppedBy: 'failure', blackout: null });
    expect(refused.problems.join()).toMatch(/host-1: .*it needs the VMs to be restarted/);
    await fleet.abandonRollout();
    const report = await fleet.rollout({ patches, allowReboot: true });
    expect(report).toMatchObject({ ok: true, status: 'done', problems: [], blackout: { samples: 6 } });
    const impacts = ofType(fleet, 'impact-end').filter(({ cause }) => cause === 'maintenance');
    expect(impacts.map(({ updateDomain }) => updateDomain)).toEqual([0, 0, 1, 1, 2, 2]);
    expect(impacts.every(({ haltedAtNs, resumedAtNs }) => resumedAtNs > haltedAtNs)).toBe(true);
    expect(ofType(fleet, 'vm-rolled-back')).toHaveLength(6);
    assertOneDomainAtATime(fleet.log);
    // The control: both hosts have their VMs down until a file is there, which is written once they have.
    const bothDown = join(workshop.path, 'both-down');
    const byHand = [
      { bundle: await workshop.bundle({ impact: 'reboot', to: '1.2.0' }) },
      { module: patchPath('waits-for-file.mjs'), options: { path: bothDown } },
    ];
    const begun = ofType(fleet, 'maintenance-phase').length;
    const maintenances = fleet.hosts
      .slice(0, 2)
      .map((each) => each.applyMaintenance({ patches: byHand, allowReboot: true }));
    const down = () =>
      ofType(fleet, 'maintenance-phase')
        .slice(begun)
        .filter(({ phase }) => phase === 'patch');
    await expect.poll(() => down().length, { timeout: 20_000 }).toBe(2);
    writeFileSync(bothDown, '');
    for (const each of await Promise.all(maintenances)) expect(each).toMatchObject({ ok: true, impact: 'reboot' });
    const kinds = checkRollout(fleet.log).violations.map(({ kind }) => kind);
    expect(kinds).toContain('two-domains');
    expect(kinds).toContain('too-few-running');
  });

  it('is taken back by the hosts, the way back, with the VMs frozen, and a kill on the way takes nothing back twice', () =>
    withTemporaryFolder(async ({ path: directory }) => {
      using workshop = new Workshop();
      const patches = [{ bundle: await workshop.bundle() }];
      const options = { hosts: 3, updateDomains: 3, directory, host: { trustedKeys: [workshop.keys.publicKey] } };
      const first = await runningFleet(3, options);
      for (const host of first.hosts.slice(0, 2)) await workshop.install(host);
      const report = await first.rollout({ patches, onFailure: 'rollback' });
      expect(report).toMatchObject({ status: 'rolled-back', direction: 'rollback', invariants: { ok: true } });
      expect(report.problems.join()).toMatch(/host-3: .*the host has no component 'agent'/);
      const back = ofType(first, 'domain-begin').filter(({ direction }) => direction === 'rollback');
      expect(back.map(({ updateDomain }) => updateDomain)).toEqual([1, 0]);
      const freezes = ofType(first, 'impact-end').filter(({ cause }) => cause === 'maintenance');
      expect(freezes.map(({ vm }) => vm)).toEqual(['web-0', 'web-1', 'web-1', 'web-0']);
      assertOneDomainAtATime(first.log);
      expect(updatesOf(first)).toEqual([['1.1.0', '1.0.0'], ['1.1.0', '1.0.0'], []]);
      await first.close();
      await forgetFrom(join(directory, 'log'), 'host-patch-end', 'host-2', 'rollback');
      await using second = await runningFleet(3, options);
      expect(second.rolloutReport()?.hosts.map(({ applied }) => applied)).toEqual(['yes', 'unknown', 'no']);
      expect(await second.resumeRollout()).toMatchObject({ status: 'rolled-back', problems: [] });
      expect(updatesOf(second)).toEqual([['1.1.0', '1.0.0'], ['1.1.0', '1.0.0'], []]);
      expect(second.hosts.map((host) => host.components.get('agent')?.version)).toEqual(['1.0.0', '1.0.0', undefined]);
    }));

  it('with a module among them, still needs what takes that back, and does both', () =>
    withTemporaryFolder(async ({ path: directory }) => {
      using workshop = new Workshop();
      const patches = [{ bundle: await workshop.bundle() }, appends({ failsOn: ['host-2'] })];
      await using fleet = await runningFleet(2, {
        hosts: 2,
        directory,
        host: { trustedKeys: [workshop.keys.publicKey] },
      });
      for (const host of fleet.hosts) await workshop.install(host);
      await expect(fleet.rollout({ patches, onFailure: 'rollback' })).rejects.toMatchObject({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringMatching(/'rollbackPatches' for a rollback of patch modules/),
      });
      const report = await fleet.rollout({ patches, rollbackPatches: BACK, onFailure: 'rollback' });
      expect(report).toMatchObject({ status: 'rolled-back', invariants: { ok: true } });
      expect(linesOfAll(fleet)).toEqual([['applied', 'back'], []]);
      expect(fleet.hosts.map((host) => host.components.get('agent')?.version)).toEqual(['1.0.0', '1.0.0']);
    }));

  it('whose process was killed asks the components of the host under way, and applies each bundle once', () =>
    withTemporaryFolder(async ({ path: directory }) => {
      using workshop = new Workshop();
      const patches = [{ bundle: await workshop.bundle() }];
      const options = { hosts: 3, updateDomains: 3, directory, host: { trustedKeys: [workshop.keys.publicKey] } };
      const first = await runningFleet(3, options);
      for (const host of first.hosts) await workshop.install(host);
      const stop = new AbortController();
      first.log.subscribe((entry) => {
        if (entry.type === 'host-patch-begin' && entry.host === 'host-2') stop.abort();
      });
      await first.rollout({ patches, signal: stop.signal });
      await first.close();
      // As a kill leaves it: the second host was begun, and that it ended is not in the log.
      await forgetFrom(join(directory, 'log'), 'host-patch-end', 'host-2');
      await using second = await runningFleet(3, options);
      expect(second.rolloutReport()?.hosts.map(({ applied }) => applied)).toEqual(['yes', 'unknown', 'no']);
      expect(await second.resumeRollout()).toMatchObject({ ok: true, status: 'done' });
      expect(second.hosts.map((host) => host.components.get('agent')?.version)).toEqual(['1.1.0', '1.1.0', '1.1.0']);
      expect(second.rolloutReport()?.hosts.map(({ maintenances }) => maintenances)).toEqual([1, 1, 1]);
    }));
});

/** The versions that each host's committed updates have led to. */
const updatesOf = (fleet: Fleet) =>
  fleet.hosts.map(({ components }) => {
    const committed = components.journal().flatMap(({ step, update }) => (step === 'committed' ? [update] : []));
    return components
      .journal()
      .flatMap((record) => (record.step === 'begin' && committed.includes(record.update) ? record.changes : []))
      .map(({ to }) => to);
  });

/** Drops the entries of a closed log from the first of that kind and host on. */
async function forgetFrom(folder: string, type: string, host: string, direction = 'forward'): Promise<void> {
  const database = new ClassicLevel<string, { type?: string; host?: string; direction?: string }>(folder, {
    valueEncoding: 'json',
  });
  let found = false;
  for (const [key, value] of await database.iterator({ gt: 'entry:', lt: 'entry:~' }).all()) {
    found ||= value.type === type && value.host === host && value.direction === direction;
    if (found) await database.del(key);
  }
  await database.close();
  expect(found).toBe(true);
}
