// standstill serve and standstill events, as a user has them.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { runCli, startCli, withTemporaryFolder } from '../fixtures/cli.js';
import { ask, documentOf } from '../fixtures/metadata.js';
import { type Served, withServe } from '../fixtures/serve.js';

const TIMEOUT = { timeout: 120_000 };
const curl = async (...args: string[]) => (await promisify(execFile)('curl', ['-sS', ...args])).stdout;

const until = (served: Served, type: string) =>
  expect.poll(() => served.lines.map((line) => line.type), { timeout: 60_000 }).toContain(type);

describe('serve', () => {
  it(
    'prints the addresses on one line when ready, raises the event of its flags, and ends by SIGTERM',
    TIMEOUT,
    async () => {
      const flags = ['--raise', 'Freeze', '--notice', '1h', '--duration', '200ms', '--settle', '100ms'];
      await withServe(['--vm', 'web-0', '--vm', 'web-1', ...flags], async (served) => {
        expect(served.vms.map(({ name }) => name)).toEqual(['web-0', 'web-1']);
        expect(served.control).toBeNull();
        const [first, second] = served.vms.map(({ url }) => url);
        const document = await curl('-H', 'Metadata:true', `${first}/metadata/scheduledevents?api-version=2020-07-01`);
        const [event] = JSON.parse(document).Events;
        expect(event).toMatchObject({ EventType: 'Freeze', Resources: ['web-0'], DurationInSeconds: 1 });
        const body = JSON.stringify({ StartRequests: [{ EventId: event.EventId }] });
        const url = `${first}/metadata/scheduledevents?api-version=2019-08-01`;
        expect(await curl('-H', 'Metadata:true', '-X', 'POST', '-d', body, '-w', '%{http_code}', url)).toBe('200');
        await until(served, 'event-removed');
        expect(served.lines.map(({ type }) => type)).toEqual(
          expect.arrayContaining(['event-acknowledged', 'event-started', 'event-impact-begin', 'event-impact-end']),
        );
        expect((await documentOf(first as string)).Events).toEqual([]);
        expect((await documentOf(second as string)).Events).toHaveLength(1);
        expect(await served.end()).toMatchObject({ exitCode: 0, stderr: '' });
      });
    },
  );

  it('ends in the midst of a freeze, by Ctrl-C', TIMEOUT, async () => {
    await withServe(['--raise', 'Freeze', '--notice', '0s', '--duration', '1h'], async (served) => {
      await until(served, 'event-impact-begin');
      expect(await served.end('SIGINT')).toMatchObject({ exitCode: 0 });
    });
  });

  it('plays a schedule file', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      const file = join(path, 'schedule.yaml');
      writeFileSync(
        file,
        [
          'timeScale: 100',
          'settle: 10s',
          'sets: { web: [web-0, web-1] }',
          "faults: { db: ['500', 404] }",
          'events:',
          '  - { type: Freeze, vms: [web-0], notice: 10s, duration: 5s, second: { after: 1s, duration: 1s } }',
          '  - { type: Reboot, vms: [db], notice: 1h, cancelAfter: 5s }',
          '  - { after: 5s, hardwareFailure: true, vms: [db], duration: 5s }',
          '  - { type: Freeze, every: 10s, vms: [web-1], notice: 0s, duration: 100ms, settle: 0s }',
        ].join('\n'),
      );
      await withServe(['--vm', 'web-0', '--vm', 'web-1', '--vm', 'db', '--schedule', file], async ({ vms, lines }) => {
        expect((await ask(`${vms[2]?.url}/metadata/scheduledevents?api-version=2020-07-01`)).status).toBe(500);
        expect((await ask(`${vms[2]?.url}/metadata/scheduledevents?api-version=2020-07-01`)).status).toBe(404);
        const removed = (reason: string) => lines.filter((line) => line.reason === reason).length;
        await expect.poll(() => removed('completed'), { timeout: 60_000 }).toBeGreaterThanOrEqual(5);
        expect(removed('cancelled')).toBe(1);
        expect(removed('failed')).toBe(0);
      });
    });
  });

  it('logs requests at level debug on standard error', TIMEOUT, async () => {
    await withServe(['--log-level', 'debug'], async ({ vms, end }) => {
      await documentOf(vms[0]?.url as string);
      const { stderr } = await end();
      const requests = stderr.split('\n').filter((line) => line.includes('"msg":"request"'));
      expect(JSON.parse(requests[0] ?? '')).toMatchObject({
        level: 20,
        vm: 'vm-0',
        status: 200,
        msg: 'request',
      });
    });
  });

  it.each([
    [['--raise', 'Frieze'], "did you mean 'Freeze'"],
    [['--metadata', '0.0.0.0:0'], 'ERR_ADDRESS_PUBLIC'],
    [['--notice', 'soon'], '--notice'],
    [['--control', '10.0.0.1:0'], 'a loopback address'],
  ])('%j is a usage error', TIMEOUT, async (args, message) => {
    const { exitCode, stderr, stdout } = await runCli(['serve', ...args]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/ at .*\.js:/);
  });
});

describe('the control endpoint', () => {
  it('raises, cancels, sets faults and tells the state, for those who have the token', TIMEOUT, async () => {
    await withServe(['--vm', 'web-0', '--control'], async ({ vms, control }) => {
      const url = vms[0]?.url as string;
      const events = async (...args: string[]) => {
        const end = await runCli(['events', ...args, '--json', '--control', control.url], {
          STANDSTILL_TOKEN: control.token,
        });
        return { ...end, answer: end.stdout === '' ? undefined : JSON.parse(end.stdout) };
      };
      const raised = await events('raise', 'Reboot', '--vm', 'web-0', '--notice', '1h');
      expect(raised).toMatchObject({ exitCode: 0, answer: [{ type: 'Reboot', vms: ['web-0'] }] });
      expect((await documentOf(url)).Events).toMatchObject([{ EventType: 'Reboot', EventSource: 'User' }]);
      expect((await events('cancel', raised.answer[0].id)).exitCode).toBe(0);
      expect(await events('cancel', raised.answer[0].id)).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining('404'),
      });
      expect((await events('faults', 'web-0', '503')).exitCode).toBe(0);
      expect((await ask(`${url}/metadata/scheduledevents?api-version=2020-07-01`)).status).toBe(503);
      const { answer } = await events('state');
      expect(answer.vms).toMatchObject([{ name: 'web-0', requests: 2, incarnation: 3 }]);
      const token = ['--control', control.url, '--token', control.token];
      expect((await runCli(['events', 'state', ...token])).stdout).toMatch(/^VM .*incarnation.*\nweb-0 /);
      const failed = await events('raise', '--hardware-failure', '--duration', '10ms');
      expect(failed).toMatchObject({ exitCode: 0, answer: [{ type: 'Reboot' }] });
      expect(await events('raise', 'Frieze')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('400') });
    });
  });

  it('refuses who has no token, comes from a page, or calls it by another name', TIMEOUT, async () => {
    await withServe(['--control'], async ({ control }) => {
      const authorization = `Bearer ${control.token}`;
      const status = async (headers: Record<string, string>) => (await ask(`${control.url}/state`, { headers })).status;
      expect(await status({ authorization })).toBe(200);
      expect(await status({})).toBe(401);
      expect(await status({ authorization: 'Bearer wrong' })).toBe(401);
      expect(await status({ authorization, origin: 'http://a.example' })).toBe(400);
      expect(await status({ authorization, 'sec-fetch-site': 'cross-site' })).toBe(400);
      expect(await status({ authorization, host: 'rebound.example' })).toBe(403);
      expect(await status({ authorization, host: 'localhost:1' })).toBe(200);
    });
  });
});

it('an answer of something else than a control endpoint is told without a stack', TIMEOUT, async () => {
  const server = createServer((_, response) => response.end('<html>hello</html>')).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const end = await runCli(['events', 'state', '--control', url, '--token', 'x']);
    expect(end).toMatchObject({ exitCode: 1, stdout: '' });
    expect(end.stderr).toMatch(
      /^error: Expected the JSON of a control endpoint .*<html>hello.*ERR_CONTROL_REFUSED\)\n$/,
    );
  } finally {
    server.close();
  }
});

describe('events watch', () => {
  const statusesIn = (stdout: string) =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).Events[0]?.EventStatus);

  it('prints each document that is new, and acknowledges', TIMEOUT, async () => {
    const flags = ['--raise', 'Freeze', '--notice', '1h', '--duration', '100ms', '--settle', '3s'];
    await withServe(flags, async (served) => {
      const watch = startCli(['events', 'watch', served.vms[0]?.url ?? '', '--ack', '--interval', '20ms', '--json']);
      let lines = 0;
      watch.child.stdout?.on('data', (part) => {
        lines += String(part).split('\n').length - 1;
      });
      await expect.poll(() => lines, { timeout: 60_000 }).toBe(3);
      watch.child.kill('SIGINT');
      const { exitCode, stdout, stderr } = await watch.ended;
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(statusesIn(stdout)).toEqual(['Scheduled', 'Started', undefined]);
    });
  });

  it('acknowledges again where that has failed, and prints the document once', TIMEOUT, async () => {
    const flags = ['--raise', 'Freeze', '--notice', '1h', '--duration', '1h', '--faults', 'vm-0=ok,500'];
    await withServe(flags, async (served) => {
      const watch = startCli(['events', 'watch', served.vms[0]?.url ?? '', '--ack', '--interval', '20ms', '--json']);
      await until(served, 'event-acknowledged').finally(() => watch.child.kill('SIGINT'));
      const { stdout, stderr } = await watch.ended;
      expect(stderr).toContain('answers 500');
      expect(statusesIn(stdout).filter((status) => status === 'Scheduled')).toHaveLength(1);
    });
  });

  it('with --once prints the present document for people', TIMEOUT, async () => {
    await withServe(['--raise', 'Freeze', '--notice', '1h'], async ({ vms }) => {
      const { exitCode, stdout } = await runCli(['events', 'watch', vms[0]?.url ?? '', '--once']);
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/document 2\n {2}[0-9A-F-]{36} {2}Freeze Scheduled: vm-0, not before /);
    });
  });

  it.each([
    [['http://127.0.0.1:9', '--once'], 1],
    [['nowhere', '--once'], 2],
    [['http://127.0.0.1:9', '--api-version', '1999'], 2],
  ])('%j ends with %i', TIMEOUT, async (args, exitCode) => {
    expect((await runCli(['events', 'watch', ...args])).exitCode).toBe(exitCode);
  });
});
