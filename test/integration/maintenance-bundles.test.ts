import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AnnouncedImpact,
  type BundleOptions,
  generateKeyPair,
  Host,
  type HostOptions,
  type ImpactNotice,
  type MaintenanceEvent,
  type MaintenanceOptions,
  type MaintenanceReport,
  readBundleHead,
  type Vm,
} from 'standstill';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { archiveOf, Workshop } from '../fixtures/bundles.js';
import { expectToRun, retryWhereNoneHalts, startedVm } from '../fixtures/hosts.js';
import { patchPath } from '../fixtures/patches.js';

let workshop: Workshop;
let host: Host;
beforeEach(() => {
  workshop = new Workshop();
});
afterEach(async () => {
  await host.close();
  workshop[Symbol.dispose]();
});

/** A host that trusts the workshop's key, has an agent at 1.0.0, and VMs that run. */
async function start(programs: readonly string[] = ['kv-store'], options: HostOptions = {}): Promise<Vm[]> {
  host = await Host.create({ trustedKeys: [workshop.keys.publicKey], ...options });
  await workshop.install(host);
  const vms: Vm[] = [];
  for (const program of programs) vms.push(await startedVm(host, { program }));
  return vms;
}

const versionOf = (component = 'agent') => host.components.get(component)?.version;
const pausedNs = (vm: Vm | undefined) => vm?.stats().clock.pausedTotalNs;

/** The old version is current and whole, and nothing of the update is left. */
async function expectOldVersion(): Promise<void> {
  expect(await host.components.verify('agent')).toMatchObject({ version: '1.0.0', previousVersion: null });
  expect(existsSync(join(host.components.root, '.staging', 'agent'))).toBe(false);
}

describe('a bundle of class pause', () => {
  it('is applied in a freeze, and the VMs are as they were', async () => {
    const [vm] = await start(['kv-store', 'ticker']);
    const phases: string[] = [];
    const onEvent = (event: MaintenanceEvent) => {
      if (event.type === 'phase') phases.push(event.phase);
    };
    const report = await host.applyMaintenance({ patches: [await workshop.bundle()], onEvent, budgetMs: 60_000 });
    expect(report.problems).toEqual([]);
    expect(report).toMatchObject({ ok: true, result: 'done', impact: 'pause', secondImpact: null, notice: null });
    expect(report.patches).toMatchObject([
      {
        name: 'agent-update',
        kind: 'bundle',
        impact: 'pause',
        status: 'applied',
        component: { name: 'agent', from: '1.0.0', to: '1.1.0' },
      },
    ]);
    expect(report.update).toMatchObject({ outcome: 'committed', stagedInFreeze: false });
    expect(report.update?.savedNs).toBe(report.update?.stagingNs);
    expect(report.update?.stagingNs).toBeGreaterThan(0);
    expect(report.health).toMatchObject([{ name: 'components', ok: true }]);
    expect(report.vms.map(({ memory }) => memory)).toEqual(['preserved', 'preserved']);
    expect(phases).toEqual([
      'pre-stage',
      'quiesce',
      'freeze',
      'digest-at-halt',
      'patch',
      'digest-at-release',
      'release',
      'clock-sync',
      'digest-after-release',
      'check',
      'commit',
      'done',
    ]);
    expect(await host.components.verify('agent')).toMatchObject({ version: '1.1.0', previousVersion: '1.0.0' });
    const switched = host.components.journal().find(({ step }) => step === 'switched');
    expect(switched).toMatchObject({ component: 'agent', generation: expect.any(Number) });
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    if (vm !== undefined) await expectToRun(vm);
  });

  it('control: staged inside the freeze, it costs the VMs that time', async () => {
    await start();
    const report = await host.applyMaintenance({ patches: [await workshop.bundle()], preStage: false });
    expect(report).toMatchObject({ ok: true, update: { outcome: 'committed', stagedInFreeze: true, savedNs: 0 } });
    expect(report.vms[0]?.phases.patchNs).toBeGreaterThan(report.update?.stagingNs ?? Number.NaN);
  });

  it('goes back to the version before, on demand', async () => {
    await start();
    await host.applyMaintenance({ patches: [await workshop.bundle()] });
    await host.components.rollback('agent');
    expect(await host.components.verify('agent')).toMatchObject({ version: '1.0.0', previousVersion: '1.1.0' });
  });

  it('is taken back with a module that fails, or hangs, in the same maintenance', async () => {
    const [vm] = await start();
    const bundle = await workshop.bundle();
    const failed = await host.applyMaintenance({ patches: [bundle, patchPath('throws.mjs')] });
    expect(failed).toMatchObject({ ok: false, result: 'aborted: patch', update: { outcome: 'rolled-back' } });
    expect(failed.patches).toMatchObject([
      { status: 'rolled-back', error: { code: 'ERR_PATCH_ROLLED_BACK' } },
      { kind: 'module', status: 'failed' },
    ]);
    await expectOldVersion();
    const hung = await host.applyMaintenance({ patches: [bundle, patchPath('waits.mjs')], budgetMs: 3000 });
    expect(hung).toMatchObject({ ok: false, result: 'aborted: budget', update: { outcome: 'rolled-back' } });
    await expectOldVersion();
    const garbage = { module: patchPath('returns-garbage.mjs'), options: {} };
    const returned = await host.applyMaintenance({ patches: [bundle, garbage] });
    expect(returned).toMatchObject({ result: 'aborted: patch', update: { outcome: 'rolled-back' } });
    await expectOldVersion();
    if (vm !== undefined) await expectToRun(vm);
  });
});

describe('a bundle of class none', () => {
  it('is applied with the VMs running', async () => {
    const [vm] = await start();
    const report = await host.applyMaintenance({ patches: [await workshop.bundle({ impact: 'none' })] });
    expect(report).toMatchObject({ ok: true, result: 'done', impact: 'none', vms: [] });
    expect(pausedNs(vm)).toBe(0);
    expect(versionOf()).toBe('1.1.0');
  });

  it('goes before the freeze of one of class pause', async () => {
    const [vm] = await start();
    await workshop.install(host, 'tool');
    const free = await workshop.bundle({ id: 'tool-update', component: 'tool', impact: 'none' });
    const report = await host.applyMaintenance({ patches: [await workshop.bundle(), free] });
    expect(report).toMatchObject({ ok: true, impact: 'pause' });
    expect(report.patches.map(({ name, impact }) => [name, impact])).toEqual([
      ['tool-update', 'none'],
      ['agent-update', 'pause'],
    ]);
    expect(report.patches[0]?.startedAfterNs).toBeLessThan(0);
    expect([versionOf(), versionOf('tool')]).toEqual(['1.1.0', '1.1.0']);
    expect(pausedNs(vm)).toBeGreaterThan(0);
  });

  it('a host without VMs is patched, whatever the class', async () => {
    await start([]);
    const report = await host.applyMaintenance({ patches: [await workshop.bundle()] });
    expect(report).toMatchObject({ ok: true, impact: 'none', vms: [] });
    expect(versionOf()).toBe('1.1.0');
  });
});

describe('a rollback of a component', () => {
  it.each(['none', 'pause', 'reboot'] as const)('is a patch of the class of what it takes back: %s', async (impact) => {
    const [vm] = await start();
    const allowReboot = impact === 'reboot';
    await host.applyMaintenance({ patches: [await workshop.bundle({ impact })], allowReboot });
    expect(versionOf()).toBe('1.1.0');
    const [pausedBefore, generation] = [pausedNs(vm), vm?.generationId];
    const report = await host.applyMaintenance({ patches: [{ rollback: 'agent' }], allowReboot });
    expect(report).toMatchObject({ ok: true, impact, update: { outcome: 'committed' } });
    expect(report.patches).toMatchObject([
      { name: 'rollback of agent', kind: 'rollback', impact, component: { from: '1.1.0', to: '1.0.0' } },
    ]);
    if (impact === 'pause') expect(pausedNs(vm)).toBeGreaterThan(pausedBefore ?? 0);
    expect(vm?.generationId === generation).toBe(impact !== 'reboot');
    expect(await host.components.verify('agent')).toMatchObject({ version: '1.0.0', previousVersion: '1.1.0' });
  });

  it('is itself taken back with a module that fails', async () => {
    await start();
    await host.applyMaintenance({ patches: [await workshop.bundle()] });
    const report = await host.applyMaintenance({ patches: [{ rollback: 'agent' }, patchPath('throws.mjs')] });
    expect(report).toMatchObject({ ok: false, result: 'aborted: patch', update: { outcome: 'rolled-back' } });
    expect(report.patches).toMatchObject([{ status: 'rolled-back' }, { status: 'failed' }]);
    expect(await host.components.verify('agent')).toMatchObject({ version: '1.1.0', previousVersion: '1.0.0' });
  });

  it('is refused where there is nothing to go back to', async () => {
    await start();
    for (const [component, reason] of [
      ['agent', 'no-previous-version'],
      ['absent', 'component-missing'],
    ]) {
      const patches = [{ rollback: component ?? '' }];
      expect((await host.planMaintenance({ patches })).patches).toMatchObject([{ refusals: [{ reason }] }]);
      await expect(host.applyMaintenance({ patches })).rejects.toMatchObject({ code: 'ERR_PATCH_REFUSED' });
    }
    await expectOldVersion();
  });
});

describe('a bundle of class reboot', () => {
  it('is refused, and says why', async () => {
    const [vm] = await start();
    const patches = [await workshop.bundle({ impact: 'reboot' })];
    await expect(host.applyMaintenance({ patches })).rejects.toMatchObject({
      code: 'ERR_PATCH_REFUSED',
      message: expect.stringMatching(/agent-update: it needs the VMs to be restarted/),
    });
    expect(pausedNs(vm)).toBe(0);
    await expectOldVersion();
  });

  it('where it is allowed, VMs are restarted, and their memory is said to be lost', async () => {
    const [vm, paused] = await start(['kv-store', 'queue']);
    if (vm === undefined || paused === undefined) throw new Error('no VMs');
    await vm.runUntil(2_000_000);
    vm.resume();
    paused.pause();
    const [before, generation] = [vm.stats().steps, vm.generationId];
    const report = await host.applyMaintenance({
      patches: [await workshop.bundle({ impact: 'reboot' })],
      allowReboot: true,
    });
    expect(report).toMatchObject({ ok: true, result: 'done', impact: 'reboot' });
    expect(report.vms).toMatchObject([
      { memory: 'lost', rebooted: true, wasRunning: true, invariantsOk: true },
      { memory: 'lost', rebooted: true, wasRunning: false, blackoutNs: 0 },
    ]);
    expect(report.vms[0]?.blackoutNs).toBeGreaterThan(0);
    // The log tells it as an impact, on the one that ran, and not as what its user did to it.
    const told = host.log.entries.filter((entry) => 'cause' in entry && entry.cause === 'maintenance');
    expect(told.map(({ type }) => type)).toEqual(['impact-begin', 'impact-end']);
    expect(told).toMatchObject(Array(2).fill({ vm: vm.name }));
    const userActs = host.log.entries.slice(host.log.entries.findIndex(({ type }) => type === 'maintenance-begin'));
    expect(userActs.filter(({ type }) => type === 'vm-paused' || type === 'vm-resumed')).toEqual([]);
    expect(vm.generationId).not.toBe(generation);
    expect(paused.state).toBe('paused');
    expect(paused.stats().steps).toBe(0);
    expect(before).toBeGreaterThanOrEqual(2_000_000);
    expect(versionOf()).toBe('1.1.0');
    await expectToRun(vm);
  });

  it('a VM that is restarted gets where a new one gets', async () => {
    host = await Host.create({ trustedKeys: [workshop.keys.publicKey] });
    await workshop.install(host);
    const options = { program: 'kv-store', memory: '1 MiB', seed: 9 };
    const vm = await host.createVm(options);
    await vm.runUntil(50_000);
    await host.applyMaintenance({ patches: [await workshop.bundle({ impact: 'reboot' })], allowReboot: true });
    const twin = await host.createVm({ ...options, name: 'twin' });
    await Promise.all([vm.runUntil(20_000), twin.runUntil(20_000)]);
    expect((await vm.digest()).value).toBe((await twin.digest()).value);
  });
});

describe('the plan', () => {
  const plan = async (options: Partial<BundleOptions>, rest: MaintenanceOptions = {}) =>
    await host.planMaintenance({ patches: [await workshop.bundle(options)], ...rest });

  it('shows what would be done, and does nothing', async () => {
    const [vm] = await start();
    const planned = await plan({ dependencies: { agent: '>=1' } }, { budgetMs: 500 });
    expect(planned).toMatchObject({
      schemaVersion: 1,
      qualifies: false,
      impact: 'pause',
      budgetMs: 500,
      expectedBlackoutMs: 20,
      vms: ['kv-store-1'],
    });
    expect((await plan({})).patches).toMatchObject([
      {
        name: 'agent-update',
        kind: 'bundle',
        qualifies: true,
        refusals: [],
        bundle: { component: 'agent', currentVersion: '1.0.0', to: '1.1.0', keyId: workshop.keys.keyId },
      },
    ]);
    expect(pausedNs(vm)).toBe(0);
    expect(host.components.journal()).toEqual([]);
  });

  it.each([
    [{ component: 'nothing' }, 'component-missing'],
    [{ from: '>=2' }, 'version-not-in-range'],
    [{ to: '1.0.0' }, 'version-not-in-range'],
    [{ dependencies: { kernel: '>=5' } }, 'missing-dependency'],
    [{ impact: 'reboot' }, 'reboot-required'],
    [{ expectedDurationMs: 31_000 }, 'exceeds-budget'],
  ] as const)('refuses %j: %s', async (options, reason) => {
    await start();
    const { qualifies, patches } = await plan(options);
    expect(qualifies).toBe(false);
    expect(patches[0]?.refusals).toMatchObject([{ reason, code: 'ERR_PATCH_REFUSED' }]);
  });

  it('a component that allows no pause refuses one', async () => {
    await start();
    await workshop.install(host, 'firmware', '1.0.0', false);
    const refused = await plan({ component: 'firmware' });
    expect(refused.patches[0]?.refusals).toMatchObject([{ reason: 'component-disallows-pause' }]);
    expect((await plan({ component: 'firmware', impact: 'none' })).qualifies).toBe(true);
  });

  it('a pinned VM refuses a pause and a restart, and no more than that', async () => {
    await start([]);
    await startedVm(host, { program: 'idle', name: 'database', pinned: true });
    const { patches } = await plan({});
    expect(patches[0]?.refusals).toMatchObject([{ reason: 'vm-pinned', message: expect.stringContaining('database') }]);
    expect((await plan({ impact: 'none' })).qualifies).toBe(true);
    const free = await startedVm(host, { program: 'idle', name: 'free' });
    expect((await plan({}, { vms: [free] })).qualifies).toBe(true);
    await expect(host.applyMaintenance()).rejects.toMatchObject({ code: 'ERR_PATCH_REFUSED' });
  });

  it('the pauses of all patches together must fit the budget', async () => {
    await start();
    await workshop.install(host, 'tool');
    const patches = [
      await workshop.bundle({ expectedDurationMs: 600 }),
      await workshop.bundle({ id: 'tool-update', component: 'tool', expectedDurationMs: 600 }),
    ];
    const planned = await host.planMaintenance({ patches, budgetMs: 1000 });
    expect(planned.patches.map(({ refusals }) => refusals.map(({ reason }) => reason))).toEqual([
      [],
      ['exceeds-budget'],
    ]);
    expect(planned.expectedBlackoutMs).toBe(1200);
  });

  it('sorts by dependencies, and gives a patch the class of those that it needs', async () => {
    await start();
    for (const name of ['base', 'middle', 'top']) await workshop.install(host, name);
    const bundle = (component: string, impact: 'none' | 'pause', needs?: string) =>
      workshop.bundle({
        id: component,
        component,
        impact,
        dependencies: needs === undefined ? {} : { [needs]: '>=1.1' },
      });
    const patches = [
      await bundle('top', 'none', 'middle'),
      await bundle('middle', 'none', 'base'),
      await bundle('base', 'pause'),
    ];
    const planned = await host.planMaintenance({ patches });
    expect(planned.patches.map(({ name, impact }) => [name, impact])).toEqual([
      ['base', 'pause'],
      ['middle', 'pause'],
      ['top', 'pause'],
    ]);
    expect((await host.applyMaintenance({ patches })).ok).toBe(true);
    expect(['base', 'middle', 'top'].map(versionOf)).toEqual(['1.1.0', '1.1.0', '1.1.0']);
  });

  it('refuses a cycle of dependencies', async () => {
    const [vm] = await start();
    await workshop.install(host, 'tool');
    const patches = [
      await workshop.bundle({ dependencies: { tool: '>=1' } }),
      await workshop.bundle({ id: 'tool-update', component: 'tool', dependencies: { agent: '>=1' } }),
    ];
    const planned = await host.planMaintenance({ patches });
    for (const patch of planned.patches) expect(patch.refusals).toMatchObject([{ reason: 'cyclic-dependency' }]);
    await expect(host.applyMaintenance({ patches })).rejects.toMatchObject({ code: 'ERR_PATCH_REFUSED' });
    expect(pausedNs(vm)).toBe(0);
  });

  it('refuses two patches for one component', async () => {
    await start();
    const patches = [await workshop.bundle(), await workshop.bundle({ id: 'other', to: '1.2.0' })];
    const planned = await host.planMaintenance({ patches });
    expect(planned.patches.flatMap(({ refusals }) => refusals.map(({ reason }) => reason))).toEqual([
      'component-twice',
      'component-twice',
    ]);
  });
});

describe('nothing is applied, and no VM is frozen, for a bundle that is', () => {
  async function expectRefusal(bundle: string, code: string): Promise<void> {
    const [vm] = host.vms;
    await expect(host.applyMaintenance({ patches: [{ bundle }] })).rejects.toMatchObject({ code });
    expect(pausedNs(vm)).toBe(0);
    await expectOldVersion();
    if (vm !== undefined) await expectToRun(vm);
    expect((await host.applyMaintenance({ patches: [await workshop.bundle()] })).ok).toBe(true);
  }

  it('signed by a key that is not trusted', async () => {
    await start();
    const own = workshop.keys;
    Object.assign(workshop, { keys: generateKeyPair() });
    const stranger = await workshop.bundle();
    Object.assign(workshop, { keys: own });
    await expectRefusal(stranger, 'ERR_BUNDLE_UNTRUSTED');
  });

  it('changed since it was signed', async () => {
    await start();
    const { manifest, signature } = await readBundleHead(await workshop.bundle({ to: '1.2.0' }));
    const bundle = join(workshop.path, 'forged.tar.gz');
    const forged = { ...manifest, impact: 'none' };
    const entries = [
      { path: 'manifest.json', content: Buffer.from(JSON.stringify(forged)) },
      { path: 'signature.json', content: Buffer.from(JSON.stringify(signature)) },
      { path: 'files/bin/agent', content: Buffer.from('new agent') },
    ];
    writeFileSync(bundle, archiveOf(entries));
    await expectRefusal(bundle, 'ERR_BUNDLE_UNTRUSTED');
  });

  it('well signed, with other bytes in a file', async () => {
    await start();
    const { manifest, signature } = await readBundleHead(await workshop.bundle({}, { 'bin/agent': 'new agent' }));
    const bundle = join(workshop.path, 'altered.tar.gz');
    const entries = [
      { path: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) },
      { path: 'signature.json', content: Buffer.from(JSON.stringify(signature)) },
      { path: 'files/bin/agent', content: Buffer.from('bad agent') },
    ];
    writeFileSync(bundle, archiveOf(entries));
    await expectRefusal(bundle, 'ERR_BUNDLE_DIGEST');
  });

  it('no archive', async () => {
    await start();
    const bundle = join(workshop.path, 'noise.tar.gz');
    writeFileSync(bundle, 'noise');
    await expectRefusal(bundle, 'ERR_BUNDLE_INVALID');
  });

  it('a pipe, from which nothing ever comes', async () => {
    await start();
    const bundle = join(workshop.path, 'pipe.tar.gz');
    execFileSync('mkfifo', [bundle]);
    await expectRefusal(bundle, 'ERR_BUNDLE_INVALID');
  });

  it('not there', async () => {
    await start();
    await expectRefusal(join(workshop.path, 'nothing.tar.gz'), 'ERR_PATCH_NOT_FOUND');
  });
});

it('trusts no key that is none', async () => {
  await start();
  await expect(Host.create({ trustedKeys: ['/no/such/key.pem'] })).rejects.toMatchObject({ code: 'ERR_KEY_INVALID' });
});

describe('health', () => {
  const applied = async (options: MaintenanceOptions) =>
    await host.applyMaintenance({ patches: [await workshop.bundle()], ...options });

  it('a probe that answers well lets the new version stay', async () => {
    await start();
    const seen: unknown[] = [];
    const probe = async ({ vms }: { vms: readonly string[] }) => {
      await sleep(5);
      seen.push([vms, versionOf()]);
    };
    const report = await applied({ probes: [{ name: 'service', probe }] });
    expect(report).toMatchObject({ ok: true, health: [{ name: 'service', ok: true }, { name: 'components' }] });
    expect(seen).toEqual([[['kv-store-1'], '1.1.0']]);
  });

  it.each([
    ['throws', (): Promise<never> => Promise.reject(new Error('port closed')), 'ERR_PROBE_FAILED', /port closed/],
    ['answers false', (): boolean => false, 'ERR_PROBE_FAILED', /answered false/],
    ['hangs', (): Promise<void> => new Promise(() => {}), 'ERR_PROBE_TIMEOUT', /hangs/],
  ] as const)('a probe that %s takes the new version back', async (_, probe, code, message) => {
    const [vm] = await start();
    const report = await applied({ probes: [{ name: 'service', probe, timeoutMs: 100 }] });
    expect(report).toMatchObject({ ok: false, result: 'aborted: health', update: { outcome: 'rolled-back' } });
    expect(report.health[0]).toMatchObject({ name: 'service', ok: false, error: { code } });
    expect(report.problems.join()).toMatch(message);
    expect(report.patches[0]).toMatchObject({ status: 'rolled-back' });
    await expectOldVersion();
    if (vm !== undefined) await expectToRun(vm);
  });

  it('memory that has changed takes the new version back', async () => {
    await start();
    const report = await applied({ faults: [{ kind: 'flip-bit', vm: 'kv-store-1', gpa: 0x5123, bit: 3 }] });
    expect(report).toMatchObject({ ok: false, result: 'aborted: health' });
    await expectOldVersion();
  });

  it('hooks are called at their moments', async () => {
    const [vm] = await start();
    const seen: unknown[] = [];
    const note = (name: string) => () => void seen.push([name, versionOf(), vm?.state]);
    const report = await applied({ onBeforeFreeze: note('before'), onAfterResume: note('after') });
    expect(report.ok).toBe(true);
    expect(seen).toEqual([
      ['before', '1.0.0', 'running'],
      ['after', '1.1.0', 'running'],
    ]);
  });

  it('a hook that fails before the freeze keeps it from happening', async () => {
    await start();
    const phases: unknown[] = [];
    const onEvent = (event: MaintenanceEvent) => void (event.type === 'phase' && phases.push(event.phase));
    const failing = applied({ onEvent, onBeforeFreeze: () => Promise.reject(new Error('not now')) });
    await expect(failing).rejects.toMatchObject({ code: 'ERR_HOOK_FAILED', message: /not now/ });
    const hanging = applied({ onEvent, onBeforeFreeze: () => new Promise(() => {}), hookTimeoutMs: 50 });
    await expect(hanging).rejects.toMatchObject({ code: 'ERR_HOOK_TIMEOUT' });
    expect(phases).toEqual(['pre-stage', 'quiesce', 'pre-stage', 'quiesce']);
    await expectOldVersion();
  });

  it('a hook that fails after the resume takes the new version back', async () => {
    await start();
    const report = await applied({ onAfterResume: () => new Promise(() => {}), hookTimeoutMs: 50 });
    expect(report).toMatchObject({ result: 'aborted: health', health: [{ error: { code: 'ERR_HOOK_TIMEOUT' } }, {}] });
    await expectOldVersion();
  });
});

describe('the notice', () => {
  /** A notifier whose impact is due as soon as `acknowledge` is called. */
  class SmallNotifier {
    readonly life: string[] = [];
    notice: ImpactNotice | undefined;
    acknowledge: () => void = () => {};
    announce(notice: ImpactNotice): AnnouncedImpact {
      this.notice = notice;
      this.life.push('announced');
      const due = new Promise<'acknowledged'>((resolve) => {
        this.acknowledge = () => resolve('acknowledged');
      });
      return {
        due: (signal): Promise<'acknowledged'> =>
          new Promise((resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason));
            void due.then(resolve);
          }),
        started: () => void this.life.push('started'),
        ended: () => void this.life.push('ended'),
        cancelled: () => void this.life.push('cancelled'),
      };
    }
  }

  it('the freeze waits for it, what needs no freeze is done meanwhile, and a second impact follows', async () => {
    const [vm] = await start();
    const notifier = new SmallNotifier();
    const staged = (): boolean => host.components.journal().some(({ step }) => step === 'prepared');
    const done: Promise<MaintenanceReport> = host.applyMaintenance({
      patches: [await workshop.bundle()],
      notifier,
      secondImpact: { afterMs: 10, durationMs: 200 },
      onEvent: (event) => void (event.type === 'phase' && notifier.life.push(event.phase)),
    });
    await expect.poll(staged, { timeout: 20_000 }).toBe(true);
    expect(pausedNs(vm)).toBe(0);
    notifier.acknowledge();
    const report = await done;
    expect(report).toMatchObject({ ok: true, notice: { dueBy: 'acknowledged' } });
    expect(notifier.notice).toEqual({ vms: ['kv-store-1'], impact: 'pause', expectedSeconds: 1 });
    expect(report.secondImpact).toMatchObject({ durationMs: 200 });
    expect(report.secondImpact?.blackoutNs['kv-store-1']).toBeGreaterThan(150e6);
    const life = notifier.life.filter((name) => ['announced', 'started', 'ended', 'freeze', 'commit'].includes(name));
    expect(life).toEqual(['announced', 'started', 'freeze', 'commit', 'ended']);
  });

  it('is cancelled where the freeze does not come', async () => {
    await start();
    const notifier = new SmallNotifier();
    const patches = [await workshop.bundle()];
    const refused = host.applyMaintenance({ patches, notifier, onBeforeFreeze: () => Promise.reject(new Error('no')) });
    await expect.poll(() => notifier.life, { timeout: 20_000 }).toEqual(['announced']);
    notifier.acknowledge();
    await expect(refused).rejects.toMatchObject({ code: 'ERR_HOOK_FAILED' });
    expect(notifier.life).toEqual(['announced', 'cancelled']);
  });

  it('nobody is told of what has no impact', async () => {
    await start();
    const notifier = new SmallNotifier();
    await host.applyMaintenance({ patches: [await workshop.bundle({ impact: 'none' })], notifier });
    expect(notifier.life).toEqual([]);
  });

  it('a host that is closed while it waits takes everything back', async () => {
    const directory = join(workshop.path, 'host');
    await start(['kv-store'], { directory });
    const notifier = new SmallNotifier();
    const waiting = host.applyMaintenance({ patches: [await workshop.bundle()], notifier });
    waiting.catch(() => {});
    await expect
      .poll(() => host.components.journal().some(({ step }) => step === 'prepared'), { timeout: 20_000 })
      .toBe(true);
    await host.close();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(notifier.life).toEqual(['announced', 'cancelled']);
    host = await Host.create({ directory });
    expect(host.components.recovery).toBeNull();
    await expectOldVersion();
  });
});

describe('the middle of it', () => {
  it('a host that is closed in the freeze leaves the old version', async () => {
    const directory = join(workshop.path, 'host');
    await start(['kv-store'], { directory });
    let closed: Promise<void> | undefined;
    const onEvent = (event: MaintenanceEvent) => {
      if (event.type === 'patch-end') closed = host.close();
    };
    const applied = host.applyMaintenance({ patches: [await workshop.bundle()], onEvent });
    await expect(applied).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    await closed;
    host = await Host.create({ directory });
    expect(host.components.recovery).toBeNull();
    await expectOldVersion();
  });

  it('the deadline strikes behind the switch: the VMs run, and the old version is current', async () => {
    const [vm] = await start();
    const onEvent = (event: MaintenanceEvent) => {
      if (event.type !== 'patch-end') return;
      const until = performance.now() + 2000;
      while (performance.now() < until);
    };
    const patches = [await workshop.bundle()];
    const report = await retryWhereNoneHalts(() => host.applyMaintenance({ patches, budgetMs: 500, onEvent }));
    expect(report).toMatchObject({ ok: false, result: 'aborted: budget', resumedBy: 'deadline', budgetKept: false });
    expect(report.update).toMatchObject({ outcome: 'rolled-back' });
    await expectOldVersion();
    if (vm !== undefined) await expectToRun(vm);
  });

  it('the next maintenance finds nothing of it', async () => {
    await start();
    const patches = [await workshop.bundle()];
    await host.applyMaintenance({ patches, probes: [{ name: 'never', probe: () => false }] });
    const report = await host.applyMaintenance({ patches });
    expect(report.ok).toBe(true);
    expect(readFileSync(join(host.components.get('agent')?.folder ?? '', 'bin/agent'), 'utf8')).toBe('new agent');
  });
});
