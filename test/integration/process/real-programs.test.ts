import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessVm } from 'standstill';
import { describe, expect, it } from 'vitest';
import { Prng } from '../../../src/base/prng.js';
import { withTemporaryFolder } from '../../fixtures/cli.js';
import { startedGuest } from '../../fixtures/guests.js';
import { freePort } from '../../fixtures/ports.js';
import { RedisClient } from '../../fixtures/redis.js';
import { hasTool } from '../../fixtures/tools.js';

const SEED = 11n;
/** How often each guest is frozen here; `npm run test:long` freezes as often as the promise says. */
const IS_LONG = process.env.STANDSTILL_LONG === '1';
const REDIS_FREEZES = IS_LONG ? 50 : 8;
const REDIS_FREEZE_MS_MAX = IS_LONG ? 3000 : 300;
const STRESS_FREEZES = IS_LONG ? 200 : 25;
const TIMEOUT = { timeout: IS_LONG ? 600_000 : 120_000 };

async function frozenFor(vm: ProcessVm, durationMs: number): Promise<void> {
  using _freeze = vm.freeze({ budgetMs: durationMs + 10_000, handshakeTimeoutMs: 5000 });
  await sleep(durationMs);
}

describe.skipIf(!hasTool('redis-server'))('redis-server with an append-only file', () => {
  const start = (port: number, folder: string) =>
    startedGuest({
      command: 'redis-server',
      args: ['--port', `${port}`, '--dir', folder, '--save', '', '--appendonly', 'yes', '--appendfsync', 'always'],
      ready: { line: 'Ready to accept connections' },
    });

  it(`loses no acknowledged write in ${REDIS_FREEZES} freezes, nor in the end by SIGKILL`, TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      const port = await freePort();
      const acknowledged = new Map<string, string>();
      const vm = await start(port, path);
      try {
        let isWriting = true;
        const writers = [0, 1, 2, 3].map(async (writer) => {
          using client = await RedisClient.connect(port);
          for (let count = 1; isWriting; count += 1) {
            // A counter, so that a write applied twice would show.
            const total = await client.send('INCR', `counter:${writer}`);
            expect(Number(total)).toBe(count);
            const key = `key:${writer}:${count % 500}`;
            expect(await client.send('SET', key, `${count}`)).toBe('OK');
            acknowledged.set(key, `${count}`).set(`counter:${writer}`, total);
          }
        });
        const prng = new Prng(SEED);
        for (let freeze = 0; freeze < REDIS_FREEZES; freeze += 1) {
          const writes = acknowledged.get('counter:0');
          await expect.poll(() => acknowledged.get('counter:0'), { timeout: 20_000 }).not.toBe(writes);
          await frozenFor(vm, 10 + prng.nextBelow(REDIS_FREEZE_MS_MAX - 10));
        }
        isWriting = false;
        await Promise.all(writers);
      } finally {
        vm.close(); // by SIGKILL: what it has acknowledged is on the disk
      }
      expect(acknowledged.size).toBeGreaterThan(4);
      await using again = await start(port, path);
      expect(again.state).toBe('running');
      using client = await RedisClient.connect(port);
      for (const [key, value] of acknowledged) expect(await client.send('GET', key), key).toBe(value);
    });
  });

  it('is not ready on a port that another program has, and says what redis said', TIMEOUT, async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await withTemporaryFolder(async ({ path }) => {
      await expect(start(port, path)).rejects.toThrow(/exited with 1; it wrote last:[\s\S]*Address already in use/);
    });
    server.close();
  });
});

describe('a Node HTTP server behind a client that keeps its connection', () => {
  const SERVER =
    "require('node:http').createServer((q, r) => r.end('ok')).listen(+process.argv[1], '127.0.0.1', () => console.log('up'))";

  const request = (port: number, agent: Agent, timeoutMs: number) =>
    new Promise<string>((resolve, reject) => {
      const sent = get({ port, host: '127.0.0.1', agent, timeout: timeoutMs }, (response) => {
        response.resume();
        response.once('end', () => resolve('answered'));
      });
      sent.once('timeout', () => {
        sent.destroy();
        resolve('timed out');
      });
      sent.once('error', reject);
    });

  it('a freeze of 2 s: a timeout of 1 s fires, one of 5 s does not', TIMEOUT, async () => {
    const port = await freePort();
    await using vm = await startedGuest({
      command: process.execPath,
      args: ['-e', SERVER, `${port}`],
      ready: { line: 'up' },
    });
    const impatient = new Agent({ keepAlive: true, maxSockets: 1 });
    const patient = new Agent({ keepAlive: true, maxSockets: 1 });
    // Both have a connection before the freeze, and use it in the freeze.
    expect(await request(port, impatient, 30_000)).toBe('answered');
    expect(await request(port, patient, 30_000)).toBe('answered');
    const freeze = vm.freeze({ budgetMs: 30_000 });
    const outcomes = [request(port, impatient, 1000), request(port, patient, 30_000)];
    expect(await outcomes[0]).toBe('timed out');
    await sleep(1000);
    freeze.release();
    expect(await outcomes[1]).toBe('answered');
    impatient.destroy();
    patient.destroy();
  });
});

describe.skipIf(!hasTool('stress-ng'))('stress-ng --vm --verify', () => {
  it(`finds no verification error in ${STRESS_FREEZES} freezes`, TIMEOUT, async () => {
    await using vm = await startedGuest({
      command: 'stress-ng',
      args: ['--vm', '2', '--vm-bytes', '64M', '--verify', '--timeout', '0', '--verbose'],
      ready: { line: 'started [' },
    });
    const prng = new Prng(SEED);
    for (let freeze = 0; freeze < STRESS_FREEZES; freeze += 1) {
      await sleep(prng.nextBelow(30));
      if (freeze % 10 === 0) {
        using _freeze = vm.freeze({ handshakeTimeoutMs: 5000 });
        const before = await vm.memoryImage();
        expect(before.compare(await vm.memoryImage())).toBeNull();
      } else {
        await frozenFor(vm, 1 + prng.nextBelow(20));
      }
    }
    expect(vm.state).toBe('running');
    const ending = await vm.terminate({ graceMs: 30_000 });
    const text = vm
      .logTail(1000)
      .map((line) => line.text)
      .join('\n');
    expect(text).not.toMatch(/fail:|verif.*error|detected \d+ bit errors/i);
    expect(ending).toEqual({ exitCode: 0, signal: null });
  });
});
