import { readFileSync, rmdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ProcessVm, type ProcessVmOptions } from 'standstill';
import { describe, expect, it } from 'vitest';
import { withTemporaryFolder } from '../../fixtures/cli.js';
import { isAlive, type ShellGuestOptions, shellGuest, startedGuest } from '../../fixtures/guests.js';

const TIMEOUT = { timeout: 60_000 };
const SLEEPS: ProcessVmOptions = { command: 'sleep', args: ['1000'] };

/** One that ends by itself, and may have done so. */
async function exitingGuest(script: string, options: ShellGuestOptions = {}): Promise<ProcessVm> {
  const vm = await ProcessVm.create({ command: '/bin/sh', args: ['-c', script], ...options });
  vm.start();
  return vm;
}

const code = (expected: string) => expect.objectContaining({ code: expected });

describe('the states of a process guest', () => {
  it('created, running, paused, running, closed', TIMEOUT, async () => {
    using vm = await ProcessVm.create(SLEEPS);
    expect(vm.state).toBe('created');
    expect(vm.pause()).toEqual({ haltNs: 0, latencyNs: 0 });
    expect(() => vm.resume()).toThrow(code('ERR_VM_NOT_STARTED'));
    await expect(vm.ready()).rejects.toThrow(code('ERR_VM_NOT_STARTED'));
    vm.start();
    expect(vm.state).toBe('running');
    expect(() => vm.start()).toThrow(code('ERR_VM_ALREADY_STARTED'));
    const { haltNs, latencyNs } = vm.pause();
    expect(latencyNs).toBeGreaterThan(haltNs);
    expect(haltNs).toBeGreaterThan(0);
    expect(vm.state).toBe('paused');
    expect(vm.pause()).toEqual({ haltNs: 0, latencyNs: 0 });
    vm.resume();
    vm.resume();
    expect(vm.state).toBe('running');
    const { pid } = vm.stats();
    vm.close();
    vm.close();
    expect(vm.state).toBe('closed');
    expect(isAlive(pid)).toBe(false);
    for (const operation of [() => vm.start(), () => vm.pause(), () => vm.resume(), () => vm.stats()]) {
      expect(operation).toThrow(code('ERR_VM_CLOSED'));
    }
    await expect(vm.ready()).rejects.toThrow(code('ERR_VM_CLOSED'));
    await expect(vm.terminate()).resolves.toBeNull();
  });

  it('what a process cannot do answers ERR_NOT_SUPPORTED', TIMEOUT, async () => {
    using vm = await ProcessVm.create(SLEEPS);
    for (const operation of [() => vm.registers(), () => vm.read(), () => vm.flipBit(), () => vm.endEpoch()]) {
      expect(operation).toThrow(code('ERR_NOT_SUPPORTED'));
    }
    for (const operation of [vm.runUntil(), vm.check(), vm.snapshot(), vm.rollback(), vm.explore()]) {
      await expect(operation).rejects.toThrow(code('ERR_NOT_SUPPORTED'));
    }
  });

  it('a guest that ends is faulted, tells how, and can be started again as another one', TIMEOUT, async () => {
    await using vm = await exitingGuest('echo last words; exit 3');
    await expect.poll(() => vm.state).toBe('faulted');
    expect(vm.stats().ending).toEqual({ exitCode: 3, signal: null });
    await expect.poll(() => vm.logTail()).toEqual([{ stream: 'stdout', text: 'last words' }]);
    expect(() => vm.pause()).toThrow(/exited with 3; it wrote last:\n {2}last words/);
    expect(() => vm.resume()).toThrow(code('ERR_PROCESS_ENDED'));
    const { generationId } = vm;
    vm.start();
    expect(vm.generationId).not.toBe(generationId);
  });

  it('a guest that is killed while it is frozen is seen to have ended', TIMEOUT, async () => {
    for (const freezer of ['auto', 'signal'] as const) {
      await using vm = await startedGuest({ ...SLEEPS, freezer });
      vm.pause();
      process.kill(vm.stats().pid, 'SIGKILL');
      await expect.poll(() => vm.state).toBe('faulted');
      expect(vm.stats().ending).toEqual({ exitCode: null, signal: 'SIGKILL' });
      expect(() => vm.resume()).toThrow(code('ERR_PROCESS_ENDED'));
    }
  });
});

describe('commands that cannot be started', () => {
  it.each([
    ['does not exist', { command: 'standstill-no-such-command' }, /ENOENT/],
    ['is not executable', { command: '/etc/passwd' }, /EACCES/],
    ['is a folder', { command: '/tmp' }, /EACCES/],
    ['has no folder to run in', { ...SLEEPS, cwd: '/no/such/folder' }, /working folder.*ENOENT/],
    ['is not in the PATH of its own environment', { ...SLEEPS, env: { PATH: '/no/such/folder' } }, /ENOENT/],
  ] as const)('one that %s', TIMEOUT, async (_, options, message) => {
    using vm = await ProcessVm.create(options);
    expect(() => vm.start()).toThrow(code('ERR_PROCESS_SPAWN'));
    expect(() => vm.start()).toThrow(message);
    expect(vm.state).toBe('created');
  });

  it('one whose group has vanished', TIMEOUT, async () => {
    using vm = await ProcessVm.create(SLEEPS);
    if (vm.freezer.group === '') return;
    rmdirSync(vm.freezer.group);
    expect(() => vm.start()).toThrow(code('ERR_FREEZER_UNAVAILABLE'));
    expect(() => vm.start()).toThrow(/is gone: ENODEV/);
  });

  it.each([
    [{ command: '' }, "Expected the name or path of a program for 'command'"],
    [{ command: 'a\0b' }, "'command'"],
    [{ ...SLEEPS, comand: 'x' }, "Unknown option 'comand' for a process VM"],
    [{ ...SLEEPS, freezer: 'ice' }, "'auto', 'cgroup2', 'cgroup1' or 'signal' for 'freezer'"],
    [{ ...SLEEPS, ready: { port: 0 } }, "for 'ready"],
    [{ ...SLEEPS, readyTimeoutMs: -1 }, "milliseconds above 0, up to 3600000 for 'readyTimeoutMs'"],
    [{ ...SLEEPS, restartLimit: 0.5 }, "'restartLimit'"],
  ])('options that are wrong: %o', TIMEOUT, async (options, message) => {
    await expect(ProcessVm.create(options as ProcessVmOptions)).rejects.toThrow(message);
  });
});

describe('readiness', () => {
  it('by a line, on either stream', TIMEOUT, async () => {
    await using vm = await shellGuest('echo one; sleep 0.05; echo now READY >&2; exec sleep 1000', {
      ready: { line: /now [A-Z]+$/ },
    });
    expect(vm.logTail()).toEqual([
      { stream: 'stdout', text: 'one' },
      { stream: 'stderr', text: 'now READY' },
    ]);
  });

  it('by a port and by HTTP', TIMEOUT, async () => {
    const server = createServer((_, response) => response.end('yes')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    for (const ready of [{ port }, { http: `http://127.0.0.1:${port}/` }]) {
      await using _vm = await startedGuest({ ...SLEEPS, ready });
    }
    server.close();
  });

  it('that never comes: ERR_PROCESS_NOT_READY with the end of its output, and the guest runs on', TIMEOUT, async () => {
    await using vm = await ProcessVm.create({
      command: 'sh',
      args: ['-c', 'echo still trying; exec sleep 1000'],
      ready: { line: 'done' },
      readyTimeoutMs: 300,
    });
    vm.start();
    await expect.poll(() => vm.logTail()).toEqual([{ stream: 'stdout', text: 'still trying' }]);
    await expect(vm.ready()).rejects.toThrow(code('ERR_PROCESS_NOT_READY'));
    await expect(vm.ready()).rejects.toThrow(/within 300 ms but it is not; it wrote last:\n {2}still trying/);
    expect(vm.state).toBe('running');
  });

  it('of a guest that exits at once: ERR_PROCESS_ENDED with what it wrote', TIMEOUT, async () => {
    const guest = shellGuest('echo no config >&2; exit 78', { ready: { line: 'never' } });
    await expect(guest).rejects.toThrow(/exited with 78; it wrote last:\n {2}no config/);
  });

  // A guest that had ended before the wait began was waited for without end.
  it('of a guest that has ended already: ERR_PROCESS_ENDED at once', TIMEOUT, async () => {
    await using vm = await exitingGuest('exit 78', { ready: { line: 'never' } });
    await expect.poll(() => vm.state).toBe('faulted');
    await expect(vm.ready()).rejects.toThrow(/exited with 78/);
  });

  // The wait ended with a bare AbortError as soon as the first process had.
  it('of a guest that is started again is waited for', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      const script = `test -e ${path}/again && echo READY && exec sleep 1000; touch ${path}/again; exit 1`;
      await using vm = await shellGuest(script, { restart: 'on-failure', ready: { line: 'READY' } });
      expect(vm.stats()).toMatchObject({ state: 'running', restarts: 1 });
    });
  });

  // A line of the process before made the new one ready.
  it('by a line is by one of the process that runs now', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      const script = `test -e ${path}/again || { touch ${path}/again; echo READY; }; exec sleep 1000`;
      await using vm = await shellGuest(script, { ready: { line: 'READY' }, readyTimeoutMs: 2000 });
      process.kill(vm.stats().pid, 'SIGKILL');
      await expect.poll(() => vm.state).toBe('faulted');
      vm.start();
      await expect(vm.ready()).rejects.toThrow(code('ERR_PROCESS_NOT_READY'));
      expect(vm.logTail()).toEqual([{ stream: 'stdout', text: 'READY' }]);
    });
  });

  it('can be aborted', TIMEOUT, async () => {
    await using vm = await ProcessVm.create({ ...SLEEPS, ready: { line: 'never' } });
    vm.start();
    const stop = new AbortController();
    const ready = vm.ready({ signal: stop.signal });
    stop.abort();
    await expect(ready).rejects.toThrow(code('ERR_ABORTED'));
  });
});

describe('the end', () => {
  it('terminate thaws first, and a guest that handles SIGTERM ends by itself', TIMEOUT, async () => {
    const vm = await shellGuest("trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.01; done", {
      ready: { line: 'up' },
    });
    vm.pause();
    await expect(vm.terminate()).resolves.toEqual({ exitCode: 5, signal: null });
    expect(vm.logTail()).toContainEqual({ stream: 'stdout', text: 'bye' });
  });

  it('one that ignores SIGTERM is killed after the grace, and its children with it', TIMEOUT, async () => {
    const vm = await shellGuest("trap '' TERM; sleep 1000 & echo $!; wait; sleep 1000", { ready: { line: /\d/ } });
    const child = Number(vm.logTail()[0]?.text);
    await expect(vm.terminate({ graceMs: 100 })).resolves.toEqual({ exitCode: null, signal: 'SIGKILL' });
    expect(isAlive(child)).toBe(false);
  });

  it('restarts what fails, as often as allowed', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      await using vm = await exitingGuest(`echo run >>${path}/runs; exit 1`, {
        restart: 'on-failure',
        restartLimit: 3,
      });
      await expect.poll(() => vm.stats().restarts).toBe(3);
      await expect.poll(() => readFileSync(join(path, 'runs'), 'utf8')).toBe('run\n'.repeat(4));
      await expect.poll(() => vm.state).toBe('faulted');
    });
  });

  it('restarts what is killed in a freeze once the freeze is left, not before', TIMEOUT, async () => {
    await using vm = await startedGuest({ ...SLEEPS, restart: 'always', freezer: 'signal' });
    using freeze = vm.freeze({ handshakeTimeoutMs: 10_000 });
    process.kill(vm.stats().pid, 'SIGKILL');
    await expect.poll(() => vm.state, TIMEOUT).toBe('faulted');
    await expect(vm.ready()).rejects.toMatchObject({ code: 'ERR_PROCESS_ENDED' });
    expect(freeze.released).toBe(true);
    expect(vm.state).toBe('faulted');
    freeze.release();
    expect(vm.stats()).toMatchObject({ state: 'running', restarts: 1 });
  });

  it('does not restart what ends well, unless always', TIMEOUT, async () => {
    await using once = await exitingGuest('exit 0', { restart: 'on-failure' });
    await expect.poll(() => once.state).toBe('faulted');
    expect(once.stats().restarts).toBe(0);
    await using twice = await exitingGuest('exit 0', { restart: 'always', restartLimit: 1 });
    await expect.poll(() => twice.stats().restarts).toBe(1);
  });

  it("does not hand the supervisor's own state to the guest", TIMEOUT, async () => {
    const script =
      'echo fds $(ls /proc/self/fd | wc -l); cat /proc/self/timerslack_ns; grep SigBlk /proc/self/status; env; echo end';
    await using vm = await shellGuest(`${script}; exec sleep 1000`, {
      env: { PATH: '/usr/bin:/bin', ONLY: '1' },
      ready: { line: 'end' },
    });
    const text = vm
      .logTail(100)
      .map((line) => line.text)
      .join('\n');
    // Standard input, output and error, and the folder that ls reads.
    expect(text).toContain('fds 4\n');
    expect(text).toContain('ONLY=1');
    expect(text).not.toContain('HOME=');
    expect(text).toMatch(/SigBlk:\s+0{16}/);
    expect(text).toContain('50000');
  });
});
