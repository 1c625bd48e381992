import { Host, MetadataServer, type VmSnapshot } from 'standstill';
import { describe, expect, it } from 'vitest';
import { isAlive } from '../../fixtures/guests.js';
import { expectToRun, startedVm } from '../../fixtures/hosts.js';

const TIMEOUT = { timeout: 60_000 };
const SLEEPS = { command: 'sleep', args: ['1000'] };

describe('a host with both kinds of guests', () => {
  it('freezes them together, and its records are in the order of the VMs', TIMEOUT, async () => {
    await using host = await Host.create();
    const first = await startedVm(host, { program: 'kv-store', name: 'first' });
    const redis = await host.createProcessVm({ ...SLEEPS, name: 'redis' });
    redis.start();
    const last = await startedVm(host, { program: 'queue', name: 'last' });
    const idle = await host.createProcessVm(SLEEPS);
    expect(idle.name).toBe('sleep-1');
    expect(host.vms).toEqual([first, redis, last, idle]);
    const scope = host.freeze({ handshakeTimeoutMs: 5000 });
    expect([first.state, redis.state, last.state, idle.state]).toEqual(['paused', 'paused', 'paused', 'created']);
    expect(scope.remainingNs).toBeGreaterThan(0);
    expect(() => host.freeze({ vms: [redis] })).toThrow(expect.objectContaining({ code: 'ERR_BUSY' }));
    scope.release();
    await scope.settled();
    expect(scope.released).toBe(true);
    expect(scope.records().map(({ name, wasRunning, resumedBy }) => ({ name, wasRunning, resumedBy }))).toEqual([
      { name: 'first', wasRunning: true, resumedBy: 'caller' },
      { name: 'redis', wasRunning: true, resumedBy: 'caller' },
      { name: 'last', wasRunning: true, resumedBy: 'caller' },
      { name: 'sleep-1', wasRunning: false, resumedBy: null },
    ]);
    await expectToRun(first);
    expect(redis.state).toBe('running');
    const impacts = host.log.entries.filter(({ type }) => type === 'impact-end');
    expect(impacts).toMatchObject([{ vm: 'first' }, { vm: 'redis' }, { vm: 'last' }]);
  });

  it('freezes none where one cannot be frozen', TIMEOUT, async () => {
    await using host = await Host.create();
    const emulated = await startedVm(host, { program: 'kv-store' });
    const lives = await host.createProcessVm(SLEEPS);
    lives.start();
    const ended = await host.createProcessVm({ command: 'true' });
    ended.start();
    await expect.poll(() => ended.state).toBe('faulted');
    expect(() => host.freeze()).toThrow(expect.objectContaining({ code: 'ERR_PROCESS_ENDED' }));
    expect(lives.state).toBe('running');
    await expectToRun(emulated);
    emulated.pause();
    using _holds = host.freeze({ vms: [emulated] });
    expect(() => host.freeze({ vms: [lives, emulated] })).toThrow(expect.objectContaining({ code: 'ERR_BUSY' }));
    expect(lives.state).toBe('running');
  });

  it('both are released by their deadlines', TIMEOUT, async () => {
    await using host = await Host.create();
    const emulated = await startedVm(host, { program: 'kv-store' });
    const real = await host.createProcessVm(SLEEPS);
    real.start();
    const scope = host.freeze({ vms: [real, emulated], budgetMs: 1000 });
    await scope.settled();
    expect(scope.records()).toMatchObject([{ resumedBy: 'deadline' }, { resumedBy: 'deadline' }]);
    expect(real.state).toBe('running');
    await expectToRun(emulated);
  });

  it('refuses names that are taken, and closes all of them', TIMEOUT, async () => {
    const host = await Host.create();
    const real = await host.createProcessVm({ ...SLEEPS, name: 'a' });
    real.start();
    const { pid } = real.stats();
    await expect(host.createProcessVm({ ...SLEEPS, name: 'a' })).rejects.toThrow(/a name that no VM of this host has/);
    expect(host.log.entries.map(({ type }) => type)).toEqual(['host-created', 'vm-created', 'vm-started']);
    await host.close();
    expect(isAlive(pid)).toBe(false);
    expect(real.state).toBe('closed');
    await expect(host.createProcessVm(SLEEPS)).rejects.toMatchObject({ code: 'ERR_HOST_CLOSED' });
  });
});

describe('snapshots of a process', () => {
  it(
    'there are none: whatever would take one, or begin at one, says so and leaves the guest running',
    TIMEOUT,
    async () => {
      await using host = await Host.create();
      const vm = await host.createProcessVm({ ...SLEEPS, name: 'db' });
      vm.start();
      const message = /^Expected an emulated guest for snapshot, but VM 'db' is a process$/;
      await expect(vm.snapshot()).rejects.toMatchObject({
        code: 'ERR_NOT_SUPPORTED',
        message: expect.stringMatching(message),
      });
      const notSnapshot = vm as unknown as VmSnapshot;
      for (const operation of [host.clone(notSnapshot, 1), host.restore(notSnapshot)]) {
        await expect(operation).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
      }
      const emulated = await startedVm(host, { program: 'kv-store' });
      emulated.pause();
      await expect(emulated.rollback(notSnapshot)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
      expect(vm.state).toBe('running');
      expect(host.vms).toEqual([vm, emulated]);
    },
  );
});

describe('what the log tells of a process guest', () => {
  // What its supervisor told of its end came after it, and the log had a closed VM fault.
  it('nothing after it was closed', TIMEOUT, async () => {
    await using host = await Host.create();
    const vm = await host.createProcessVm({ ...SLEEPS, restart: 'always' });
    vm.start();
    vm.close();
    const other = await host.createProcessVm({ command: 'true' });
    other.start();
    await expect.poll(() => host.log.entries.at(-1)).toMatchObject({ type: 'vm-faulted', vm: other.name });
    const types = host.log.entries.filter((entry) => 'vm' in entry && entry.vm === vm.name).map(({ type }) => type);
    expect(types).toEqual(['vm-created', 'vm-started', 'vm-closed']);
  });
});

describe('a process guest with a metadata service', () => {
  /** Asks for its events until one is there, and says what it sees; then says that it is still there. */
  const AGENT = `
    const url = process.env.STANDSTILL_METADATA_URL + '/metadata/scheduledevents?api-version=2020-07-01';
    console.log('up as ' + process.pid);
    (async () => {
      let said = '';
      for (;;) {
        const { Events } = await (await fetch(url, { headers: { Metadata: 'true' } })).json();
        const text = Events.map((e) => e.EventType + ' of ' + e.Resources + ' is ' + e.EventStatus).join();
        if (text !== said) console.log('sees ' + (said = text));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();`;

  it('finds it by its environment, hears of a freeze, and is frozen and rebooted by its events', TIMEOUT, async () => {
    await using metadata = new MetadataServer({ settleMs: 20 });
    await using host = await Host.create({ metadata });
    const vm = await host.createProcessVm({
      name: 'agent',
      command: process.execPath,
      args: ['-e', AGENT],
      ready: { line: 'up as' },
    });
    vm.start();
    await vm.ready();
    const { pid } = vm.stats();
    const [raised] = metadata.raise({ type: 'Freeze', vms: ['agent'], durationMs: 300, noticeMs: 1000 });
    const lines = () => vm.logTail(100).map(({ text }) => text);
    await expect.poll(lines, { timeout: 20_000 }).toContain('sees Freeze of agent is Scheduled');
    await raised?.done;
    const impacts = host.log.entries.filter(({ type }) => type === 'impact-end');
    expect(impacts).toMatchObject([{ vm: 'agent', resumedBy: 'caller' }]);
    await expect.poll(lines, { timeout: 20_000 }).toContain('sees ');
    expect(vm.stats().pid).toBe(pid);
    const [reboot] = metadata.raise({ type: 'Reboot', vms: ['agent'], durationMs: 10, noticeMs: 0 });
    await reboot?.done;
    await expect.poll(() => lines().filter((line) => line.startsWith('up as')).length, { timeout: 20_000 }).toBe(2);
    expect(vm.stats().pid).not.toBe(pid);
    // The restart of a process was no impact in the log, and so none that the checker of rollouts saw.
    const restarts = host.log.entries.filter((entry) => entry.type === 'impact-end' && entry.cause === 'restart');
    expect(restarts).toMatchObject([{ vm: 'agent' }]);
  });

  it('a process whose host was closed during its creation leaves no server at the service', TIMEOUT, async () => {
    await using metadata = new MetadataServer();
    const host = await Host.create({ metadata });
    const creation = host.createProcessVm({ ...SLEEPS, name: 'agent' });
    await Promise.all([host.close(), expect(creation).rejects.toMatchObject({ code: 'ERR_HOST_CLOSED' })]);
    expect(metadata.state().vms).toEqual([]);
  });
});
