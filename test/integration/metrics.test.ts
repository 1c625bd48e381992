// Prometheus metrics: the text is what a scraper reads, and its values are those of the reports.
import { spawnSync } from 'node:child_process';
import { Fleet, hostMetrics, MetadataServer, startProbes } from 'standstill';
import { describe, expect, it } from 'vitest';
import { runCli } from '../fixtures/cli.js';
import { runningHost, startedVm } from '../fixtures/hosts.js';
import { patchPath } from '../fixtures/patches.js';
import { parseMetrics, sampleValue } from '../fixtures/prometheus.js';
import { withServe } from '../fixtures/serve.js';

const TIMEOUT = { timeout: 120_000 };
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

describe("a host's metrics", () => {
  it('are those of the reports', TIMEOUT, async () => {
    const { host, vms } = await runningHost(['kv-store', 'page-writer'], { name: 'h' });
    await using _host = host;
    const early = await host.applyMaintenance({ patches: [patchPath('appends.mjs')], check: false });
    using metrics = hostMetrics(host);
    const late = await host.applyMaintenance({ patches: [patchPath('throws.mjs')], check: false });
    await expect(host.applyMaintenance({ patches: [patchPath('no-function.mjs')] })).rejects.toThrow();
    const found = parseMetrics(await metrics.text());
    const value = (name: string, labels: Record<string, string> = {}) =>
      sampleValue(found, name, { host: 'h', ...labels });

    const blackoutsNs = [early, late].flatMap((report) => report.vms.map(({ blackoutNs }) => blackoutNs));
    const sumNs = blackoutsNs.reduce((sum, each) => sum + each, 0);
    expect(value('standstill_blackout_seconds_count', { cause: 'maintenance' })).toBe(blackoutsNs.length);
    expect(value('standstill_blackout_seconds_sum', { cause: 'maintenance' })).toBeCloseTo(sumNs / 1e9, 9);
    const below = blackoutsNs.filter((each) => each <= 5e6).length;
    expect(value('standstill_blackout_seconds_bucket', { cause: 'maintenance', le: '0.005' })).toBe(below);

    for (const [patch, { patches }, ok] of [
      ['appends', early, 'true'],
      ['throws', late, 'false'],
    ] as const) {
      expect(value('standstill_patch_duration_seconds_count', { patch, ok })).toBe(1);
      const durationNs = patches[0]?.durationNs ?? Number.NaN;
      expect(value('standstill_patch_duration_seconds_sum', { patch })).toBeCloseTo(durationNs / 1e9, 9);
    }
    expect(value('standstill_maintenances_total', { result: 'ok' })).toBe(1);
    expect(value('standstill_maintenances_total', { result: 'not_ok' })).toBe(1);
    expect(value('standstill_maintenances_total', { result: 'rejected' })).toBe(1);
    expect(vms).toHaveLength(2);
  });

  it('are of the moment of the scrape: states, dirty pages, snapshot memory', TIMEOUT, async () => {
    const { host, vms } = await runningHost(['kv-store', 'page-writer'], { name: 'h' });
    await using _host = host;
    using metrics = hostMetrics(host);
    const [first, second] = vms;
    for (const vm of vms) await expect.poll(() => vm.stats().steps).toBeGreaterThan(1000);
    first?.pause();
    second?.pause();
    first?.endEpoch();
    await second?.snapshot();
    let found = parseMetrics(await metrics.text());
    expect(sampleValue(found, 'standstill_vms', { state: 'paused' })).toBe(2);
    expect(sampleValue(found, 'standstill_vms', { state: 'running' })).toBe(0);
    expect(sampleValue(found, 'standstill_vm_dirty_pages_total', { vm: first?.name ?? '' })).toBe(
      first?.stats().dirtyPagesTotal,
    );
    expect(first?.stats().dirtyPagesTotal).toBeGreaterThan(0);
    expect(sampleValue(found, 'standstill_snapshot_held_bytes', {})).toBe(host.snapshotMemory.heldBytes);
    expect(host.snapshotMemory.heldBytes).toBeGreaterThan(0);
    expect(sampleValue(found, 'standstill_snapshot_limit_bytes', {})).toBe(host.snapshotMemory.limitBytes);
    first?.close();
    second?.resume();
    found = parseMetrics(await metrics.text());
    expect(sampleValue(found, 'standstill_vms', { state: 'paused' })).toBe(0);
    expect(found.get('standstill_vm_dirty_pages_total')?.samples).toHaveLength(1);
  });

  it('of scheduled events: those present by status, those gone by reason', TIMEOUT, async () => {
    await using metadata = new MetadataServer({ settleMs: 0 });
    const { host } = await runningHost([], { name: 'h', metadata });
    await using _host = host;
    await startedVm(host, { program: 'idle', name: 'web-0' });
    using metrics = hostMetrics(host);
    const gauge = async (status: string) =>
      sampleValue(parseMetrics(await metrics.text()), 'standstill_scheduled_events', { type: 'Freeze', status });
    const [raised] = metadata.raise({ type: 'Freeze', noticeMs: 3_600_000, durationMs: 10 });
    expect(await gauge('Scheduled')).toBe(1);
    metadata.cancel(raised?.id ?? '');
    expect(await gauge('Scheduled')).toBe(0);
    metadata.raise({ type: 'Freeze', noticeMs: 0, durationMs: 10 });
    const ended = async (reason: string) =>
      parseMetrics(await metrics.text())
        .get('standstill_scheduled_events_ended_total')
        ?.samples.find(({ labels }) => labels.reason === reason)?.value;
    await expect.poll(() => ended('completed')).toBe(1);
    expect(await ended('cancelled')).toBe(1);
    expect([await gauge('Scheduled'), await gauge('Started')]).toEqual([0, 0]);
  });

  it('count the answers of probes', TIMEOUT, async () => {
    const { host } = await runningHost();
    await using _host = host;
    using metrics = hostMetrics(host);
    const probes = await startProbes([{ name: 'api', target: { call: () => {} }, kind: 'edge' }], { log: host.log });
    await probes.ask('api');
    await probes.stop();
    const found = parseMetrics(await metrics.text());
    const labels = { probe: 'api', ok: 'true', phase: 'before' };
    expect(sampleValue(found, 'standstill_probe_latency_seconds_count', labels)).toBe(1);
  });
});

it("a fleet's metrics are those of all of its hosts", TIMEOUT, async () => {
  await using fleet = await Fleet.create({ hosts: 2, updateDomains: 2 });
  for (let i = 0; i < 2; i++) (await fleet.createVm({ program: 'idle', memory: '1 MiB' })).start();
  using metrics = hostMetrics(fleet);
  const report = await fleet.rollout({ patches: [patchPath('appends.mjs')] });
  expect(report.ok).toBe(true);
  const found = parseMetrics(await metrics.text());
  for (const { name: host } of fleet.hosts) {
    expect(sampleValue(found, 'standstill_maintenances_total', { host, result: 'ok' })).toBe(1);
    expect(sampleValue(found, 'standstill_blackout_seconds_count', { host, cause: 'maintenance' })).toBe(1);
  }
});

describe('standstill serve --metrics', () => {
  it('a scraper reads it, without a token', TIMEOUT, async () => {
    const flags = ['--metrics', '127.0.0.1:0', '--raise', 'Freeze', '--notice', '0s', '--duration', '10ms'];
    await withServe([...flags, '--settle', '0s', '--program', 'page-writer'], async ({ metrics, lines }) => {
      await expect.poll(() => lines.map(({ type }) => type), { timeout: 60_000 }).toContain('event-removed');
      const response = await fetch(metrics ?? '');
      expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
      const text = await response.text();
      const found = parseMetrics(text);
      expect(sampleValue(found, 'standstill_blackout_seconds_count', { cause: 'freeze' })).toBe(1);
      expect(sampleValue(found, 'standstill_scheduled_events_ended_total', { reason: 'completed' })).toBe(1);
      if (hasPromtool)
        expect(spawnSync('promtool', ['check', 'metrics'], { input: text })).toMatchObject({ status: 0 });
      expect((await fetch(new URL('/', metrics ?? ''))).status).toBe(404);
    });
  });

  it('is told in the plain output, too, and keeps to this machine', TIMEOUT, async () => {
    await withServe([], async ({ metrics }) => expect(metrics).toBeNull());
    const refused = await runCli(['serve', '--metrics', '0.0.0.0:0']);
    expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
    expect(refused.stderr).toMatch(
      /for the metrics but received '0\.0\.0\.0'.*can read of the VMs.*ERR_ADDRESS_PUBLIC/,
    );
    expect(await runCli(['serve', '--metrics', 'nonsense'])).toMatchObject({ exitCode: 2 });
  });
});

describe('the reader of this test', () => {
  it.each([
    ['no TYPE', 'a_total 1\n'],
    ['a counter without _total', '# HELP a b\n# TYPE a counter\na 1\n'],
    ['the same sample twice', '# HELP a b\n# TYPE a gauge\na 1\na 2\n'],
    ['milliseconds', '# HELP a_ms b\n# TYPE a_ms gauge\na_ms 1\n'],
    ['a value that is none', '# HELP a b\n# TYPE a gauge\na one\n'],
    ['buckets that fall', '# HELP a b\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_count 1\n'],
  ])('refuses %s', (_, text) => {
    expect(() => parseMetrics(text)).toThrow(/^Expected/);
  });
});
