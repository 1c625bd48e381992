// The composite action's own script, run by bash as GitHub's runner does it: with `set -e` and pipefail, the inputs in the
// environment.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { withTemporaryFolder } from '../fixtures/cli.js';
import { samplePath } from '../unit/gate/samples.js';

const root = resolve(import.meta.dirname, '../..');
const TIMEOUT = { timeout: 120_000 };

interface Action {
  inputs: Record<string, { default: string }>;
  runs: { steps: { id?: string; env: Record<string, string>; run: string }[] };
}
const action: Action = parse(readFileSync(join(root, 'action.yml'), 'utf8'));
const step = action.runs.steps.find(({ id }) => id === 'gate');
if (step === undefined) throw new Error('action.yml has no step with the id gate');

function runAction(folder: string, inputs: Record<string, string>) {
  const evaluate = (expression: string) =>
    expression.replace(/\$\{\{ (?:inputs\.([\w-]+)|github\.action_path) \}\}/g, (_, name?: string) =>
      name === undefined ? root : (inputs[name] ?? action.inputs[name]?.default ?? ''),
    );
  const env = Object.fromEntries(Object.entries(step?.env ?? {}).map(([name, value]) => [name, evaluate(value)]));
  const [output, summary] = [join(folder, 'output'), join(folder, 'summary')];
  const { status, stdout, stderr } = spawnSync(
    'bash',
    ['--noprofile', '--norc', '-eo', 'pipefail', '-c', step?.run ?? ''],
    {
      cwd: folder,
      encoding: 'utf8',
      env: {
        ...process.env,
        ...env,
        RUNNER_TEMP: folder,
        GITHUB_ACTIONS: 'true',
        GITHUB_OUTPUT: output,
        GITHUB_STEP_SUMMARY: summary,
      },
    },
  );
  const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  return { status, stdout, stderr, output: read(output), summary: read(summary) };
}

describe('the action', TIMEOUT, () => {
  it('compares two commands, with quotes and spaces in them', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const printing = (value: number) => `echo '{"a b": {"latency": {"value": ${value}}}}'`;
      const { status, output, summary, stderr } = runAction(path, {
        base: printing(100),
        head: printing(120),
        metrics: 'stdout',
        'min-effect': '5%\na b.latency=10%',
      });
      expect(stderr).toContain('::error title=Regression of a b.latency::');
      expect(summary).toContain('Performance gate: regression');
      expect(output).toBe(`verdict=regression\nreport=${join(path, 'standstill-gate.json')}\n`);
      expect(status).toBe(1);
    });
  });

  it('compares results, and leaves what is undecided to the input', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const list = samplePath('github-action-benchmark.json');
      const open = runAction(path, { baseline: `${list}\n${list}\n`, result: list });
      expect([open.status, open.output]).toEqual([3, expect.stringContaining('verdict=undecided')]);
      expect(runAction(path, { baseline: list, result: list, undecided: 'pass' }).status).toBe(0);
    });
  });

  it('tells an error from a verdict', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const { status, output, stderr } = runAction(path, { base: 'true', head: 'exit 7' });
      expect(stderr).toContain('it ended with exit code 7');
      expect(output).toContain('verdict=error');
      expect(status).toBe(2);
    });
  });

  it('uses each of its inputs', () => {
    const used = Object.values(step.env).join(' ');
    expect(Object.keys(action.inputs).filter((name) => !used.includes(`inputs.${name} `))).toEqual([]);
  });
});
