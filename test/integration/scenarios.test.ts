// The scenarios of examples/, as their readers run them, and for each a control: the same with something wrong.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseScenario, type RunRecord, runScenario } from 'standstill';
import { describe, expect, it } from 'vitest';
import { runCli, startCli, withTemporaryFolder } from '../fixtures/cli.js';
import { hasNamespaces } from '../fixtures/namespace.js';
import { freePort } from '../fixtures/ports.js';

const TIMEOUT = { timeout: 120_000 };
const root = resolve(import.meta.dirname, '../..');
const pathOf = (name: string) => resolve(root, 'examples', name, 'scenario.yaml');
/** At a port that is free, where it has one of the host. */
const textOf = async (name: string) => readFileSync(pathOf(name), 'utf8').replaceAll('18080', `${await freePort()}`);

describe('standstill run of the example', () => {
  it.each(['pause', 'budget', 'refused', 'rollout', 'acknowledge', 'process'])('%s passes', TIMEOUT, async (name) => {
    await withTemporaryFolder(async ({ path }) => {
      cpSync(resolve(root, 'examples', name), path, { recursive: true });
      const file = resolve(path, 'scenario.yaml');
      writeFileSync(file, await textOf(name));
      const { exitCode, stdout } = await runCli(['run', file, '--json']);
      const record: RunRecord = JSON.parse(stdout);
      expect(record.expectations.filter(({ ok }) => !ok)).toEqual([]);
      expect(record).toMatchObject({ result: 'passed', seed: 7, error: null });
      expect(exitCode).toBe(0);
    });
  });
});

/** An example with a part of its text replaced. */
async function runWith(name: string, ...changes: readonly (readonly [string, string])[]): Promise<RunRecord> {
  let text = await textOf(name);
  for (const [part, other] of changes) {
    expect(text).toContain(part);
    text = text.replace(part, other);
  }
  return await runScenario(parseScenario(text, { path: pathOf(name) }));
}

const broken = ({ expectations }: RunRecord): string[] => expectations.flatMap(({ ok, text }) => (ok ? [] : [text]));

describe('the control of the example', () => {
  it('pause: a bit that flips, and clocks that nobody synchronises', TIMEOUT, async () => {
    const flipped = await runWith('pause', ['schedule:', 'faults: [{ kind: flip-bit, vm: store-0 }]\nschedule:']);
    expect(flipped.result).toBe('failed');
    expect(broken(flipped)).toContain('memory: preserved');
    expect(flipped.log).toContainEqual(expect.objectContaining({ type: 'fault-injected', target: 'store-0' }));
    const lagging = await runWith('pause', ['memory: 32MiB', 'memory: 32MiB, clockSync: { mode: off }']);
    expect(broken(lagging)).toContain('clock.lag.after < 1ms');
  });

  it('budget: no patch hangs; and a budget that is longer than what is expected', TIMEOUT, async () => {
    const done = await runWith('budget', ['  - { kind: patch-hang, patch: verify }', ''], ['faults:', '']);
    expect(broken(done)).toEqual(['maintenances.failed == 1', 'patches.failed == 1']);
    const long = await runWith('budget', ['budget: 2s', 'budget: 4s'], ['blackout.max < 30s', 'blackout.max < 3s']);
    expect(broken(long)).toEqual(['blackout.max < 3s']);
  });

  it('refused: somebody allows the reboot', TIMEOUT, async () => {
    const record = await runWith('refused', ['maintenance: {}', 'maintenance: { allowReboot: true }']);
    expect(broken(record)).toEqual(['maintenances.refused == 1', 'patches.applied == 0']);
  });

  it('rollout: all of a set is frozen at once', TIMEOUT, async () => {
    const record = await runWith(
      'rollout',
      ['rollout: { pauseBetween: 200ms }', 'rollout: {}'],
      ['expect:', '  - after: rollout\n    freeze: { vms: [web], duration: 200ms }\nexpect:'],
    );
    expect(broken(record)).toEqual(['updateDomains: oneAtATime']);
  });

  it('acknowledge: an agent that is too slow', TIMEOUT, async () => {
    const record = await runWith(
      'acknowledge',
      ['node agent.mjs', 'AGENT=slow exec node agent.mjs'],
      ['notice: 2min', 'notice: 1s'],
    );
    expect(broken(record)).toEqual(['events.acknowledged >= 1']);
  });

  it('process: a service whose watchdog takes the freeze for a deadlock', TIMEOUT, async () => {
    const record = await runWith('process', ['process: node', 'process: WATCHDOG=1 exec node']);
    expect(record.result).toBe('failed');
    expect(broken(record)).toEqual(expect.arrayContaining(['no guest died', "'recovered' is well at the end"]));
  });
});

/** A scenario of one small VM. */
const small = (rest: string): string =>
  `name: small\nvms: [{ name: web, guest: { program: idle, memory: 1MiB } }]\n${rest}`;
const runSmall = (rest: string, seed?: number) =>
  runScenario(parseScenario(small(rest), { path: resolve(root, 'small.yaml') }), { seed });

const FREEZE = '{ vms: [web], duration: 10ms }';
const JITTERED = `schedule: [{ every: 20ms, times: 5, jitter: 20ms, freeze: ${FREEZE} }]`;

const planOf = ({ log }: RunRecord) => log.find((entry) => entry.type === 'run-planned');
const dueMs = (record: RunRecord) => (planOf(record)?.type === 'run-planned' ? planOf(record) : undefined);

describe('a run', () => {
  it('with the seed of another repeats its schedule; with another one it does not', async () => {
    const first = await runSmall(JITTERED);
    expect(first.seed).toEqual(expect.any(Number));
    const [again, other] = [await runSmall(JITTERED, first.seed ?? 0), await runSmall(JITTERED, (first.seed ?? 0) + 1)];
    const actions = (record: RunRecord) => (dueMs(record) as { actions?: unknown } | undefined)?.actions;
    expect(actions(first)).toHaveLength(5);
    expect(actions(again)).toEqual(actions(first));
    expect(actions(other)).not.toEqual(actions(first));
  });

  it('whose expectations nothing was seen of has failed', async () => {
    const record = await runSmall('expect: [blackout.max < 1h]');
    expect(record.result).toBe('failed');
    expect(broken(record)).toEqual(['blackout.max < 1h']);
  });

  it('whose maintenance fails has failed, whatever it expects', TIMEOUT, async () => {
    const hang = 'patches: [{ builtin: verify }]\nfaults: [{ kind: patch-fail, patch: verify }]';
    const record = await runSmall(`${hang}\nschedule: [{ at: 0s, maintenance: {} }]\nexpect: [memory: preserved]`);
    expect(broken(record)).toEqual(['maintenances.failed == 0']);
  });

  it('holds the VMs longer where their resume is late', TIMEOUT, async () => {
    const late = 'faults: [{ kind: late-resume, by: 300ms }]\nschedule: [{ at: 0s, maintenance: {} }]';
    const record = await runSmall(`${late}\nexpect: [blackout.min >= 300ms, patches.applied == 1]`);
    expect(broken(record)).toEqual([]);
  });

  it('takes the bundles back where health fails', TIMEOUT, async () => {
    const health = 'faults: [{ kind: health-fail, vm: web }]\nschedule: [{ at: 0s, maintenance: {} }]';
    const record = await runSmall(`${health}\nexpect: [maintenances.failed == 1]`);
    expect(broken(record)).toEqual([]);
    expect(record.maintenances[0]?.report.result).toBe('aborted: health');
  });

  /** A service that listens in its network, and is ready when the cloud's address has answered it there. */
  const AGENT = `fetch('http://169.254.169.254/metadata/scheduledevents?api-version=2020-07-01', { headers: { Metadata: 'true' } })
    .then((answer) => answer.json(), (error) => { console.log(String(error.cause)); process.exit(1); })
    .then(() => require('node:http').createServer((q, r) => r.end('ok')).listen(8080, '127.0.0.1'))`;
  const networked = (port: number, network: string) => {
    const publish = network === 'own' ? [{ host: port, guest: 8080 }] : [];
    const guest = { process: `exec '${process.execPath}' -e "$AGENT"`, env: { AGENT }, ready: { port: 8080 } };
    const scenario = {
      vms: [{ name: 'agent', guest: { ...guest, network, publish } }],
      metadata: true,
      probes: [{ name: 'api', http: `http://127.0.0.1:${port}/`, kind: 'end' }],
      schedule: [{ at: '0s', freeze: { vms: ['agent'], duration: '50ms' } }],
    };
    return runScenario(parseScenario(JSON.stringify(scenario), { path: resolve(root, 'network.yaml') }));
  };

  it.skipIf(!hasNamespaces())('has guests in networks of their own, probed at ports published', TIMEOUT, async () => {
    const record = await networked(await freePort(), 'own');
    expect(record).toMatchObject({ result: 'passed', error: null });
    expect(record.probes).toMatchObject([{ name: 'api' }]);
    // Control: in the host's network nothing answers there.
    await expect(networked(await freePort(), 'host')).rejects.toMatchObject({ code: 'ERR_PROCESS_ENDED' });
  });

  it('freezes no process that is pinned', TIMEOUT, async () => {
    const pinned = "vms: [{ name: db, pinned: true, guest: { process: 'exec sleep 1000' } }]";
    const run = async (vms: string) => {
      const text = `${vms}\npatches: [{ builtin: verify }]\nschedule: [{ at: 0s, maintenance: {} }]\nexpect: [maintenances.refused == 1]\n`;
      return broken(await runScenario(parseScenario(text, { path: resolve(root, 'pinned.yaml') })));
    };
    expect(await run(pinned)).toEqual([]);
    expect(await run(pinned.replace('pinned: true, ', ''))).toContain('maintenances.refused == 1');
  });

  it('is aborted by a probe that is unhealthy, and says by which', TIMEOUT, async () => {
    const probe = 'probes: [{ name: api, command: "false", every: 20ms, abortBelow: 50% }]';
    const record = await runSmall(`${probe}\nduration: 1h`);
    expect(record).toMatchObject({ result: 'aborted', error: { code: 'ERR_PROBE_FAILED' } });
    expect(record.error?.message).toContain('api');
  });

  it('ends everything when its signal aborts, and rejects', async () => {
    const stop = new AbortController();
    const scenario = parseScenario(small('duration: 1h'), { path: resolve(root, 'small.yaml') });
    const onEvent = ({ type }: { type: string }) => {
      if (type === 'run-begin') stop.abort();
    };
    await expect(runScenario(scenario, { signal: stop.signal, onEvent })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
  });
});

describe('the command', () => {
  it('tells what happens, each expectation with what was observed, and the seed', TIMEOUT, async () => {
    const { exitCode, stdout, stderr } = await runCli(['run', pathOf('refused'), '--seed', '11']);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('seed 11');
    expect(stderr).toContain('maintenance-1 begins');
    expect(stdout).toMatch(/✔ +maintenances\.refused == 1 +1 of 1/);
    expect(stdout).toContain('passed');
  });

  it('refuses what the file says itself, and a file with mistakes, before anything runs', async () => {
    const flag = await runCli(['run', pathOf('pause'), '--vms', '3']);
    expect(flag).toMatchObject({ exitCode: 2, stdout: '' });
    expect(flag.stderr).toContain('--vms');
    await withTemporaryFolder(async ({ path }) => {
      const missing = await runCli(['run', resolve(path, 'none.yaml')]);
      expect(missing).toMatchObject({ exitCode: 2, stdout: '' });
      expect(missing.stderr).not.toContain('    at ');
    });
  });

  it('that is interrupted ends its guests and leaves nothing', TIMEOUT, async () => {
    await withTemporaryFolder(async (folder) => {
      const cli = startCli(['run', pathOf('budget')], { TMPDIR: folder.path });
      await expect.poll(() => folder.entries().length, { timeout: 60_000 }).toBeGreaterThan(0);
      cli.child.kill('SIGINT');
      const { exitCode, stdout, stderr } = await cli.ended;
      expect(exitCode).toBe(130);
      expect(stdout).toBe('');
      expect(stderr).toContain('Interrupted');
      expect(folder.entries()).toEqual([]);
    });
  });
});
