import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli, withTemporaryFolder } from '../fixtures/cli.js';

describe('standstill run, of the first scenario', () => {
  it('passes as it is written; with the fault of its comments, memory is changed', { timeout: 180_000 }, async () => {
    await withTemporaryFolder(async ({ path }) => {
      await runCli(['init'], {}, path);
      const good = await runCli(['run', 'scenario.yaml'], {}, path);
      expect(good.stdout).toMatch(/✔\s+memory: preserved/);
      expect(good.exitCode).toBe(0);

      const file = join(path, 'scenario.yaml');
      const faulty = readFileSync(file, 'utf8').replace('# faults:', 'faults:').replace('#   - { kind:', '  - { kind:');
      writeFileSync(file, faulty);
      const bad = await runCli(['run', 'scenario.yaml'], {}, path);
      expect(bad.stdout).toMatch(/✘\s+memory: preserved/);
      expect(bad.exitCode).toBe(1);
    });
  });

  it('ends with exit code 2 and the place of each mistake, before anything is begun', async () => {
    await withTemporaryFolder(async ({ path }) => {
      await runCli(['init'], {}, path);
      const file = join(path, 'scenario.yaml');
      writeFileSync(file, readFileSync(file, 'utf8').replace('count: 3', 'count: 10000').replace('at: 1s', 'at: 1'));
      const { exitCode, stdout, stderr } = await runCli(['run', 'scenario.yaml'], {}, path);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toBe(
        [
          'error: Expected a valid scenario in scenario.yaml but found 2 mistakes (ERR_SCENARIO_INVALID)',
          '',
          "scenario.yaml:22:12: Expected a whole number from 1 to 1000 for 'vms.0.count' but received 10000",
          '  22 |     count: 10000',
          '     |            ^^^^^',
          '',
          "scenario.yaml:45:9: Expected a duration such as '500ms' or '30s', up to 24h, for 'schedule.1.at' but received 1",
          '  45 |   - at: 1',
          '     |         ^',
          "     = did you mean '1ms' or '1s'?",
          '',
        ].join('\n'),
      );
    });
  });
});
