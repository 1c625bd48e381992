// --ui of serve, run and rollout, as a user has it.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { runCli, startCli } from '../fixtures/cli.js';
import { withServe } from '../fixtures/serve.js';

const TIMEOUT = { timeout: 120_000 };
const TOKEN = { STANDSTILL_TOKEN: 'a token of the test' };

/** Lines of standard error as they come, until one matches. */
async function lineOf(child: ReturnType<typeof startCli>['child'], pattern: RegExp): Promise<RegExpExecArray> {
  if (child.stderr === null) throw new Error('Expected a pipe');
  for await (const line of createInterface({ input: child.stderr })) {
    const match = pattern.exec(line);
    if (match !== null) return match;
  }
  throw new Error(`no line like ${pattern}`);
}

const status = async (url: string, path: string, token: string, method = 'GET') =>
  (await fetch(`${url}${path}`, { method, headers: { authorization: `Bearer ${token}` } })).status;

describe('serve --ui', () => {
  it('tells its address, and ends with the command', TIMEOUT, async () => {
    await withServe(['--ui'], async ({ ui, control, vms, end }) => {
      expect(control).toBeNull();
      expect(ui.page).toBe(`${ui.url}/#token=${ui.token}`);
      expect(await status(ui.url, '/', '')).toBe(200);
      expect(await status(ui.url, `/api/vms/${vms[0]?.name}/pause`, ui.token, 'POST')).toBe(200);
      expect(await end('SIGINT')).toMatchObject({ exitCode: 0, stderr: '' });
    });
  });

  it('begins the built-in maintenance', TIMEOUT, async () => {
    await withServe(['--ui', '--notice', '0s'], async ({ ui, lines }) => {
      expect(await status(ui.url, '/api/hosts/host/maintenance', ui.token, 'POST')).toBe(202);
      const types = () => lines.map(({ type }) => type);
      await expect.poll(types, { timeout: 60_000 }).toEqual(expect.arrayContaining(['event-started', 'event-removed']));
      expect(lines.find(({ type }) => type === 'event-removed')).toMatchObject({ reason: 'completed' });
    });
  });

  it.each([
    [['serve', '--patch', 'x.mjs'], 'Expected --ui with --patch'],
    [['serve', '--ui', '10.0.0.1:0'], 'a loopback address'],
    [['rollout', '--plan', '--ui'], 'Expected one of --plan and --ui'],
    [['run', '--process', 'sleep 1', '--ui'], '--ui'],
  ])('%j is a usage error', TIMEOUT, async (args, message) => {
    const { exitCode, stderr, stdout } = await runCli(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/ at .*\.js:/);
  });
});

const WELL: Record<string, object> = {
  run: { ok: true },
  rollout: { report: { ok: true } },
  scenario: { result: 'passed' },
};

describe.each([
  ['run', ['run', '--vms', '2', '--memory', '1MiB', '--duration', '10ms'], 'host'],
  ['rollout', ['rollout', '--hosts', '2', '--vms', '2', '--memory', '1MiB', '--duration', '10ms'], 'host-1'],
  ['scenario', ['run', 'examples/pause/scenario.yaml'], 'host-1'],
])('%s --ui', (name, args, host) => {
  it(
    'prints its report, says that it serves on, and leaves with the report’s exit code by Ctrl-C',
    TIMEOUT,
    async () => {
      const { child, ended } = startCli([...args, '--ui', '--json'], TOKEN);
      const [, url = ''] = await lineOf(child, /The VMs run on for the dashboard at (http:\S+?)\/#token=/);
      const token = TOKEN.STANDSTILL_TOKEN;
      // Whoever looks can go on with it.
      expect(await status(url, `/api/hosts/${host}/maintenance`, token, 'POST')).toBe(202);
      const aborted = once(child, 'close');
      child.kill('SIGINT');
      await aborted;
      const { exitCode, stdout } = await ended;
      expect(exitCode).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject(WELL[name] ?? {});
    },
  );
});
