import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseRunRecord } from 'standstill';
import { describe, expect, it } from 'vitest';
import { runCli, withTemporaryFolder } from '../fixtures/cli.js';

const RUN = ['run', '--vms', '2', '--memory', '1MiB', '--duration', '20ms', '--seed', '7'];
const recordOf = (path: string) => parseRunRecord(readFileSync(path, 'utf8'), path);

describe('--report', () => {
  it('writes a report of each kind, and the record makes them again, byte for byte', async () => {
    await withTemporaryFolder(async ({ path: folder }) => {
      const at = (name: string) => join(folder, name);
      const kinds = ['html', 'xml', 'md'];
      const reports = ['json', ...kinds].flatMap((kind) => ['--report', at(`run.${kind}`)]);
      expect((await runCli([...RUN, ...reports])).exitCode).toBe(0);
      const record = recordOf(at('run.json'));
      expect(record).toMatchObject({ result: 'passed', seed: 7, error: null, maintenances: [{ host: 'host' }] });
      expect(record.log.filter(({ type }) => type === 'impact-end').length).toBeGreaterThanOrEqual(2);
      const again = await runCli(['report', at('run.json'), ...kinds.flatMap((kind) => ['--out', at(`2.${kind}`)])]);
      expect(again).toMatchObject({ exitCode: 0, stderr: '' });
      for (const kind of kinds)
        expect(readFileSync(at(`2.${kind}`), 'utf8')).toBe(readFileSync(at(`run.${kind}`), 'utf8'));
    });
  });

  it('is written of a scenario, with its expectations', async () => {
    await withTemporaryFolder(async ({ path: folder }) => {
      const path = join(folder, 'run.json');
      const page = join(folder, 'run.html');
      const run = await runCli(['run', 'examples/pause/scenario.yaml', '--report', path, '--report', page]);
      expect(run.exitCode, run.stdout).toBe(0);
      const { result, expectations } = recordOf(path);
      expect(result).toBe('passed');
      expect(expectations.map(({ text }) => text)).toContain('memory: preserved');
      expect(readFileSync(page, 'utf8')).toContain('memory: preserved');
    });
  });

  it('is written of a run that fails', async () => {
    await withTemporaryFolder(async ({ path: folder }) => {
      const path = join(folder, 'run.json');
      const { exitCode } = await runCli([
        ...RUN,
        '--fault',
        'flip-bit',
        '--report',
        path,
        '--report',
        join(folder, 'a.md'),
      ]);
      expect(exitCode).toBe(1);
      expect(recordOf(path)).toMatchObject({ result: 'failed', maintenances: [{ report: { ok: false } }] });
      expect(readFileSync(join(folder, 'a.md'), 'utf8')).toMatch(/changed: 1 page, the first is page 0x/);
    });
  });

  it('is written of a run that ends in an error, with the error', async () => {
    await withTemporaryFolder(async ({ path: folder }) => {
      const path = join(folder, 'run.json');
      const patch = join(folder, 'patch.mjs');
      writeFileSync(patch, "throw new Error('no patch')");
      const { exitCode, stderr } = await runCli([...RUN, '--patch', patch, '--report', path]);
      const { result, error, log } = recordOf(path);
      expect({ exitCode, result, code: error?.code }).toEqual({
        exitCode: 2,
        result: 'failed',
        code: 'ERR_PATCH_INVALID',
      });
      expect(stderr).toContain(error?.message);
      expect(log.map(({ type }) => type)).toContain('vm-started');
    });
  });

  it('of a rollout has each maintenance and its update domains', async () => {
    await withTemporaryFolder(async ({ path: folder }) => {
      const path = join(folder, 'rollout.json');
      const fleet = ['--hosts', '2', '--domains', '2', '--vms', '2', '--memory', '1MiB', '--duration', '20ms'];
      const args = ['rollout', ...fleet, '--report', path];
      expect((await runCli(args)).exitCode).toBe(0);
      const { result, rollouts, maintenances } = recordOf(path);
      expect(result).toBe('passed');
      expect(rollouts).toMatchObject([{ ok: true, domains: [{ updateDomain: 0 }, { updateDomain: 1 }] }]);
      expect(maintenances.map(({ host }) => host)).toEqual(['host-1', 'host-2']);
    });
  });

  it('of a real program has each freeze of it', async () => {
    await withTemporaryFolder(async ({ path: folder }) => {
      const path = join(folder, 'process.json');
      const freezes = ['--times', '2', '--freeze', '50ms', '--duration', '20ms'];
      expect((await runCli(['run', '--process', 'sleep 60', ...freezes, '--report', path])).exitCode).toBe(0);
      const { log, processes } = recordOf(path);
      expect(log.map(({ type }) => type)).not.toContain('vm-faulted');
      const impacts = log.flatMap((entry) => (entry.type === 'impact-end' ? [entry] : []));
      expect(impacts.map(({ resumedAtNs, haltedAtNs }) => resumedAtNs - haltedAtNs)).toEqual(
        processes[0]?.freezes.map(({ blackoutNs }) => blackoutNs),
      );
    });
  });
});

describe('what is no report', () => {
  it.each([
    ['an unknown kind', [...RUN, '--report', 'run.pdf'], '.json, .html, .xml, .md for --report'],
    ['a folder that is not there', [...RUN, '--report', '/nowhere/run.html'], 'a file to write for --report'],
    ['no name to write', ['report', 'run.json'], "required option '--out <file>'"],
    ['no record', ['report', '/nowhere/run.json', '--out', '/tmp/x.html'], 'Expected a record that can be read'],
    ['another file', ['report', 'package.json', '--out', '/tmp/x.html'], "'schemaVersion' of package.json"],
    ['a binary file', ['report', process.execPath, '--out', '/tmp/x.html'], 'but received no JSON'],
    ['one with --plan', ['rollout', '--plan', '--report', '/tmp/x.html'], 'one of --plan and --report'],
  ])('%s is told before anything is done', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await runCli(args);
    expect(stderr).toContain(message);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  });
});
