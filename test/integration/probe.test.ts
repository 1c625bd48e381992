// Steady-state probes against real services, real freezes and real maintenances; where the service stops, they say so.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Host, type ProbeSpec, type ProbeTarget, probeEntries, startProbes } from 'standstill';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isAlive } from '../fixtures/guests.js';
import { expectToRun, runningHost } from '../fixtures/hosts.js';
import { patchPath } from '../fixtures/patches.js';
import { servingGuest } from '../fixtures/probe-guest.js';

const TIMEOUT = { timeout: 120_000 };
const PATIENT = { timeoutMs: 30_000 };
const probeModule = (name: string) => fileURLToPath(new URL(`../fixtures/probes/${name}`, import.meta.url));

/** A server in this process; `stop` really stops it. */
async function startServer(status = 200, body = 'all is fine') {
  const server = createServer((_, response) => response.writeHead(status).end(body)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  onTestFinished(stop);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, stop };
}

/** Asks once, and answers the error or null. */
async function askOnce(target: ProbeTarget, timeoutMs = 30_000): Promise<string | null> {
  const probes = await startProbes([{ name: 'one', target, kind: 'start', timeoutMs }]);
  const [summary] = await probes.stop();
  expect(summary?.total.asked).toBe(1);
  return summary?.ok === true ? null : (summary?.problems[0] ?? '');
}

describe('what a probe asks', () => {
  it('HTTP: a status below 400 and the text that is expected', TIMEOUT, async () => {
    const { url, stop } = await startServer();
    const refuses = await startServer(503);
    expect(await askOnce({ http: url })).toBeNull();
    expect(await askOnce({ http: url, expectText: 'is fine' })).toBeNull();
    expect(await askOnce({ http: url, expectText: 'is bad' })).toMatch(/0 %/);
    expect(await askOnce({ http: refuses.url })).toMatch(/0 %/);
    stop();
    expect(await askOnce({ http: url })).toMatch(/0 %/);
  });

  it('a command: its exit code; what is late is killed with its children', TIMEOUT, async () => {
    expect(await askOnce({ command: 'test 1 -lt 2' })).toBeNull();
    expect(await askOnce({ command: ['test', '1', '-lt', '2'] })).toBeNull();
    expect(await askOnce({ command: 'exit 3' })).toMatch(/0 %/);
    expect(await askOnce({ command: ['no-such-program'] })).toMatch(/0 %/);
    const host = await Host.create();
    onTestFinished(() => host.close());
    const file = `${host.directory}/pid`;
    expect(await askOnce({ command: `sleep 1000 & echo $! > ${file}; wait` }, 2000)).toMatch(/0 %/);
    await expect.poll(() => isAlive(Number(readFileSync(file, 'utf8')))).toBe(false);
  });

  it('a module, in a thread of its own: what it answers, throws, and that it cannot be used', TIMEOUT, async () => {
    const module = probeModule('by-option.mjs');
    expect(await askOnce({ module, options: {} })).toBeNull();
    expect(await askOnce({ module, options: { answer: false } })).toMatch(/0 %/);
    expect(await askOnce({ module, options: { fail: 'no' } })).toMatch(/0 %/);
    for (const name of ['no-function.mjs', 'not-there.mjs']) {
      const started = startProbes([{ name: 'bad', target: { module: probeModule(name) } }]);
      await expect(started).rejects.toMatchObject({ code: 'ERR_PROBE_INVALID' });
    }
  });

  it('a module that never loads is not waited for once the probes are aborted', TIMEOUT, async () => {
    const stop = new AbortController();
    const target = { module: new URL('../fixtures/patches/loops-on-load.mjs', import.meta.url) };
    const started = startProbes([{ name: 'loops', target }], { signal: stop.signal });
    setTimeout(() => stop.abort(), 100);
    await expect(started).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  });

  it('one that computes for ever delays no other, and ends with the probes', TIMEOUT, async () => {
    const probes = await startProbes([
      { name: 'loops', target: { module: probeModule('loops.mjs') }, everyMs: 50, timeoutMs: 200 },
      { name: 'well', target: { call: () => {} }, everyMs: 20 },
    ]);
    const asked = (index: number) => probes.summaries()[index]?.total ?? { asked: 0, ok: 0 };
    await expect.poll(() => asked(0).asked).toBeGreaterThan(3);
    await expect.poll(() => asked(1).ok).toBeGreaterThan(10);
    const [loops] = await probes.stop();
    expect(loops?.total.ok).toBe(0);
  });

  it("a guest's invariants: a flipped bit is found", TIMEOUT, async () => {
    const { host, vms } = await runningHost(['kv-store', 'kv-store']);
    onTestFinished(() => host.close());
    const [well, harmed] = vms;
    if (well === undefined || harmed === undefined) throw new Error('Expected two VMs');
    await expect.poll(() => harmed.stats().steps, { timeout: 10_000 }).toBeGreaterThan(20_000);
    harmed.pause();
    for (let page = 0; page < harmed.ramBytes; page += 4096) harmed.flipBit(page + 128, 3);
    expect(await askOnce({ check: well })).toBeNull();
    expect(await askOnce({ check: harmed })).toMatch(/0 %/);
    await expectToRun(well);
  });
});

describe('the phases of a freeze', () => {
  it('a service that stands still does not answer, and does before and after', TIMEOUT, async () => {
    await using host = await Host.create();
    const { vm, http, tcp } = await servingGuest(host);
    const every = { everyMs: 20, timeoutMs: 150 };
    const probes = await startProbes(
      [
        { name: 'http', target: { http }, ...every },
        { name: 'answers', target: { tcp, send: 'PING', expectText: 'PONG' }, ...every },
        { name: 'accepts', target: { tcp }, ...every },
        { name: 'control', target: { call: () => {} }, ...every },
        { name: 'edges', target: { call: () => {} }, kind: 'edge' },
        { name: 'end', target: { http }, kind: 'end', ...PATIENT },
      ],
      { log: host.log },
    );
    const http0 = () => probes.summaries()[0];
    await expect.poll(() => http0()?.before.ok ?? 0, { timeout: 30_000 }).toBeGreaterThan(5);
    const scope = host.freeze({ vms: [vm], handshakeTimeoutMs: 10_000 });
    await sleep(1000);
    scope.release();
    await scope.settled();
    await expect.poll(() => http0()?.after.ok ?? 0, { timeout: 30_000 }).toBeGreaterThan(5);
    const [httpFound, answers, accepts, control, edges, end] = await probes.stop();
    for (const found of [httpFound, answers]) {
      expect(found?.before.okShare).toBeGreaterThan(0);
      expect(found?.during.okShare).toBeLessThan(1);
      // As long as the freeze, but for what an ask under way bears, and for what this process was late itself.
      const impact = host.log.entries.find((entry) => entry.type === 'impact-end');
      if (impact?.type !== 'impact-end' || found == null) throw new Error('Expected an impact and a summary');
      const stoodNs = impact.resumedAtNs - impact.haltedAtNs;
      expect(found.longestOutageNs).toBeGreaterThan(stoodNs - 150e6 - 2 * 20e6 - found.lateMaxNs);
    }
    // The kernel accepts for a process that stands still: a connection alone proves nothing.
    expect(accepts?.during.ok).toBeGreaterThan(0);
    expect(control).toMatchObject({ total: { okShare: 1 }, longestOutageNs: 0 });
    expect(edges).toMatchObject({ ok: true, total: { asked: 2 }, during: { asked: 1 }, after: { asked: 1 } });
    expect(end).toMatchObject({ ok: true, after: { asked: 1 } });
  });

  it('each answer is an entry of the log, from which the summary follows', TIMEOUT, async () => {
    await using host = await Host.create();
    const probes = await startProbes([{ name: 'api', target: { call: () => {} }, everyMs: 10 }], { log: host.log });
    await expect.poll(() => probes.summaries()[0]?.total.asked ?? 0).toBeGreaterThan(10);
    await host.applyMaintenance();
    await expect.poll(() => probes.summaries()[0]?.after.asked ?? 0).toBeGreaterThan(2);
    const [summary] = await probes.stop();
    const answers = probeEntries(host.log.entries);
    expect(answers).toHaveLength(summary?.total.asked ?? -1);
    for (const phase of ['before', 'during', 'after'] as const) {
      expect(answers.filter((entry) => entry.type === 'probe' && entry.phase === phase)).toHaveLength(
        summary?.[phase].asked ?? -1,
      );
    }
  });
});

describe('what is unhealthy', () => {
  it('stops a maintenance: its VMs run, and the log says why', TIMEOUT, async () => {
    const { host, vms } = await runningHost();
    onTestFinished(() => host.close());
    const { url, stop } = await startServer();
    const api: ProbeSpec = { name: 'api', target: { http: url }, everyMs: 20, ...PATIENT };
    await using probes = await startProbes([{ ...api, abort: { okShareMin: 0.5, windowMs: 200 } }], { log: host.log });
    await expect.poll(() => probes.summaries()[0]?.total.ok ?? 0).toBeGreaterThan(3);
    const maintenance = host.applyMaintenance({
      patches: [{ module: patchPath('waits.mjs') }],
      budgetMs: 100_000,
      signal: probes.unhealthy,
    });
    await expect.poll(() => vms[0]?.state).toBe('paused');
    expect(probes.unhealthy.aborted).toBe(false);
    stop();
    await expect(maintenance).rejects.toMatchObject({
      code: 'ERR_ABORTED',
      cause: { code: 'ERR_PROBE_FAILED', message: expect.stringMatching(/50 % .* 'api' .* 6 of 10/) },
    });
    for (const vm of vms) await expectToRun(vm);
    expect(probeEntries(host.log.entries).filter(({ type }) => type === 'probe-unhealthy')).toHaveLength(1);
  });

  it('at the start, is known before anything begins', TIMEOUT, async () => {
    const { url, stop } = await startServer();
    stop();
    const spec: ProbeSpec = { name: 'api', target: { http: url }, kind: 'start', abort: { okShareMin: 1 } };
    await using probes = await startProbes([spec, { name: 'well', target: { call: () => true }, kind: 'start' }]);
    expect(probes.unhealthy.reason).toMatchObject({ code: 'ERR_PROBE_FAILED' });
    expect(probes.summaries().map(({ ok }) => ok)).toEqual([false, true]);
  });

  it('after the resume, by a maintenance that asks it: it takes its bundles back', TIMEOUT, async () => {
    const { host } = await runningHost();
    onTestFinished(() => host.close());
    const { url, stop } = await startServer();
    await using probes = await startProbes([{ name: 'api', target: { http: url }, kind: 'edge', ...PATIENT }]);
    const gate = { name: 'api', probe: () => probes.ask('api') };
    expect(await host.applyMaintenance({ probes: [gate] })).toMatchObject({ ok: true });
    stop();
    expect(await host.applyMaintenance({ probes: [gate] })).toMatchObject({ ok: false });
    await expect(probes.ask('apl')).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  });
});

it('a check gives way to maintenances, and keeps none of them from its freeze', TIMEOUT, async () => {
  const host = await Host.create();
  onTestFinished(() => host.close());
  const vm = await host.createVm({ program: 'kv-store', memory: '64 MiB' });
  vm.start();
  const probes = await startProbes([{ name: 'store', target: { check: vm }, kind: 'end', ...PATIENT }], {
    log: host.log,
  });
  for (let i = 0; i < 10; i++) {
    const asked = probes.ask('store');
    await host.applyMaintenance({ proof: 'none', check: false });
    expect(await asked).toBe(true);
  }
  expect(await probes.stop()).toMatchObject([{ ok: true, total: { asked: 11, ok: 11 } }]);
});

it('a signal ends the probes at once; what was under way does not count', TIMEOUT, async () => {
  const stop = new AbortController();
  const hangs: ProbeSpec = { name: 'hangs', target: { call: () => new Promise(() => {}) }, timeoutMs: 3_600_000 };
  const probes = await startProbes([hangs, { name: 'end', target: { call: () => {} }, kind: 'end' }], {
    signal: stop.signal,
  });
  stop.abort();
  expect(await probes.stop()).toMatchObject([{ total: { asked: 0 } }, { total: { asked: 0 } }]);
  await expect(startProbes([], { signal: stop.signal })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
});

it.each<[string, unknown, string]>([
  ['no name', [{ target: { http: 'http://a' } }], 'ERR_INVALID_OPTION'],
  ['two of a name', Array(2).fill({ name: 'a', target: { http: 'http://a' } }), 'ERR_INVALID_OPTION'],
  ['an unknown option', [{ name: 'a', target: { http: 'http://a' }, evry: 5 }], 'ERR_UNKNOWN_OPTION'],
  ['no target', [{ name: 'a', target: {} }], 'ERR_INVALID_OPTION'],
  ['two targets', [{ name: 'a', target: { http: 'http://a', tcp: 'a:1' } }], 'ERR_INVALID_OPTION'],
  ['no port', [{ name: 'a', target: { tcp: 'localhost' } }], 'ERR_INVALID_OPTION'],
  ['no URL', [{ name: 'a', target: { http: 'ftp://a' } }], 'ERR_INVALID_OPTION'],
  ['no VM', [{ name: 'a', target: { check: 'web-0' }, kind: 'end' }], 'ERR_INVALID_OPTION'],
  ['a share above 1', [{ name: 'a', target: { tcp: 'a:1' }, okShareMin: 95 }], 'ERR_INVALID_OPTION'],
  ['no time between', [{ name: 'a', target: { tcp: 'a:1' }, everyMs: 0 }], 'ERR_INVALID_OPTION'],
  ['no array', {}, 'ERR_INVALID_OPTION'],
])('refuses %s', async (_, specs, code) => {
  await expect(startProbes(specs as ProbeSpec[])).rejects.toMatchObject({ code, message: /^(Expected|Unknown)/ });
});

it('refuses to check all the time, which would halt the VM all the time', TIMEOUT, async () => {
  const { host, vms } = await runningHost();
  onTestFinished(() => host.close());
  const spec = { name: 'a', target: { check: vms[0] as never } };
  await expect(startProbes([spec])).rejects.toThrow("Expected 'start', 'end' or 'edge', as a check halts its VM, for");
});
