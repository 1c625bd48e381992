// The matchers on what really happened; each is shown to fail by a control.
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isStandstillError, type RolloutReport, verifyDeterminism } from 'standstill';
import { test } from 'standstill/vitest';
import { describe, expect } from 'vitest';
import { appends, startVms } from '../../fixtures/fleets.js';
import { startedVm } from '../../fixtures/hosts.js';

const FLIP = { kind: 'flip-bit', vm: 'kv-store-1', gpa: 0x5123, bit: 3 } as const;

describe('memory', () => {
  for (const proof of ['deferred', 'full'] as const) {
    test(`of a maintenance, ${proof}; a flipped bit is its control`, async ({ host }) => {
      await startedVm(host, { program: 'kv-store' });
      expect(await host.applyMaintenance({ proof })).toHavePreservedMemory();
      const changed = await host.applyMaintenance({ proof, faults: [FLIP] });
      expect(changed).not.toHavePreservedMemory();
      expect(() => expect(changed).toHavePreservedMemory()).toThrow(
        /^Expected memory to be preserved but that of kv-store-1 was not[\s\S]*1 page differs of 256 read; the first is page 0x5, at 0x5000[\s\S]*halt .* · digest .* · patch .* · resume/,
      );
    });
  }

  for (const proof of ['full', 'sampled'] as const) {
    test(`of a maintenance, ${proof}, that keeps its bytes: they are shown`, async ({ host }) => {
      await startedVm(host, { program: 'kv-store' });
      const changed = await host.applyMaintenance({ proof, sampleShare: 1, keepBytes: true, faults: [FLIP] });
      expect(() => expect(changed).toHavePreservedMemory()).toThrow(
        /0x00005120 {2}at halt( +[0-9a-f]{2}){16}\n +at release( +[0-9a-f]{2}){16}\n {35}\^\^\n/,
      );
    });
  }

  for (const proof of ['deferred', 'none'] as const) {
    test(`${proof}, keeps no bytes, and says so`, async ({ host }) => {
      await startedVm(host, { program: 'kv-store' });
      await expect(host.applyMaintenance({ proof, keepBytes: true })).rejects.toThrow(
        `Expected 'full' or 'sampled' with keepBytes for 'proof' of a maintenance but received '${proof}'`,
      );
    });
  }

  test('that is not proved passes in neither sense', async ({ host }) => {
    await startedVm(host, { program: 'kv-store' });
    const report = await host.applyMaintenance({ proof: 'none' });
    expect(() => expect(report).toHavePreservedMemory()).toThrow(/is unproven/);
    expect(() => expect(report).not.toHavePreservedMemory()).toThrow(/is unproven/);
  });

  test('of a freeze; a flipped bit is its control', async ({ host }) => {
    const vm = await startedVm(host, { program: 'queue' });
    expect(await host.whileFrozen(vm, () => {})).toHavePreservedMemory();
    expect(await host.whileFrozen(vm, () => vm.flipBit(0, 0))).not.toHavePreservedMemory();
  });
});

test('the time to resume, of a report, a freeze, its records and a log; a longer freeze is its control', async ({
  host,
}) => {
  const vm = await startedVm(host, { program: 'kv-store' });
  await using scope = host.freeze();
  expect(() => expect(scope).toHaveResumedWithin('1h')).toThrow(/kv-store-1 has not resumed/);
  await sleep(50);
  scope.release();
  await scope.settled();
  const report = await host.whileFrozen(vm, () => sleep(50));
  for (const evidence of [scope, scope.records(), report, host, host.log, host.log.entries, [scope, report]]) {
    expect(evidence).toHaveResumedWithin('1h');
    expect(evidence).not.toHaveResumedWithin('49ms');
    expect(() => expect(evidence).toHaveResumedWithin(49)).toThrow(/within 49.0 ms but kv-store-1 took/);
  }
});

test('the clock; one that is not synchronised is its control', async ({ host }) => {
  const vm = await startedVm(host, { program: 'kv-store' });
  expect(await host.whileFrozen(vm, () => sleep(50))).toHaveClockLagBelow('40ms');
  const lagging = await host.whileFrozen(vm, () => sleep(50), { clockSync: { mode: 'slew' } });
  expect(lagging).not.toHaveClockLagBelow('1ms');
  expect(() => expect(lagging).toHaveClockLagBelow('1ms')).toThrow(/kv-store-1 lags by/);
  const off = await host.whileFrozen(vm, () => sleep(50), { clockSync: { mode: 'off' } });
  expect(() => expect(off).toHaveClockLagBelow('1ms')).toThrow(/^Expected every clock to lag by less than 1.00 ms/);
});

test('monotonic time, by what a ticker felt', async ({ host }) => {
  await startedVm(host, { program: 'ticker' });
  expect(await host.applyMaintenance()).toHaveStoppedMonotonicTime();
});

test('steps, of a maintenance and of a twin run', async ({ host }) => {
  await startedVm(host, { program: 'hash-chain' });
  expect(await host.applyMaintenance()).toHaveLostNoSteps();
  const twins = await verifyDeterminism({ program: 'queue', memory: '1 MiB', seed: 7, steps: 5_000_000, pauses: 5 });
  expect(twins).toHaveLostNoSteps();
  expect({ ...twins, ok: false }).not.toHaveLostNoSteps();
});

describe('a fleet', () => {
  test('is updated one domain at a time; a freeze across two is the control', async ({ fleet }) => {
    await startVms(fleet, 4);
    const report = await fleet.rollout({ patches: [appends()] });
    for (const evidence of [report, fleet, fleet.log, fleet.log.entries]) {
      expect(evidence).toHaveUpdatedOneDomainAtATime();
    }
    expect(fleet).toHaveAvailability('50%');
    expect(() => expect(fleet).toHaveAvailability(1)).toThrow(
      /^Expected 100 % of the VMs .* fewer did\n\nExpected 4 of 4/,
    );
    expect(report).toHaveResumedWithin('1h');

    const scopes = fleet.hosts.filter(({ vms }) => vms.length > 0).map((host) => host.freeze());
    for (const scope of scopes) scope.release();
    for (const scope of scopes) await scope.settled();
    expect(fleet).not.toHaveUpdatedOneDomainAtATime();
    expect(fleet).not.toHaveAvailability('50%');
    expect(() => expect(fleet).toHaveUpdatedOneDomainAtATime()).toThrow(
      /but that was not so\n\nExpected one update domain of 'web' [\s\S]*entry \d+ at .*: impact-begin web-\d/,
    );
    expect(fleet.rolloutReport() as RolloutReport).not.toHaveUpdatedOneDomainAtATime();
  });

  test('of which nothing was updated proves nothing', async ({ fleet }) => {
    await startVms(fleet, 2);
    for (const isNot of [false, true]) {
      const act = () => (isNot ? expect(fleet).not : expect(fleet)).toHaveUpdatedOneDomainAtATime();
      expect(act).toThrow(/received none$/);
    }
  });
});

/** As a debugger, or a stray write from outside, does it. */
function flipBitOf(pid: number): void {
  const [, end = ''] =
    /^[0-9a-f]+-([0-9a-f]+) rw-p .*\[stack\]$/m.exec(readFileSync(`/proc/${pid}/maps`, 'utf8')) ?? [];
  const at = Number.parseInt(end, 16) - 64;
  const memory = openSync(`/proc/${pid}/mem`, 'r+');
  const byte = Buffer.alloc(1);
  readSync(memory, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 1;
  writeSync(memory, byte, 0, 1, at);
  closeSync(memory);
}

describe('a process', () => {
  test('whose memory changes in the freeze is found; a bit of its stack is the control', async ({ host }) => {
    const vm = await host.createProcessVm({ command: 'sleep', args: ['100'] });
    vm.start();
    const changed = await host.whileFrozen(vm, () => flipBitOf(vm.stats().pid));
    expect(changed).not.toHavePreservedMemory();
    expect(() => expect(changed).toHavePreservedMemory()).toThrow(
      /1 pages, first 4096 bytes at 0x[0-9a-f]+ in \[stack\] of process \d+; a possible legitimate writer is/,
    );
    expect(await host.whileFrozen(vm, () => {})).toHavePreservedMemory();
  });

  test('keeps its memory; what does not hold for it is refused in both senses', async ({ host }) => {
    const vm = await host.createProcessVm({ command: 'sleep', args: ['100'] });
    vm.start();
    const report = await host.whileFrozen(vm, () => sleep(20));
    expect(report).toHavePreservedMemory();
    const maintained = await host.applyMaintenance();
    expect(maintained).toHavePreservedMemory();
    expect(maintained).toHaveResumedWithin('1h');
    expect(report).toHaveResumedWithin('1h');
    expect(report).not.toHaveResumedWithin('1ms');
    await using scope = host.freeze();
    scope.release();
    await scope.settled();
    using own = vm.freeze();
    own.release();
    await own.settled();
    const refused = expect.objectContaining({ code: 'ERR_NOT_SUPPORTED' });
    for (const evidence of [report, maintained, scope, scope.records(), own, own.records()]) {
      expect(() => expect(evidence).toHaveClockLagBelow('1h')).toThrow(refused);
      expect(() => expect(evidence).not.toHaveClockLagBelow('1h')).toThrow(refused);
      expect(() => expect(evidence).toHaveStoppedMonotonicTime()).toThrow(refused);
      expect(() => expect(evidence).toHaveLostNoSteps()).toThrow(refused);
    }
  });
});

test('a matcher on what proves nothing of the kind says what it takes', () => {
  for (const evidence of [undefined, null, {}, 'report', 5, () => {}]) {
    const act = () => expect(evidence).toHaveResumedWithin('1s');
    expect(act).toThrow(/^Expected a MaintenanceReport, a FreezeReport, FreezeRecords/);
    try {
      act();
    } catch (error) {
      expect(isStandstillError(error, 'ERR_INVALID_OPTION')).toBe(true);
    }
  }
});
