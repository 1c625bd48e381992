import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { withTemporaryFolder } from '../../fixtures/cli.js';
import { availableFreezers, parentOf, shellGuest, tasksBelow } from '../../fixtures/guests.js';

const TIMEOUT = { timeout: 120_000 };
const FREEZES = Number(process.env.STANDSTILL_STRAGGLER_FREEZES ?? 40);
/** What a frozen task may need to leave the processor, by a few instructions of the kernel. */
const LEAVE_PROCESSOR_NS = 1e6;

/** Four loops, each of which forks as fast as it can and writes a byte each time round. */
const forkingScript = (file: string) =>
  `for i in 1 2 3 4; do (while :; do (printf x >>${file}); /bin/true; done) & done; echo forking; wait`;

const freezers = await availableFreezers();

it('there is a freezer on this machine', () => {
  expect(freezers).toContain('signal');
});

describe.each(freezers)('%s', (freezer) => {
  it('is the one that was asked for, and says why', TIMEOUT, async () => {
    await using vm = await shellGuest('exec sleep 1000', { freezer });
    expect(vm.freezer.kind).toBe(freezer);
    expect(vm.freezer.why).not.toBe('');
    expect(vm.freezer.group === '').toBe(freezer === 'signal');
  });

  it(`leaves no straggler of a tree that forks all the time, in ${FREEZES} freezes`, { timeout: 600_000 }, async () => {
    await withTemporaryFolder(async ({ path }) => {
      const file = join(path, 'forked');
      await using vm = await shellGuest(forkingScript(file), { freezer, ready: { line: 'forking' } });
      const supervisor = parentOf(vm.stats().pid);
      await expect.poll(() => statSync(file, { throwIfNoEntry: false })?.size ?? 0, TIMEOUT).toBeGreaterThan(0);
      for (let round = 0; round < FREEZES; round += 1) {
        vm.pause({ timeoutMs: 30_000 });
        const forks = statSync(file).size;
        const before = tasksBelow(supervisor);
        await sleep(4);
        const after = tasksBelow(supervisor);
        expect(before.length).toBeGreaterThan(0);
        expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
        after.forEach((task, index) => {
          expect(task.cpuNs - (before[index]?.cpuNs ?? 0), `${task.id} in ${task.state}`).toBeLessThan(
            LEAVE_PROCESSOR_NS,
          );
        });
        expect(statSync(file).size).toBe(forks);
        vm.resume();
        await expect.poll(() => statSync(file).size, { ...TIMEOUT, interval: 1 }).toBeGreaterThan(forks);
      }
    });
  });

  it('freezes a thousand tasks', TIMEOUT, async () => {
    const script = 'i=0; while [ $i -lt 999 ]; do sleep 1000 & i=$((i+1)); done; echo born; wait';
    await using vm = await shellGuest(script, { freezer, ready: { line: 'born' }, readyTimeoutMs: 60_000 });
    vm.pause({ timeoutMs: 60_000 });
    expect(vm.stats().processes).toBe(1000);
    const image = await vm.memoryImage();
    expect(image.info).toMatchObject({ processes: 1000, tasks: 1000 });
    expect(image.compare(await vm.memoryImage())).toBeNull();
    vm.resume();
    await vm.terminate({ graceMs: 30_000 });
  });

  it('freezes a tree with a zombie in it', TIMEOUT, async () => {
    // The shell becomes a program that does not wait for the child that it has already.
    await using vm = await shellGuest('true & exec sleep 1000', { freezer });
    const supervisor = parentOf(vm.stats().pid);
    await expect.poll(() => tasksBelow(supervisor).map(({ state }) => state)).toContain('Z');
    expect(vm.pause().haltNs).toBeGreaterThan(0);
    expect(vm.state).toBe('paused');
    vm.resume();
    expect(vm.state).toBe('running');
  });

  it('freezes what turns itself into a daemon, and says that it did', TIMEOUT, async () => {
    const script = 'setsid sh -c "setsid sleep 1000 & exec sleep 1000" & sleep 0.1; exit 0';
    await using vm = await shellGuest(script, { freezer });
    await expect.poll(() => vm.stats().daemonised).toBe(true);
    expect(vm.state).toBe('running');
    vm.pause();
    expect(vm.stats()).toMatchObject({ state: 'paused', processes: 2, outsideGroup: 0 });
    vm.resume();
  });

  it('leaves what its user has stopped as it was', TIMEOUT, async () => {
    await using vm = await shellGuest('sleep 1000 & kill -STOP $!; echo stopped; wait', {
      freezer,
      ready: { line: 'stopped' },
    });
    const supervisor = parentOf(vm.stats().pid);
    const stopped = () => tasksBelow(supervisor).filter(({ state }) => state === 'T').length;
    await expect.poll(stopped).toBe(1);
    vm.pause();
    vm.resume();
    await sleep(20);
    expect(stopped()).toBe(1);
  });
});
