// What goes wrong on purpose in a scenario, and what is taken back; each beside a control in which it does not.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseScenario, type RunRecord, runScenario } from 'standstill';
import { describe, expect, it } from 'vitest';

const TIMEOUT = { timeout: 120_000 };
const patches = resolve(import.meta.dirname, '../fixtures/patches');

const run = (text: string): Promise<RunRecord> =>
  runScenario(parseScenario(text, { path: resolve(patches, 'scenario.yaml') }));
const broken = ({ expectations }: RunRecord): string[] => expectations.flatMap(({ ok, text }) => (ok ? [] : [text]));
const faultsOf = ({ log }: RunRecord) =>
  log.flatMap((entry) => (entry.type === 'fault-injected' ? [`${entry.fault} ${entry.target}`] : []));

describe('a fault of the metadata service', () => {
  /** An agent that writes down the status of each reply to its first three requests. */
  const ASKS = `
    const { writeFileSync } = require('node:fs');
    const url = process.env.STANDSTILL_METADATA_URL + '/metadata/scheduledevents?api-version=2020-07-01';
    const ask = async () => (await fetch(url, { headers: { Metadata: 'true' } })).status;
    (async () => {
      console.log('ready');
      await new Promise((go) => setTimeout(go, 300));
      const seen = [await ask(), await ask(), await ask()];
      writeFileSync(process.env.REPLIES, JSON.stringify(seen));
      setInterval(() => {}, 1000);
    })();`;

  async function repliesWith(faults: string): Promise<{ record: RunRecord; replies: number[] }> {
    const folder = mkdtempSync(join(tmpdir(), 'standstill-replies-'));
    try {
      const file = join(folder, 'replies.json');
      const env = { SCRIPT: ASKS, REPLIES: file };
      const guest = { process: 'exec node -e "$SCRIPT"', env, ready: { line: 'ready' } };
      const vms = JSON.stringify([{ name: 'agent', guest }]);
      const record = await run(`name: replies\nmetadata: true\nvms: ${vms}\nduration: 3s\n${faults}`);
      return { record, replies: JSON.parse(readFileSync(file, 'utf8')) };
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  it('is what the guest that it is for gets, and in the log', TIMEOUT, async () => {
    const { record, replies } = await repliesWith("faults: [{ kind: metadata, vms: [agent], steps: ['500 x2'] }]");
    expect(replies).toEqual([500, 500, 200]);
    expect(faultsOf(record)).toEqual(['metadata agent']);
  });

  it('control: without it every reply is good', TIMEOUT, async () => {
    const { record, replies } = await repliesWith('');
    expect(replies).toEqual([200, 200, 200]);
    expect(faultsOf(record)).toEqual([]);
  });
});

describe('an event of a schedule', () => {
  const event = (more: string): string =>
    `name: withdrawn
metadata: { notice: 1s, settle: 10ms }
vms: [{ name: web, guest: { program: idle, memory: 1MiB } }]
schedule: [{ at: 0s, event: { type: Freeze, vms: [web], duration: 50ms${more} } }]
expect: [events.scheduled == 1, events.cancelled == 1, events.completed == 0]`;

  it('that is cancelled within its notice freezes nobody', TIMEOUT, async () => {
    const record = await run(event(', cancelAfter: 100ms'));
    expect(broken(record)).toEqual([]);
    expect(record.result).toBe('passed');
    expect(record.log.filter(({ type }) => type === 'impact-begin')).toEqual([]);
  });

  it('control: that is not cancelled freezes its VM', TIMEOUT, async () => {
    const record = await run(event(''));
    expect(broken(record)).toEqual(['events.cancelled == 1', 'events.completed == 0']);
    expect(record.log.filter(({ type }) => type === 'impact-end')).toHaveLength(1);
  });
});

describe('a fault in a module patch of a rollout', () => {
  const rolloutWith = (onFailure: 'stop' | 'rollback'): Promise<RunRecord> =>
    run(`name: taken back
hosts: 2
updateDomains: 2
vms: [{ name: web, count: 2, guest: { program: idle, memory: 1MiB } }]
patches:
  - { module: ./writes-file.mjs, name: apply, options: { name: done } }
  - { module: ./writes-file.mjs, name: undo, options: { name: undone } }
faults: [{ kind: patch-fail, patch: apply, host: host-2 }]
schedule: [{ at: 0s, rollout: { patches: [apply], rollbackPatches: [undo], onFailure: ${onFailure} } }]
expect: [memory: preserved, patches.failed == 1]`);
  const patched = ({ maintenances }: RunRecord) =>
    maintenances.flatMap(({ host, report }) => report.patches.map(({ name, status }) => `${host} ${name} ${status}`));

  it('is followed by what takes it back, on the hosts that had it', TIMEOUT, async () => {
    const record = await rolloutWith('rollback');
    expect(faultsOf(record)).toEqual(['patch-fail apply on host-2']);
    expect(patched(record)).toEqual(['host-1 apply applied', 'host-2 apply failed', 'host-1 undo applied']);
    expect(record.rollouts.map(({ status }) => status)).toEqual(['rolled-back']);
  });

  it('control: is left where it stopped', TIMEOUT, async () => {
    const record = await rolloutWith('stop');
    expect(patched(record)).toEqual(['host-1 apply applied', 'host-2 apply failed']);
    expect(record.rollouts.map(({ status }) => status)).not.toEqual(['rolled-back']);
  });
});
