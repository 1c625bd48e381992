// Three redis replicas in an availability set, one in each update domain, patched one at a time under a client that writes.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertOneDomainAtATime, checkRollout, Fleet, type ProcessVm, probeEntries, startProbes } from 'standstill';
import { describe, expect, it } from 'vitest';
import { withTemporaryFolder } from '../../fixtures/cli.js';
import { patchPath } from '../../fixtures/patches.js';
import { freePort } from '../../fixtures/ports.js';
import { RedisClient } from '../../fixtures/redis.js';
import { hasTool } from '../../fixtures/tools.js';

const TIMEOUT = { timeout: 120_000 };
const HOST = '127.0.0.1';
const CLIENT_TIMEOUT_MS = 2000;

/** A redis of the set. `master`: the port of the one that it copies. */
async function startedReplica(fleet: Fleet, path: string, port: number, master?: number): Promise<ProcessVm> {
  const vm = await fleet.createProcessVm({
    name: `redis-${port}`,
    availabilitySet: 'cache',
    command: 'redis-server',
    args: [
      ...['--port', `${port}`, '--bind', HOST, '--dir', path, '--dbfilename', `${port}.rdb`, '--save', ''],
      ...['--repl-diskless-sync-delay', '0', '--appendonly', 'no'],
      ...(master === undefined ? [] : ['--replicaof', HOST, `${master}`]),
    ],
    ready: { line: 'Ready to accept connections' },
  });
  vm.start();
  await vm.ready();
  return vm;
}

/** Does not wait for one that is frozen. */
async function asked<T>(port: number, act: (client: RedisClient) => Promise<T>): Promise<T> {
  using client = await RedisClient.connect(port);
  const timer = setTimeout(() => client[Symbol.dispose](), CLIENT_TIMEOUT_MS);
  try {
    return await act(client);
  } finally {
    clearTimeout(timer);
  }
}

const field = async (port: number, name: string): Promise<string | undefined> =>
  new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(await asked(port, (client) => client.send('INFO', 'replication')))?.[1];

const untilInStep = async (master: number, replicas: readonly number[]): Promise<void> => {
  for (const port of replicas) {
    await expect.poll(() => field(port, 'master_link_status'), TIMEOUT).toBe('up');
    await expect.poll(() => field(port, 'master_port')).toBe(`${master}`);
  }
};

/** What an operator's failover does: the first replica becomes the master, and all others copy it. */
async function failOver(ports: readonly number[], from: number): Promise<number> {
  const [next = from] = ports.filter((port) => port !== from);
  // No write is under way on the old one any more: it answers as a replica from here on.
  await asked(from, (client) => client.send('CLIENT', 'PAUSE', '60000', 'WRITE'));
  const offset = await field(from, 'master_repl_offset');
  await expect.poll(() => field(next, 'slave_repl_offset'), TIMEOUT).toBe(offset);
  await asked(next, (client) => client.send('REPLICAOF', 'NO', 'ONE'));
  for (const port of ports.filter((each) => each !== next)) {
    await asked(port, (client) => client.send('REPLICAOF', HOST, `${next}`));
  }
  await asked(from, (client) => client.send('CLIENT', 'UNPAUSE'));
  return next;
}

/** Counts at whichever is the master, and follows it where it has moved: what a resilient client does. */
class Writer {
  readonly #ports: readonly number[];
  #master: number;
  /** The last count that was acknowledged. */
  acknowledged = 0;

  constructor(ports: readonly number[], master: number) {
    this.#ports = ports;
    this.#master = master;
  }

  async write(): Promise<void> {
    try {
      this.acknowledged = Number(await asked(this.#master, (client) => client.send('INCR', 'counter')));
    } catch (error) {
      this.#master = await this.#findMaster();
      throw error;
    }
  }

  /** One of them is frozen, and does not answer. */
  async #findMaster(): Promise<number> {
    return await Promise.any(
      this.#ports.map(async (port) => {
        if ((await field(port, 'role')) !== 'master') throw new Error(`${port} is a replica`);
        return port;
      }),
    );
  }
}

describe.skipIf(!hasTool('redis-server'))('three redis replicas over three update domains', () => {
  it('are updated one at a time; their clients see a failover, and lose no acknowledged write', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      await using fleet = await Fleet.create({ hosts: 3, updateDomains: 3, faultDomains: 1 });
      fleet.createAvailabilitySet({ name: 'cache' });
      const ports = [await freePort(), await freePort(), await freePort()];
      const [first = 0, ...others] = ports;
      await startedReplica(fleet, path, first);
      for (const port of others) await startedReplica(fleet, path, port, first);
      await untilInStep(first, others);
      let master = first;
      const writer = new Writer(ports, master);
      const replicas = ports.map((port) => ({
        name: `redis-${port}`,
        target: { tcp: `${HOST}:${port}`, send: 'PING\r\n', expectText: '+PONG' },
        everyMs: 25,
        timeoutMs: 500,
      }));
      const service = { name: 'writes', target: { call: () => writer.write() }, everyMs: 10, timeoutMs: 10_000 };
      await using probes = await startProbes([...replicas, service], { log: fleet.log });
      await expect.poll(() => writer.acknowledged).toBeGreaterThan(10);

      const masters: number[] = [];
      const report = await fleet.rollout({
        patches: [{ module: patchPath('waits-for-file.mjs'), options: { path: join(path, 'go-on') } }],
        handshakeTimeoutMs: 10_000,
        maintain: async (host, options) => {
          const [vm] = host.vms;
          const own = vm?.name ?? '';
          rmSync(join(path, 'go-on'), { force: true });
          const done = host.applyMaintenance({
            ...options,
            onBeforeFreeze: async () => {
              if (own === `redis-${master}`) master = await failOver(ports, master);
              masters.push(master);
            },
            onEvent: (event) => {
              if (event.type !== 'phase' || event.phase !== 'patch') return;
              void outageOf(own, fleet, writer).then(() => writeFileSync(join(path, 'go-on'), ''));
            },
          });
          const maintained = await done;
          await untilInStep(
            master,
            ports.filter((port) => port !== master),
          );
          return maintained;
        },
      });
      expect(report.problems).toEqual([]);
      expect(report).toMatchObject({ ok: true, status: 'done', invariants: { ok: true, impacts: 3 } });
      assertOneDomainAtATime(fleet.log);
      expect(checkRollout(fleet.log, { runningShareMin: 2 / 3 })).toMatchObject({ ok: true, impacts: 3 });
      // Away from the first before it was frozen, and back to it before the second was.
      expect(masters).toEqual([others[0], first, first]);

      const summaries = await probes.stop();
      for (const summary of summaries) {
        expect(summary.before.okShare, summary.name).toBe(1);
        expect(summary.after.asked === 0 || summary.after.ok > 0, summary.name).toBe(true);
      }
      // Each replica was away for a while; the service never was, but for the writes that the failover turned away.
      for (const { during } of summaries.slice(0, 3)) expect(during.ok).toBeLessThan(during.asked);
      const writes = summaries.at(-1);
      expect(writes?.during.ok).toBeGreaterThan(0);

      const last = writer.acknowledged;
      for (const port of ports) {
        await expect.poll(async () => Number(await asked(port, (client) => client.send('GET', 'counter')))).toBe(last);
      }
    });
  });
});

/** A client has missed the frozen replica, and writes were acknowledged after that. */
async function outageOf(vm: string, fleet: Fleet, writer: Writer): Promise<void> {
  const from = fleet.log.entries.length;
  const answers = () => probeEntries(fleet.log.entries.slice(from)).filter((entry) => entry.probe === vm);
  await expect.poll(() => answers().some((entry) => entry.type === 'probe' && !entry.ok), TIMEOUT).toBe(true);
  const before = writer.acknowledged;
  await expect.poll(() => writer.acknowledged, TIMEOUT).toBeGreaterThan(before + 5);
}
