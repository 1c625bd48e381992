// Debian's resource agent azure-events-az, unmodified, at the address that it has hard-coded, through a whole Freeze: its
// node is drained, it acknowledges, the VM stands still, and the node comes back. Pacemaker's tools are stubs.
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { withTemporaryFolder } from '../fixtures/cli.js';
import { runInNamespaceOf, spawnInNamespace } from '../fixtures/namespace.js';

const TIMEOUT = { timeout: 120_000 };
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const STUBS = fileURLToPath(new URL('./pacemaker', import.meta.url));
const OCF_ROOT = '/usr/lib/ocf';
const AGENT = `${OCF_ROOT}/resource.d/heartbeat/azure-events-az`;

const HEALTH = '#health-azure';
const STATE = 'azure-events-az_curNodeState';
const PENDING = 'azure-events-az_pendingEventIDs';

interface Scene {
  /** Lines of the event log of `standstill serve`, by type. */
  readonly told: () => unknown[];
  /** The agent's monitor action, as Pacemaker calls it every ten seconds; its exit code. */
  readonly monitor: (eventTypes: string) => Promise<number | null>;
  /** An attribute of this node, as the agent has set it. */
  readonly attribute: (name: string) => string | undefined;
  readonly curl: (...args: string[]) => Promise<string>;
}

async function withScene(args: readonly string[], use: (scene: Scene) => Promise<void>): Promise<void> {
  await withTemporaryFolder(async ({ path }) => {
    const attributes = join(path, 'attributes');
    mkdirSync(attributes);
    const serve = ['serve', '--vm', 'web-0', '--memory', '1MiB', '--metadata', '169.254.169.254:80', '--json', ...args];
    const child = spawnInNamespace(process.execPath, [MAIN, ...serve]);
    const { stdout, stderr, pid } = child;
    if (stdout === null || stderr === null || pid === undefined) throw new Error('Expected a process with pipes');
    stderr.pipe(process.stderr);
    const closed = once(child, 'close');
    try {
      const reader = createInterface({ input: stdout });
      const [ready] = await Promise.race([once(reader, 'line'), closed.then(() => Promise.reject(new Error('ended')))]);
      expect(JSON.parse(ready).vms).toEqual([{ name: 'web-0', url: 'http://169.254.169.254' }]);
      const told: unknown[] = [];
      reader.on('line', (line) => told.push(JSON.parse(line).type));
      await use({
        told: () => told,
        monitor: async (eventTypes) => {
          const { exitCode } = await runInNamespaceOf(pid, AGENT, ['monitor'], {
            PATH: `${STUBS}:${process.env.PATH}`,
            CRM_ATTRIBUTES: attributes,
            OCF_ROOT,
            OCF_RESOURCE_INSTANCE: 'rsc_azure-events-az',
            OCF_RESKEY_eventTypes: eventTypes,
          });
          return exitCode;
        },
        attribute: (name) => {
          const file = join(attributes, `${hostname()}.${name}`);
          return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
        },
        curl: async (...more) => (await runInNamespaceOf(pid, 'curl', ['-sS', ...more])).stdout,
      });
    } finally {
      child.kill('SIGTERM');
      expect((await closed)[0]).toBe(0);
    }
  });
}

describe('azure-events-az', () => {
  const flags = ['--raise', 'Freeze', '--notice', '1h', '--duration', '1s', '--settle', '1s'];

  it('drains, acknowledges, waits for the end of a Freeze, and comes back', TIMEOUT, async () => {
    await withScene(flags, async ({ told, monitor, attribute }) => {
      // Schedule → drain: the agent takes the event up and puts its node on standby.
      expect(await monitor('Freeze,Reboot')).toBe(0);
      expect(attribute(STATE)).toBe('STOPPING');
      expect(attribute(PENDING)).toMatch(/^[0-9A-F-]{36}$/);
      expect(attribute(HEALTH)).toBe('-1000000');
      expect(told()).not.toContain('event-acknowledged');

      // All resources have stopped → acknowledge → impact.
      expect(await monitor('Freeze,Reboot')).toBe(0);
      expect(attribute(STATE)).toBe('IN_EVENT');
      expect(told()).toContain('event-acknowledged');
      await expect.poll(told, { timeout: 60_000 }).toContain('event-impact-begin');

      // → gone: the agent calls monitor on, and its node is back once the event is.
      await expect.poll(told, { timeout: 60_000 }).toContain('event-removed');
      expect(await monitor('Freeze,Reboot')).toBe(0);
      expect(attribute(STATE)).toBe('AVAILABLE');
      expect(attribute(PENDING)).toBeUndefined();
      expect(attribute(HEALTH)).toBe('0');
      expect(told()).toEqual(expect.arrayContaining(['event-started', 'event-impact-end']));
      expect(told()).not.toContain('event-notice-passed');
    });
  });

  // The control: were the cycle above the test's own doing, it would pass here as well.
  it('does nothing of it for a Freeze where its eventTypes are the default', TIMEOUT, async () => {
    await withScene(flags, async ({ told, monitor, attribute }) => {
      for (let count = 0; count < 2; count += 1) expect(await monitor('Reboot,Redeploy')).toBe(0);
      expect(attribute(STATE)).toBeUndefined();
      expect(attribute(HEALTH)).toBeUndefined();
      expect(told()).not.toContain('event-acknowledged');
    });
  });

  it('keeps its node where the service answers with an error', TIMEOUT, async () => {
    await withScene([...flags, '--faults', 'web-0=500'], async ({ monitor, attribute }) => {
      expect(await monitor('Freeze')).not.toBe(0);
      expect(attribute(STATE)).toBeUndefined();
      expect(await monitor('Freeze')).toBe(0);
      expect(attribute(STATE)).toBe('STOPPING');
    });
  });
});

it('curl, as in the cloud’s documentation', TIMEOUT, async () => {
  await withScene(['--raise', 'Freeze', '--notice', '1h'], async ({ curl }) => {
    const service = 'http://169.254.169.254/metadata';
    const get = (path: string) => curl('-H', 'Metadata:true', '--noproxy', '*', `${service}/${path}`);
    const { Events } = JSON.parse(await get('scheduledevents?api-version=2020-07-01'));
    expect(Events).toMatchObject([{ EventType: 'Freeze', Resources: ['web-0'] }]);
    expect(await get('instance/compute/name?api-version=2021-02-01&format=text')).toBe('web-0');
    const body = `{"StartRequests": [{"EventId": "${Events[0].EventId}"}]}`;
    const post = ['-H', 'Metadata:true', '-X', 'POST', '-d', body, '-w', '%{http_code}'];
    expect(await curl(...post, `${service}/scheduledevents?api-version=2020-07-01`)).toBe('200');
  });
});
