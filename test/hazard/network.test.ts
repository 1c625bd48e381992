import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runCli } from '../fixtures/cli.js';
import { isAlive, parentOf } from '../fixtures/guests.js';
import { hasNamespaces } from '../fixtures/namespace.js';
import { hasTool } from '../fixtures/tools.js';

const TIMEOUT = { timeout: 60_000 };
const CHILD = fileURLToPath(new URL('./children/network.mjs', import.meta.url));
const IS_ROOT = process.getuid?.() === 0;

/** What the child has printed. */
async function told(command: string, args: readonly string[]): Promise<unknown> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: '/' });
  const [line] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return JSON.parse(line);
}

interface Kept {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  readonly supervisor: number;
}

async function keeper(): Promise<Kept> {
  const child = spawn(process.execPath, [CHILD, 'keep'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { pid, port } = JSON.parse(String(line));
  return { child, pid, port, supervisor: parentOf(pid) };
}

/** Nobody holds the published port any more: the relay is gone, and so is all that held the namespace. */
async function expectNothingLeft({ pid, port, supervisor }: Kept): Promise<void> {
  await expect.poll(() => isAlive(supervisor) || isAlive(pid), TIMEOUT).toBe(false);
  await expect
    .poll(async () => {
      const server = createServer();
      const outcome = await new Promise((resolve) => {
        server.once('error', () => resolve('taken')).listen(port, '127.0.0.1', () => resolve('free'));
      });
      server.close();
      return outcome;
    }, TIMEOUT)
    .toBe('free');
}

describe.skipIf(!hasNamespaces())('a network of its own', () => {
  it('our process is killed while the guest is frozen: nothing is left', TIMEOUT, async () => {
    const kept = await keeper();
    kept.child.kill('SIGKILL');
    await expectNothingLeft(kept);
  });

  it('the supervisor is killed: the relay ends with it', TIMEOUT, async () => {
    const kept = await keeper();
    kept.child.kill('SIGSTOP');
    process.kill(kept.supervisor, 'SIGKILL');
    kept.child.kill('SIGKILL');
    await expect.poll(() => isAlive(kept.supervisor)).toBe(false);
    if (isAlive(kept.pid)) process.kill(kept.pid, 'SIGKILL');
    await told(process.execPath, [CHILD]); // the next one removes the group, and so thaws what was frozen in it
    await expectNothingLeft(kept);
  });

  it.skipIf(!IS_ROOT || !hasTool('setpriv'))(
    'a user who may make namespaces has it without root',
    TIMEOUT,
    async () => {
      const nobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, CHILD];
      expect(await told('setpriv', nobody)).toMatchObject({
        ...{ processes: 1, outsideGroup: 0, served: 'served', text: ['is agent'], memory: 'preserved' },
      });
    },
  );

  it('without the privilege it is refused, with the remedy', TIMEOUT, async () => {
    const script = 'echo 0 >/proc/sys/user/max_net_namespaces && exec "$0" "$@"';
    expect(await told('unshare', ['--user', '--map-root-user', 'sh', '-c', script, process.execPath, CHILD])).toEqual({
      code: 'ERR_NETWORK_UNAVAILABLE',
      message: expect.stringMatching(
        /^Expected a network of its own for VM 'agent' but this machine refuses a network namespace: ENOSPC.*Run as root .*sysctl user\.max_user_namespaces/,
      ),
    });
  });

  it('the command: an unmodified agent finds the metadata service, and ports are published', TIMEOUT, async () => {
    const script =
      'curl -s -H Metadata:true "http://169.254.169.254/metadata/scheduledevents?api-version=2020-07-01" && echo && exec sleep 1000';
    const flags = ['--network', 'own', '--publish', '0:6379', '--ready-line', 'DocumentIncarnation', '--json'];
    const { exitCode, stdout, stderr } = await runCli([
      'run',
      '--process',
      script,
      '--duration',
      '1ms',
      '--freeze',
      '10ms',
      '--budget',
      '20s',
      ...flags,
    ]);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, freezes: [{ memory: 'preserved' }] });
    expect(exitCode).toBe(0);
  });

  it.each([
    [['--network', 'mine'], 'host or own'],
    [['--network', 'own', '--publish', 'x'], 'a port, or two as 16379:6379,'],
    [['--publish', '80'], "the network 'own'"],
  ])('the command refuses %j', TIMEOUT, async (flags, expected) => {
    const { exitCode, stderr } = await runCli(['run', '--process', 'true', ...flags]);
    expect(stderr).toContain(expected);
    expect(exitCode).toBe(2);
  });
});
