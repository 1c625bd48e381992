// Events with real VMs behind them: what they do to a guest, and how a maintenance is announced.
import { join } from 'node:path';
import {
  EventLog,
  Host,
  type HostOptions,
  type MetadataEvent,
  MetadataServer,
  type RaiseOptions,
  type Vm,
} from 'standstill';
import { describe, expect, it } from 'vitest';
import { Workshop } from '../fixtures/bundles.js';
import { faultingSnapshot } from '../fixtures/faulting-snapshot.js';
import { expectToRun, startedVm } from '../fixtures/hosts.js';
import { acknowledge, ask, documentOf } from '../fixtures/metadata.js';

const HOUR_MS = 3_600_000;
const TIMEOUT = { timeout: 60_000 };

interface Scene {
  readonly metadata: MetadataServer;
  readonly host: Host;
  readonly vms: readonly Vm[];
}

async function withHost(
  names: readonly string[],
  use: (scene: Scene) => Promise<void>,
  options: ConstructorParameters<typeof MetadataServer>[0] = {},
  hostOptions: HostOptions = {},
): Promise<void> {
  await using metadata = new MetadataServer({ settleMs: 20, ...options });
  await using host = await Host.create({ ...hostOptions, metadata });
  const vms: Vm[] = [];
  for (const name of names) vms.push(await startedVm(host, { program: 'ticker', name }));
  await use({ metadata, host, vms });
}

const url = (vm: Vm | undefined) => vm?.metadataUrl as string;
const impactsOf = (host: Host) => host.log.entries.flatMap((entry) => (entry.type === 'impact-end' ? [entry] : []));
const typesOf = ({ log }: Host, part: RegExp) =>
  log.entries.map(({ type }) => type as string).filter((type) => part.test(type));
/** How long the first freeze held its guest; a timer may come a millisecond early. */
const stoodNs = (host: Host) => (impactsOf(host)[0]?.releasedAtNs ?? 0) - (impactsOf(host)[0]?.haltedAtNs ?? 0);
const raise = (metadata: MetadataServer, options: RaiseOptions) => metadata.raise({ noticeMs: 0, ...options });

it('each VM of a host has a server, which knows its name and update domain', TIMEOUT, async () => {
  await withHost(
    ['web-0', 'web-1'],
    async ({ vms }) => {
      for (const vm of vms) {
        const path = '/metadata/instance/compute?api-version=2021-02-01';
        expect(JSON.parse((await ask(url(vm) + path)).body)).toMatchObject({
          name: vm.name,
          platformUpdateDomain: '3',
        });
      }
    },
    {},
    { updateDomain: 3 },
  );
});

it('a VM without a metadata service has no URL', TIMEOUT, async () => {
  await using host = await Host.create();
  expect((await startedVm(host, { program: 'idle' })).metadataUrl).toBeUndefined();
});

describe('an event', () => {
  it('Freeze: the guest stands still for its duration, and no longer; its memory stays', TIMEOUT, async () => {
    await withHost(['web-0', 'web-1'], async ({ metadata, host, vms: [first, second] }) => {
      const [raised] = raise(metadata, { type: 'Freeze', vms: ['web-0'], durationMs: 2000 });
      await expect.poll(() => first?.state).toBe('paused');
      const { steps } = first?.stats() ?? {};
      const { DocumentIncarnation, Events } = await documentOf(url(first));
      expect({ DocumentIncarnation, Events }).toMatchObject({
        DocumentIncarnation: 3,
        Events: [{ EventStatus: 'Started' }],
      });
      expect(second?.state).not.toBe('paused');
      expect(await raised?.done).toEqual({ reason: 'completed' });
      await expectToRun(first as Vm);
      expect(first?.stats().steps).toBeGreaterThan(steps as number);
      expect(impactsOf(host)).toMatchObject([{ vm: 'web-0', resumedBy: 'caller' }]);
      expect(stoodNs(host)).toBeGreaterThan(1998e6);
    });
  });

  it.each(['Reboot', 'Redeploy'] as const)('%s: the guest starts anew, its memory is lost', TIMEOUT, async (type) => {
    await withHost(['web-0'], async ({ metadata, host, vms: [vm] }) => {
      const generation = vm?.generationId;
      const [raised] = raise(metadata, { type, durationMs: 50 });
      expect(await raised?.done).toEqual({ reason: 'completed' });
      expect(vm?.generationId).not.toBe(generation);
      // It is no act of the VM's user, who has neither paused nor resumed it.
      expect(typesOf(host, /^vm-(paused|rolled-back|resumed)$/)).toEqual(['vm-rolled-back']);
      expect(impactsOf(host)).toMatchObject([{ vm: 'web-0', cause: 'restart' }]);
      expect(stoodNs(host)).toBeGreaterThan(48e6);
      await expectToRun(vm as Vm);
    });
  });

  it.each(['paused', 'faulted'] as const)('Reboot: a VM that is %s comes up', TIMEOUT, async (state) => {
    await using metadata = new MetadataServer({ settleMs: 0 });
    await using host = await Host.create({ metadata });
    const vm = await host.restore(await faultingSnapshot(host, join(host.directory, 'faulting.snap')));
    if (state === 'faulted') vm.resume();
    await expect.poll(() => vm.state).toBe(state);
    const [raised] = raise(metadata, { type: 'Reboot', durationMs: 1 });
    expect(await raised?.done).toEqual({ reason: 'completed' });
    await expectToRun(vm);
    expect(typesOf(host, /^vm-/).slice(-2)).toEqual(['vm-rolled-back', 'vm-resumed']);
    expect(impactsOf(host)).toEqual([]);
  });

  it('a restart leaves the memory that a new VM of the same seed has at the same step', TIMEOUT, async () => {
    await using metadata = new MetadataServer({ settleMs: 0 });
    await using host = await Host.create({ metadata });
    const create = (name: string) => host.createVm({ name, program: 'kv-store', memory: '1 MiB', seed: 7 });
    const [vm, twin] = [await create('web-0'), await create('twin')];
    await vm.runUntil(5000);
    const original = await vm.snapshot();
    const restored = await host.restore(original, { name: 'restored' });
    for (const name of ['web-0', 'restored']) {
      const [raised] = raise(metadata, { type: 'Reboot', vms: [name], durationMs: 1 });
      expect(await raised?.done).toEqual({ reason: 'completed' });
    }
    for (const each of [vm, restored, twin]) {
      each.pause();
      const steps = Math.max(each.stats().steps, 1000);
      await each.runUntil(steps);
      const fresh = await create(`fresh-${each.name}`);
      await fresh.runUntil(steps);
      expect((await each.digest()).value).toBe((await fresh.digest()).value);
    }
  });

  it.each(['Preempt', 'Terminate'] as const)('%s: the VM is gone; its server tells the end', TIMEOUT, async (type) => {
    await withHost(['web-0', 'web-1'], async ({ metadata, host, vms: [vm] }) => {
      const [raised] = raise(metadata, { type, vms: ['web-0'] });
      expect(await raised?.done).toEqual({ reason: 'completed' });
      expect(vm?.state).toBe('closed');
      expect(await documentOf(url(vm))).toEqual({ DocumentIncarnation: 4, Events: [] });
      const again = await startedVm(host, { program: 'idle', name: 'web-0' });
      expect((await documentOf(url(again))).DocumentIncarnation).toBe(1);
    });
  });

  it('a failure of the hardware starts the VM anew without notice', TIMEOUT, async () => {
    await withHost(['web-0'], async ({ metadata, vms: [vm] }) => {
      const generation = vm?.generationId;
      const [raised] = metadata.failHardware({ durationMs: 20 });
      expect((await documentOf(url(vm))).Events).toMatchObject([{ EventStatus: 'Started', NotBefore: '' }]);
      await raised?.done;
      expect(vm?.generationId).not.toBe(generation);
    });
  });

  it('a second impact freezes once more while it is Started', TIMEOUT, async () => {
    await withHost(['web-0'], async ({ metadata, host, vms: [vm] }) => {
      const second = { afterMs: 20, durationMs: 50 };
      const [raised] = raise(metadata, { type: 'Freeze', durationMs: 100, second });
      await raised?.done;
      expect(impactsOf(host)).toHaveLength(2);
      expect((await documentOf(url(vm))).DocumentIncarnation).toBe(4);
    });
  });

  it('that cannot be done ends as failed, with the error', TIMEOUT, async () => {
    await withHost(['web-0'], async ({ metadata, host, vms: [vm] }) => {
      using _freeze = host.freeze({ vms: [vm as Vm], budgetMs: HOUR_MS });
      const [raised] = raise(metadata, { type: 'Freeze', durationMs: 100 });
      expect(await raised?.done).toMatchObject({ reason: 'failed', error: { code: 'ERR_BUSY' } });
      expect(metadata.log.entries.map(({ type }) => type)).toContain('event-impact-failed');
    });
  });

  it('does not outlive its service: a frozen guest runs on when that is closed', TIMEOUT, async () => {
    await withHost(['web-0'], async ({ metadata, vms: [vm] }) => {
      raise(metadata, { type: 'Freeze', durationMs: HOUR_MS });
      await expect.poll(() => vm?.state).toBe('paused');
      await metadata.close();
      await expectToRun(vm as Vm);
    });
  });

  it('timeScale shortens a freeze, and what the document says of it', TIMEOUT, async () => {
    await withHost(
      ['web-0'],
      async ({ metadata, host, vms: [vm] }) => {
        const [raised] = metadata.raise({ type: 'Freeze', durationMs: 30_000 });
        expect((await documentOf(url(vm))).Events).toMatchObject([{ DurationInSeconds: 1 }]);
        await acknowledge(url(vm), raised?.id ?? '');
        await raised?.done;
        expect(stoodNs(host)).toBeGreaterThan(298e6);
      },
      { timeScale: 100 },
    );
  });
});

describe('a maintenance', () => {
  it('waits for an acknowledgement, is Started while the guests stand still, and is gone after', TIMEOUT, async () => {
    await withHost(
      ['web-0', 'web-1', 'db'],
      async ({ metadata, host, vms }) => {
        const phases: string[] = [];
        const done = host.applyMaintenance({
          vms: vms.slice(0, 2),
          onEvent: (event) => {
            if (event.type === 'phase') phases.push(event.phase);
            if (event.type !== 'phase' || event.phase !== 'digest-at-halt') return;
            expect(metadata.state().events).toMatchObject([{ status: 'Started', resources: ['web-0', 'web-1'] }]);
            expect(vms.map(({ state }) => state === 'paused')).toEqual([true, true, false]);
          },
        });
        await expect.poll(() => metadata.state().events).toHaveLength(1);
        expect(phases).toEqual(['notify']);
        const [event] = (await documentOf(url(vms[2]))).Events;
        expect(event).toMatchObject({ EventType: 'Freeze', EventStatus: 'Scheduled', DurationInSeconds: -1 });
        await acknowledge(url(vms[2]), event?.EventId ?? '');
        expect((await done).ok).toBe(true);
        await expect.poll(() => metadata.state().events).toEqual([]);
        expect((await documentOf(url(vms[0]))).DocumentIncarnation).toBe(4);
      },
      { sets: { all: ['web-0', 'web-1', 'db'] } },
    );
  });

  it('begins at NotBefore where nobody acknowledges', TIMEOUT, async () => {
    await withHost(
      ['web-0'],
      async ({ metadata, host }) => {
        expect((await host.applyMaintenance()).ok).toBe(true);
        expect(metadata.log.entries.map(({ type }) => type)).toContain('event-notice-passed');
      },
      { noticeMs: 100 },
    );
  });

  it('that is aborted while it waits withdraws its event', TIMEOUT, async () => {
    await withHost(['web-0'], async ({ metadata, host, vms }) => {
      const controller = new AbortController();
      const done = host.applyMaintenance({ signal: controller.signal });
      await expect.poll(() => metadata.state().events).toHaveLength(1);
      controller.abort();
      await expect(done).rejects.toMatchObject({ code: 'ERR_ABORTED' });
      expect(metadata.state().events).toEqual([]);
      expect(metadata.log.entries.at(-1)).toMatchObject({ type: 'event-removed', reason: 'cancelled' });
      await expectToRun(vms[0] as Vm);
    });
  });

  it('whose event is cancelled does not happen', TIMEOUT, async () => {
    await withHost(['web-0'], async ({ metadata, host }) => {
      const done = host.applyMaintenance();
      await expect.poll(() => metadata.state().events).toHaveLength(1);
      metadata.cancel(metadata.state().events[0]?.id ?? '');
      await expect(done).rejects.toMatchObject({ code: 'ERR_ABORTED' });
      expect(impactsOf(host)).toEqual([]);
    });
  });

  it('whose event is cancelled when it is due already does not happen', TIMEOUT, async () => {
    await withHost(
      ['web-0'],
      async ({ metadata, host }) => {
        const onBeforeFreeze = () => metadata.cancel(metadata.state().events[0]?.id ?? '');
        await expect(host.applyMaintenance({ onBeforeFreeze })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
        expect(impactsOf(host)).toEqual([]);
        expect(metadata.state().events).toEqual([]);
      },
      { noticeMs: 0 },
    );
  });

  it('settles from the last moment at which a guest stood still, whatever it has to do then', TIMEOUT, async () => {
    await withHost(
      ['web-0'],
      async ({ metadata, host }) => {
        const gone = async () => await expect.poll(() => metadata.state().events, { timeout: 20_000 }).toEqual([]);
        const report = await host.applyMaintenance({ probes: [{ name: 'gone', probe: gone, timeoutMs: 30_000 }] });
        expect(report.problems).toEqual([]);
      },
      { noticeMs: 0 },
    );
  });

  it('keeps its event through a second impact; the log of the host has the order', TIMEOUT, async () => {
    await withHost(
      ['web-0'],
      async ({ metadata, host }) => {
        await host.applyMaintenance({ secondImpact: { afterMs: 100, durationMs: 500 } });
        await expect.poll(() => metadata.state().events).toEqual([]);
        expect(typesOf(host, /^(event|impact)-/)).toEqual([
          'event-scheduled',
          'event-notice-passed',
          'event-started',
          ...['maintenance', 'inspection', 'second'].flatMap(() => ['impact-begin', 'impact-end']),
          'event-removed',
        ]);
      },
      { noticeMs: 0 },
    );
  });

  it('of class reboot is a Reboot: the guest starts anew while it is Started', TIMEOUT, async () => {
    using workshop = new Workshop();
    await withHost(
      ['web-0'],
      async ({ metadata, host, vms: [vm] }) => {
        await workshop.install(host);
        const generation = vm?.generationId;
        const seen: unknown[] = [];
        const patches = [await workshop.bundle({ impact: 'reboot' })];
        const done = host.applyMaintenance({
          patches,
          allowReboot: true,
          onEvent: (event) => {
            if (event.type === 'phase' && event.phase === 'patch') seen.push([metadata.state().events, vm?.state]);
          },
        });
        await expect.poll(() => metadata.state().events).toHaveLength(1);
        const [event] = (await documentOf(url(vm))).Events;
        expect(event).toMatchObject({ EventType: 'Reboot', EventSource: 'Platform', DurationInSeconds: -1 });
        await acknowledge(url(vm), event?.EventId ?? '');
        expect((await done).problems).toEqual([]);
        expect(seen).toMatchObject([[[{ type: 'Reboot', status: 'Started' }], 'paused']]);
        expect(vm?.generationId).not.toBe(generation);
        await expect.poll(() => metadata.state().events).toEqual([]);
      },
      {},
      { trustedKeys: [workshop.keys.publicKey] },
    );
  });

  it('that fails once it has started ends its event', TIMEOUT, async () => {
    await withHost(
      ['web-0'],
      async ({ metadata, host, vms: [vm] }) => {
        using _freeze = host.freeze({ vms: [vm as Vm], budgetMs: HOUR_MS });
        await expect(host.applyMaintenance({ proof: 'none', check: false })).rejects.toMatchObject({
          code: 'ERR_BUSY',
        });
        await expect.poll(() => metadata.state().events).toEqual([]);
      },
      { noticeMs: 0 },
    );
  });
});

it(
  'closing a host closes the servers of its VMs, and the host before it can go while a maintenance waits',
  TIMEOUT,
  async () => {
    await withHost(['web-0'], async ({ metadata, host, vms: [vm] }) => {
      const done = host.applyMaintenance();
      await expect.poll(() => metadata.state().events).toHaveLength(1);
      await host.close();
      await expect(done).rejects.toMatchObject({ code: 'ERR_ABORTED' });
      await expect(ask(url(vm))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      expect(metadata.state().vms).toEqual([]);
    });
  },
);

it('two hosts share a service: an availability set that spans them has one view', TIMEOUT, async () => {
  await using metadata = new MetadataServer({ sets: { web: ['web-0', 'web-1'] } });
  await using one = await Host.create({ metadata });
  await using other = await Host.create({ metadata });
  await startedVm(one, { program: 'idle', name: 'web-0' });
  const vm = await startedVm(other, { program: 'idle', name: 'web-1' });
  metadata.raise({ type: 'Freeze', vms: ['web-0'], noticeMs: HOUR_MS });
  expect((await documentOf(url(vm))).Events).toMatchObject([{ Resources: ['web-0'] }]);
  expect(typesOf(one, /^(event|service)-/)).toEqual(['event-scheduled']);
  expect(typesOf(other, /^(event|service)-/)).toEqual(['service-enabled']);
  await expect(other.createVm({ program: 'idle', name: 'web-0' })).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
  });
  expect(other.vms).toHaveLength(1);
});

it('a host and its service may write to one log, in which each event is once', TIMEOUT, async () => {
  const log = new EventLog<MetadataEvent>();
  await using metadata = new MetadataServer({ log });
  await using host = await Host.create({ metadata, log: log as never });
  await startedVm(host, { program: 'idle', name: 'web-0' });
  metadata.raise({ type: 'Freeze', noticeMs: HOUR_MS });
  expect(typesOf(host, /^event-/)).toEqual(['event-scheduled']);
});
