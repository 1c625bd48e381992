import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  Host,
  type MaintenanceEvent,
  type MaintenanceReport,
  MetadataServer,
  PROCESS_CLOCKS,
  type ProcessVm,
} from 'standstill';
import { describe, expect, it } from 'vitest';
import { Workshop } from '../../fixtures/bundles.js';
import { withTemporaryFolder } from '../../fixtures/cli.js';
import { startedVm } from '../../fixtures/hosts.js';
import { acknowledge } from '../../fixtures/metadata.js';
import { patchPath } from '../../fixtures/patches.js';

const TIMEOUT = { timeout: 60_000 };
const HANDSHAKE = { handshakeTimeoutMs: 10_000 };
const SHELL = '/bin/sh';
const PATTERN = 'standstill-pattern-';

/** Two shells that count, and one of Node with a pattern in its memory. */
const NODE = `const b = Buffer.alloc(1 << 20, '${PATTERN}'); console.log('up'); setInterval(() => { b[0] = 1; }, 1)`;
const TREE = `while :; do i=$((i+1)); done & exec "$0" -e "${NODE.replaceAll('"', '\\"')}"`;

async function startedTree(host: Host, name = 'tree'): Promise<ProcessVm> {
  const vm = await host.createProcessVm({
    ...{ name, command: SHELL, args: ['-c', TREE, process.execPath], ready: { line: 'up' } },
  });
  vm.start();
  await vm.ready();
  return vm;
}

const untilPhase =
  (phase: string, act: () => void) =>
  (event: MaintenanceEvent): void => {
    if (event.type === 'phase' && event.phase === phase) act();
  };

describe('a maintenance over both kinds of guests', () => {
  it('freezes, proves and resumes both; what a process does not have is null', TIMEOUT, async () => {
    await using host = await Host.create();
    const emulated = await startedVm(host, { program: 'kv-store', name: 'emulated' });
    const tree = await startedTree(host);
    const report = await host.applyMaintenance({ ...HANDSHAKE, patches: [patchPath('appends.mjs')] });
    expect(report.problems).toEqual([]);
    expect(report).toMatchObject({ ok: true, result: 'done', proof: 'deferred' });
    const [first, second] = report.vms;
    expect(first).toMatchObject({ name: 'emulated', kind: 'emulated', proof: 'deferred', process: null });
    expect(first?.clocks.holds).toContain('monotonic-stands-still');
    expect(second).toMatchObject({
      ...{ name: 'tree', kind: 'process', program: SHELL, wasRunning: true, resumedBy: 'caller', rebooted: false },
      ...{ proof: 'full', memory: 'preserved', difference: null, unprovenReason: null, problem: null },
      ...{ stepsBefore: null, stepsAfter: null, invariantsOk: null, ticker: null, syncedBy: null },
      ...{ clockLagBeforeNs: null, clockLagAfterNs: null, clockBracketNs: null, clockOff: false },
      clocks: PROCESS_CLOCKS,
      process: {
        ...{ freezer: tree.freezer, pid: tree.stats().pid, processes: 2, outsideGroup: 0, restarts: 0, ending: null },
        log: [{ stream: 'stdout', text: 'up' }],
      },
    });
    expect(second?.digestBefore).toMatch(/^[0-9a-f]{16}$/);
    expect(second?.digestAfter).toBe(second?.digestBefore);
    expect(second?.bytesReadInFreeze).toBeGreaterThan(2 << 20);
    const { haltNs = 0, digestNs = 0, patchNs = 0, resumeNs = 0 } = second?.phases ?? {};
    expect(haltNs + digestNs + patchNs + resumeNs).toBe(second?.blackoutNs);
    expect(digestNs).toBeGreaterThan(0);
    // Both stood still together: the report is of one freeze.
    const impacts = host.log.entries.filter((entry) => entry.type === 'impact-end' && entry.cause === 'maintenance');
    expect(impacts).toMatchObject([{ vm: 'emulated' }, { vm: 'tree' }]);
    expect(tree.state).toBe('running');
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    expect(emulated.kind).toBe('emulated');
  });

  it('the proof is optional, and a process not started has nothing to be proved', TIMEOUT, async () => {
    await using host = await Host.create();
    await startedTree(host);
    await host.createProcessVm({ command: 'true', name: 'idle' });
    const unproven = await host.applyMaintenance({ ...HANDSHAKE, proof: 'none' });
    expect(unproven.vms[0]).toMatchObject({ proof: 'none', memory: 'unproven', bytesRead: 0, digestBefore: null });
    expect(unproven.vms[0]?.phases.digestNs).toBe(0);
    const report = await host.applyMaintenance({ ...HANDSHAKE, proof: 'sampled' });
    expect(report.problems).toEqual([]);
    expect(report.vms).toMatchObject([
      { name: 'tree', proof: 'full', memory: 'preserved' },
      { name: 'idle', wasRunning: false, memory: 'preserved', bytesRead: 0, blackoutNs: 0 },
    ]);
  });

  it('control: a byte that a debugger writes in the freeze is found, with its mapping', TIMEOUT, async () => {
    await using host = await Host.create();
    const tree = await startedTree(host);
    const heap = () => /^([0-9a-f]+)-.*\[heap\]$/m.exec(readFileSync(`/proc/${tree.stats().pid}/maps`, 'utf8'))?.[1];
    const write = () => {
      const fd = openSync(`/proc/${tree.stats().pid}/mem`, 'r+');
      writeSync(fd, 'x', Number.parseInt(heap() ?? '', 16) + 64);
      closeSync(fd);
    };
    const report = await host.applyMaintenance({ ...HANDSHAKE, onEvent: untilPhase('patch', write) });
    expect(report).toMatchObject({ ok: false, result: 'aborted: health' });
    expect(report.vms[0]).toMatchObject({
      memory: 'changed',
      difference: { change: 'content', mapping: '[heap]', possibleWriter: expect.stringContaining('io_uring') },
    });
    expect(report.problems[0]).toMatch(
      /^tree: memory changed: 1 pages, first 4096 bytes at 0x[0-9a-f]+ in \[heap\] of process \d+; a possible legitimate writer is asynchronous I\/O/,
    );
  });

  it('the deadline thaws a process although the patch hangs, and the report says so', TIMEOUT, async () => {
    await using host = await Host.create({ patchGraceMs: 0 });
    const tree = await startedTree(host);
    const patches = [patchPath('ignores-cancellation.mjs')];
    const report = await host.applyMaintenance({ budgetMs: 1500, handshakeTimeoutMs: 1500, patches });
    expect(report).toMatchObject({ ok: false, result: 'aborted: budget' });
    expect(report.vms[0]?.blackoutNs).toBeGreaterThan(0);
    expect(tree.state).toBe('running');
  });
});

/** A maintenance in whose freeze the guest is killed, and which goes on once that is known. */
async function killedInFreeze(host: Host, pid: number, isKnown: () => boolean): Promise<MaintenanceReport> {
  let report: MaintenanceReport | undefined;
  await withTemporaryFolder(async ({ path }) => {
    const file = join(path, 'go-on');
    const kill = () => {
      process.kill(pid, 'SIGKILL');
      void expect
        .poll(isKnown, TIMEOUT)
        .toBe(true)
        .then(() => writeFileSync(file, ''));
    };
    const patches = [{ module: patchPath('waits-for-file.mjs'), options: { path: file } }];
    report = await host.applyMaintenance({ ...HANDSHAKE, patches, onEvent: untilPhase('patch', kill) });
  });
  if (report === undefined) throw new Error('a maintenance that is not rejected has a report');
  return report;
}

describe('a process that is not well', () => {
  it('has ended before: nothing is frozen, and no patch is applied', TIMEOUT, async () => {
    await using host = await Host.create();
    const emulated = await startedVm(host, { program: 'kv-store' });
    const ended = await host.createProcessVm({
      command: SHELL,
      args: ['-c', 'echo gone wrong; exit 3'],
      name: 'ended',
    });
    ended.start();
    await expect.poll(() => ended.state).toBe('faulted');
    const applying = host.applyMaintenance({ patches: [patchPath('appends.mjs')] });
    await expect(applying).rejects.toMatchObject({
      code: 'ERR_PROCESS_ENDED',
      message: expect.stringMatching(/exited with 3; it wrote last:\n {2}gone wrong/),
    });
    expect(emulated.state).toBe('running');
  });

  it('is killed while it is frozen: the report says how it ended', TIMEOUT, async () => {
    await using host = await Host.create();
    const vm = await host.createProcessVm({ command: 'sleep', args: ['1000'], name: 'victim', freezer: 'signal' });
    vm.start();
    const { pid } = vm.stats();
    const report = await killedInFreeze(host, pid, () => vm.state === 'faulted');
    expect(report).toMatchObject({ ok: false, result: 'aborted: health' });
    expect(report.vms[0]).toMatchObject({
      problem: 'its process was ended by SIGKILL',
      process: { ending: { exitCode: null, signal: 'SIGKILL' } },
    });
    expect(report.problems).toContain('victim: its process was ended by SIGKILL');
  });

  it('is killed while it is frozen and has a restart policy: it runs when the freeze is left', TIMEOUT, async () => {
    await using host = await Host.create();
    const options = { command: 'sleep', args: ['1000'], freezer: 'signal' } as const;
    const vm = await host.createProcessVm({ ...options, name: 'victim', restart: 'always' });
    const bystander = await host.createProcessVm({ ...options, name: 'bystander' });
    for (const each of [vm, bystander]) each.start();
    const { pid } = vm.stats();
    const statesInFreeze: string[] = [];
    const isTold = () => {
      const told = host.log.entries.some((entry) => entry.type === 'vm-faulted');
      if (told) statesInFreeze.push(vm.state, bystander.state);
      return told;
    };
    const report = await killedInFreeze(host, pid, isTold);
    expect(statesInFreeze).toEqual(['faulted', 'paused']);
    expect(report).toMatchObject({ ok: false, result: 'aborted: health' });
    expect(report.vms).toMatchObject([
      {
        memory: 'unproven',
        problem: 'its process ended in the maintenance and was started again',
        process: { ending: null, restarts: 1 },
      },
      { memory: 'preserved', problem: null, process: { restarts: 0 } },
    ]);
    expect(vm.stats()).toMatchObject({ state: 'running', restarts: 1 });
    expect(vm.stats().pid).not.toBe(pid);
  });

  it('flips no bit, and says why', TIMEOUT, async () => {
    await using host = await Host.create();
    const tree = await startedTree(host);
    const faults = [{ kind: 'flip-bit', vm: 'tree', gpa: 0, bit: 0 }] as const;
    await expect(host.applyMaintenance({ faults })).rejects.toMatchObject({
      code: 'ERR_NOT_SUPPORTED',
      message: expect.stringContaining('its memory is not changed from outside'),
    });
    expect(tree.state).toBe('running');
  });
});

describe('bundles, hooks, probes, plans, second impacts and reboots are the same', () => {
  it('a bundle is switched in the freeze of a process alone, and hooks and probes are asked', TIMEOUT, async () => {
    using workshop = new Workshop();
    const bundle = await workshop.bundle();
    await using host = await Host.create({ trustedKeys: [workshop.keys.publicKey] });
    await workshop.install(host);
    const tree = await startedTree(host);
    const seen: string[] = [];
    const report = await host.applyMaintenance({
      ...HANDSHAKE,
      patches: [{ bundle }],
      secondImpact: { afterMs: 1, durationMs: 50 },
      onBeforeFreeze: ({ vms }) => void seen.push(`before ${vms} ${tree.state}`),
      onAfterResume: ({ vms }) => void seen.push(`after ${vms} ${tree.state}`),
      probes: [{ name: 'runs', probe: () => tree.state === 'running' }],
    });
    expect(report.problems).toEqual([]);
    expect(report.update).toMatchObject({ outcome: 'committed', stagedInFreeze: false });
    expect(host.components.get('agent')?.version).toBe('1.1.0');
    expect(seen).toEqual(['before tree running', 'after tree running']);
    expect(report.health).toMatchObject([
      { name: 'onAfterResume' },
      { name: 'runs', ok: true },
      { name: 'components' },
    ]);
    expect(report.secondImpact?.blackoutNs.tree).toBeGreaterThan(0);
  });

  it('a pinned process is not paused', TIMEOUT, async () => {
    await using host = await Host.create();
    const vm = await host.createProcessVm({ command: 'sleep', args: ['1000'], name: 'db', pinned: true });
    vm.start();
    const plan = await host.planMaintenance();
    expect(plan).toMatchObject({ qualifies: false, vms: ['db'], refusals: [{ reason: 'vm-pinned' }] });
    await expect(host.applyMaintenance()).rejects.toMatchObject({ code: 'ERR_PATCH_REFUSED' });
  });

  it('a patch of class reboot ends the process, and starts it again until it is ready', TIMEOUT, async () => {
    using workshop = new Workshop();
    const bundle = await workshop.bundle({ impact: 'reboot' });
    await using host = await Host.create({ trustedKeys: [workshop.keys.publicKey] });
    await workshop.install(host);
    const tree = await startedTree(host);
    const { pid } = tree.stats();
    const stood = await startedTree(host, 'stood');
    stood.pause({ timeoutMs: 10_000 });
    const report = await host.applyMaintenance({ patches: [{ bundle }], allowReboot: true });
    expect(report.problems).toEqual([]);
    expect(report.vms).toMatchObject([
      { name: 'tree', rebooted: true, memory: 'lost', wasRunning: true, stepsBefore: null, clockLagAfterNs: null },
      { name: 'stood', rebooted: true, wasRunning: false, blackoutNs: 0 },
    ]);
    expect(report.vms[0]?.blackoutNs).toBeGreaterThan(0);
    expect(tree.state).toBe('running');
    expect(tree.stats().pid).not.toBe(pid);
    expect(tree.logTail(1)).toMatchObject([{ text: 'up' }]);
    expect(stood.state).toBe('paused');
  });

  it('guests hear of a maintenance by their metadata service, and are frozen within its event', TIMEOUT, async () => {
    await using metadata = new MetadataServer({ settleMs: 20 });
    await using host = await Host.create({ metadata });
    const tree = await startedTree(host);
    const applying = host.applyMaintenance({ ...HANDSHAKE, vms: [tree] });
    await expect.poll(() => metadata.state().events.map(({ type }) => type)).toContain('Freeze');
    for (const { id } of metadata.state().events) await acknowledge(tree.metadataUrl ?? '', id);
    const report = await applying;
    expect(report.notice?.dueBy).toBe('acknowledged');
    const types = host.log.entries.map(({ type }) => type);
    expect(types.indexOf('event-started')).toBeLessThan(types.indexOf('impact-begin'));
  });
});
