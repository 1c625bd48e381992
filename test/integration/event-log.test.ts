import { EventLog, type HostEvent, type LogEntry } from 'standstill';
import { describe, expect, it } from 'vitest';
import { runningHost } from '../fixtures/hosts.js';
import { patchPath } from '../fixtures/patches.js';

const types = (entries: readonly LogEntry<HostEvent>[]) => entries.map(({ type }) => type);
const ofType = <Type extends HostEvent['type']>(log: EventLog<HostEvent>, type: Type) =>
  log.entries.filter((entry): entry is Extract<LogEntry<HostEvent>, { type: Type }> => entry.type === type);

describe("a host's event log", () => {
  it('tells the life of a VM', async () => {
    const { host, vms } = await runningHost(['kv-store'], { name: 'h' });
    await using _host = host;
    const [vm] = vms;
    vm?.pause();
    vm?.pause();
    vm?.resume();
    vm?.resume();
    vm?.pause();
    await vm?.runUntil((vm?.stats().steps ?? 0) + 1000);
    vm?.close();
    vm?.close();
    await host.close();
    await host.close();
    expect(types(host.log.entries)).toEqual([
      'host-created',
      'vm-created',
      'vm-started',
      'vm-paused',
      'vm-resumed',
      'vm-paused',
      'vm-resumed',
      'vm-paused',
      'vm-closed',
      'host-closed',
    ]);
    expect(host.log.entries.every((entry) => entry.host === 'h')).toBe(true);
  });

  it('tells each impact by the stamps of the guest, inside of what the caller measures', async () => {
    const { host } = await runningHost(['kv-store', 'page-writer'], { updateDomain: 3 });
    await using _host = host;
    const beforeNs = host.log.sinceBeginNs(process.hrtime.bigint());
    const scope = host.freeze();
    scope.release();
    await scope.settled();
    const afterNs = host.log.sinceBeginNs(process.hrtime.bigint());
    const [begin] = ofType(host.log, 'impact-begin');
    const ends = ofType(host.log, 'impact-end');
    expect(ends).toHaveLength(2);
    expect(begin).toMatchObject({ cause: 'freeze', updateDomain: 3 });
    for (const end of ends) {
      expect(end.resumedBy).toBe('caller');
      const order = [beforeNs, end.haltedAtNs, end.releasedAtNs, end.resumedAtNs, afterNs];
      expect(order.toSorted((a, b) => a - b)).toEqual(order);
    }
  });

  it('tells a freeze that is left without waiting for its clocks, too', async () => {
    const { host } = await runningHost(['kv-store']);
    await using _host = host;
    {
      using _scope = host.freeze({ clockSync: { delayMs: 60_000 } });
    }
    await expect.poll(() => ofType(host.log, 'impact-end').length).toBe(1);
  });

  it('tells a maintenance in its phases, with the blackout that its report has', async () => {
    const { host } = await runningHost(['kv-store']);
    await using _host = host;
    const report = await host.applyMaintenance({ patches: [patchPath('writes-file.mjs')], check: true });
    expect(report.ok).toBe(true);
    const log = types(host.log.entries);
    expect(log.indexOf('maintenance-begin')).toBeLessThan(log.indexOf('maintenance-phase'));
    expect(log.at(-1)).toBe('maintenance-end');
    expect(ofType(host.log, 'patch-end')).toMatchObject([{ ok: true }]);
    const impact = ofType(host.log, 'impact-end').find(({ cause }) => cause === 'maintenance');
    expect((impact?.resumedAtNs ?? 0) - (impact?.haltedAtNs ?? 0)).toBe(report.vms[0]?.blackoutNs);
    expect(ofType(host.log, 'impact-end').map(({ cause }) => cause)).toEqual(['maintenance', 'inspection']);
  });

  it('tells a maintenance that was not done, with its code', async () => {
    const { host } = await runningHost(['kv-store']);
    await using _host = host;
    await expect(host.applyMaintenance({ patches: ['/no/such/patch.mjs'] })).rejects.toMatchObject({
      code: 'ERR_PATCH_NOT_FOUND',
    });
    expect(ofType(host.log, 'maintenance-rejected')).toMatchObject([{ code: 'ERR_PATCH_NOT_FOUND' }]);
  });

  it('is written where its maker says', async () => {
    const log = new EventLog<HostEvent>();
    const { host } = await runningHost(['kv-store'], { log });
    await host.close();
    expect(host.log).toBe(log);
    expect(types(log.entries)).toContain('vm-started');
  });
});
