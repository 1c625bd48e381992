import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIRST_SCENARIO } from '../../src/cli/init/first-scenario.js';
import { parseScenario } from '../../src/scenario/parse.js';
import { runCli, withTemporaryFolder } from '../fixtures/cli.js';

describe('the first scenario', () => {
  it('is one without mistakes', () => {
    expect(parseScenario(FIRST_SCENARIO, { path: 'scenario.yaml' })).toMatchObject({
      seed: 7,
      hosts: [{ name: 'host-1' }, { name: 'host-2' }, { name: 'host-3' }],
      vms: [{ name: 'web-0' }, { name: 'web-1' }, { name: 'web-2' }, { name: 'clock' }],
    });
  });

  it('stays one with what its comments offer', () => {
    const uncommented = FIRST_SCENARIO.replaceAll(/^( *)# (faults:|- name: cache| {2}(?:guest|- \{ kind).*)/gm, '$1$2');
    const { faults, vms } = parseScenario(uncommented, { path: 'scenario.yaml' });
    expect(faults).toEqual([{ kind: 'flip-bit', vm: 'web-1' }]);
    expect(vms.at(-1)?.guest).toMatchObject({ kind: 'process', ready: { port: 6390 } });
  });
});

describe('standstill init', () => {
  it('writes it, and overwrites nothing unless it is told to', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const file = join(path, 'scenario.yaml');
      const first = await runCli(['init'], {}, path);
      expect(first).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('standstill run scenario.yaml') });
      expect(readFileSync(file, 'utf8')).toBe(FIRST_SCENARIO);

      writeFileSync(file, 'mine');
      const second = await runCli(['init'], {}, path);
      expect(second).toMatchObject({
        exitCode: 2,
        stdout: '',
        stderr:
          "error: Expected a file that is not there yet, or --force, for init but received 'scenario.yaml' (ERR_INVALID_OPTION)\n",
      });
      expect(readFileSync(file, 'utf8')).toBe('mine');

      expect((await runCli(['init', '--force', '--json'], {}, path)).stdout).toContain('"path": "scenario.yaml"');
      expect(readFileSync(file, 'utf8')).toBe(FIRST_SCENARIO);
    });
  });

  it('says why it cannot write', async () => {
    const { exitCode, stderr } = await runCli(['init', '/nowhere/scenario.yaml']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("error: Expected a file to write for 'init' but: ENOENT");
  });
});
