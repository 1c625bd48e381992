import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type CliEnd, runCli, startCli, withTemporaryFolder } from '../fixtures/cli.js';
import { benchResult, samplePath } from '../unit/gate/samples.js';

const TIMEOUT = { timeout: 120_000 };
const GITHUB_OFF = { GITHUB_ACTIONS: '', GITHUB_STEP_SUMMARY: '' };
const gate = (args: string[], env: NodeJS.ProcessEnv = {}): Promise<CliEnd> =>
  runCli(['gate', ...args], { ...GITHUB_OFF, ...env });

/** A command that prints a figure, in Bencher's format, which its runs vary by up to 1 %. */
const printing = (value: number, benchmark = 'parse') =>
  `node -e 'console.log(JSON.stringify({${JSON.stringify(benchmark)}: {latency: {value: ${value} * (1 + Math.random() / 100)}}}))'`;
const AB = ['ab', '--metrics', 'stdout', '--warmup', '0'];

describe('standstill gate ab', TIMEOUT, () => {
  it('exits with 1 on a regression', async () => {
    const { exitCode, stdout } = await gate([
      ...AB,
      '--base',
      printing(100),
      '--head',
      printing(130),
      '--seed',
      '7',
      '--json',
    ]);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      schemaVersion: 1,
      verdict: 'regression',
      method: 'permutation',
      plan: { seed: 7, pairs: 12, rounds: 1, roundsMax: 4, errorRate: 0.01 },
      metrics: [{ name: 'parse.latency', verdict: 'regression', unit: 'ns' }],
    });
    expect(report.metrics[0].worseBy).toBeCloseTo(0.3, 1);
    expect(exitCode).toBe(1);
  });

  it('exits with 0 on an improvement and on no change', async () => {
    const improved = await gate([...AB, '--base', printing(130), '--head', printing(100), '--json']);
    expect([JSON.parse(improved.stdout).verdict, improved.exitCode]).toEqual(['improvement', 0]);
    const same = await gate([...AB, '--base', printing(100), '--head', printing(100)]);
    expect(same.stdout).toContain('Pass: 1 of 1 metrics');
    expect(same.exitCode).toBe(0);
  });

  it('runs AB, then BA, and both as often', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const log = join(path, 'log');
      const logging = (side: string) => `printf ${side} >> ${log}; ${printing(100)}`;
      await gate([...AB, '--base', logging('A'), '--head', logging('B'), '--rounds', '1']);
      expect(readFileSync(log, 'utf8')).toMatch(/^(ABBA|BAAB){6}$/);
    });
  });

  it('is undecided where noise drowns the change, and says what would settle it; --undecided decides', async () => {
    await withTemporaryFolder(async ({ path }) => {
      // Noise that is the same in each run of this test: by how many processes have run.
      const count = `const fs = require("fs"); fs.appendFileSync("${path}/log", "x"); const n = fs.statSync("${path}/log").size;`;
      const noisy = `node -e '${count} console.log(JSON.stringify([{name: "a", unit: "ms", value: Math.exp((n * 7) % 13)}]))'`;
      const args = [...AB, '--base', noisy, '--head', noisy, '--rounds', '1', '--seed', '1', '--json'];
      const { exitCode, stdout } = await gate(args);
      expect(JSON.parse(stdout).metrics[0].settledBy).toMatch(/^(about \d+ pairs|another minimum effect)/);
      expect(exitCode).toBe(3);
      expect((await gate([...args, '--undecided', 'fail'])).exitCode).toBe(1);
      expect((await gate([...args, '--undecided', 'pass'])).exitCode).toBe(0);
    });
  });

  it('reads what each run writes to a file, and not what an earlier one left there', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const file = join(path, 'result.json');
      const writing = `${printing(100)} > ${file}`;
      const args = ['ab', '--metrics', file, '--warmup', '0', '--rounds', '1'];
      expect((await gate([...args, '--base', writing, '--head', writing])).exitCode).toBe(0);
      const { exitCode, stderr } = await gate([...args, '--base', writing, '--head', 'true']);
      expect(stderr).toContain(`Expected true to write ${file}`);
      expect(exitCode).toBe(2);
    });
  });

  it('measures wall time by default', async () => {
    const { exitCode, stdout } = await gate(['ab', '--base', 'sleep 0.02', '--head', 'sleep 0.4', '--json']);
    expect(JSON.parse(stdout).metrics).toMatchObject([{ name: 'wall', unit: 'ns', verdict: 'regression' }]);
    expect(exitCode).toBe(1);
  });

  it.each([
    [
      'fails',
      'echo broken >&2; exit 3',
      "Expected 'echo broken >&2; exit 3' to succeed but it ended with exit code 3 (ERR_GATE_COMMAND):\nbroken",
    ],
    ['is killed', 'kill -9 $$', 'to succeed but it was ended by SIGKILL'],
    ['takes too long', 'sleep 60', 'to succeed but it ran longer than 0.5 s'],
    ['prints no JSON', 'echo hello', 'Expected JSON for the output of echo hello'],
    ['prints NaN', `echo '{"a": {"latency": {"value": NaN}}}'`, 'Expected JSON for the output of'],
  ])('a head that %s: no verdict', async (_, head, message) => {
    const { exitCode, stdout, stderr } = await gate([
      ...AB,
      '--base',
      printing(100),
      '--head',
      head,
      '--timeout',
      '500ms',
    ]);
    expect(stderr).toContain(message);
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
  });

  it.each([
    [['--pairs', '11'], 'Expected a whole number from 12 to 10000 for --pairs'],
    [['--rounds', '5'], 'Expected a whole number from 1 to 4 for --rounds'],
    [['--error-rate', '0'], "Expected a share from 0.1% to 50% such as '1%' for --error-rate"],
    [['--min-effect', '0%'], "Expected a share above 0 such as '5%' or 'pause.p99=10%' for --min-effect"],
    [['--format', 'xml'], 'Expected one of text, json, junit, markdown, github'],
    [['--json', '--format', 'junit'], 'Expected one --format at most without =file'],
    [['--metric', 'nothing*'], 'Expected a metric of'],
    [['--nonsense'], "unknown option '--nonsense'"],
  ])('%j is a usage error', async (args, message) => {
    const { exitCode, stderr } = await gate([...AB, '--base', printing(100), '--head', printing(100), ...args]);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s kills what runs, and all its children', async (signal, code) => {
    await withTemporaryFolder(async ({ path }) => {
      const pidFile = join(path, 'pid');
      const { child, ended } = startCli(
        ['gate', 'ab', '--base', `sleep 1234 & echo $! > ${pidFile}; wait`, '--head', 'true'],
        GITHUB_OFF,
      );
      await expect
        .poll(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8'), { timeout: 30_000 })
        .toMatch(/\d\n/);
      child.kill(signal);
      const { exitCode, stderr, stdout } = await ended;
      expect([exitCode, stdout]).toEqual([code, '']);
      expect(stderr).toContain('Interrupted: the command under way was killed, and nothing was decided.');
      const pid = readFileSync(pidFile, 'utf8').trim();
      await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
    });
  });
});

/** A killed process whose parent is gone may stay a zombie for a moment. */
function isRunning(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('standstill gate --baseline', TIMEOUT, () => {
  const compare = (base: string, head: string, ...more: string[]) =>
    gate(['--baseline', base, '--head', head, ...more]);

  it("compares two files, in whichever format, with a verdict that is labelled 'threshold'", async () => {
    await withTemporaryFolder(async ({ path }) => {
      const slower = join(path, 'slower.json');
      writeFileSync(slower, readFileSync(samplePath('bmf.json'), 'utf8').replace(/88\.0|87\.42|88\.88/g, '176'));
      const { exitCode, stdout } = await compare(samplePath('bmf.json'), slower, '--metric', 'parse.*');
      expect(stdout).toContain('Regression: 1 of 2 metrics');
      expect(stdout).toContain('Threshold verdict: the two were not run interleaved');
      expect(exitCode).toBe(1);
    });
  });

  it('is undecided by one value a side, and decides by a history', async () => {
    const list = samplePath('github-action-benchmark.json');
    expect((await compare(list, list, '--metric', 'heap')).exitCode).toBe(3);
    const history = new Array(5).fill(['--baseline', list]).flat();
    expect((await gate([...history, '--head', list, '--metric', 'heap'])).exitCode).toBe(0);
  });

  it('warns of results from different machines', async () => {
    await withTemporaryFolder(async ({ path }) => {
      const [base, head] = [join(path, 'base.json'), join(path, 'head.json')];
      writeFileSync(base, benchResult({ machine: 'one' }));
      writeFileSync(head, benchResult({ machine: 'two', warnings: ['the machine was busy'] }));
      const { stdout } = await compare(base, head);
      expect(stdout).toContain('the results are from different machines');
      expect(stdout).toContain(`${head}: the machine was busy`);
    });
  });

  it.each([
    [
      ['--baseline', 'missing.json', '--head', samplePath('bmf.json')],
      'Expected a readable file but: ENOENT',
      'ERR_GATE_INPUT',
    ],
    [['--baseline', samplePath('bmf.json'), '--head', 'package.json'], 'Expected a result of', 'ERR_GATE_INPUT'],
    [['--baseline', samplePath('bmf.json')], 'Expected --head', 'ERR_INVALID_OPTION'],
    [[], 'Expected either --budget or --baseline', 'ERR_INVALID_OPTION'],
    [
      ['--baseline', samplePath('bmf.json'), '--head', samplePath('vitest-base.json')],
      'they have none in common',
      'ERR_GATE_INPUT',
    ],
  ])('%j is an error', async (args, message, code) => {
    const { exitCode, stderr, stdout } = await gate(args);
    expect(stderr).toContain(message);
    expect(stderr).toContain(code);
    expect(stderr).not.toContain('    at ');
    expect([exitCode, stdout]).toEqual([2, '']);
  });
});

describe('standstill gate --budget', TIMEOUT, () => {
  const withBudgets = (yaml: string, use: (budgets: string, head: string) => Promise<void>) =>
    withTemporaryFolder(async ({ path }) => {
      const [budgets, head] = [join(path, 'budgets.yaml'), join(path, 'head.json')];
      writeFileSync(budgets, yaml);
      writeFileSync(head, benchResult());
      await use(budgets, head);
    });

  it('passes, fails and is undecided', async () => {
    await withBudgets('budgets:\n  pause.p99: 20us\n  pause.p50: 4x handshake\n', async (budgets, head) => {
      expect((await gate(['--budget', budgets, '--head', head])).exitCode).toBe(0);
    });
    await withBudgets('budgets: { pause.p99: 1us }', async (budgets, head) => {
      const { exitCode, stdout } = await gate(['--budget', budgets, '--head', head]);
      expect(stdout).toContain('at most 1us: missed by 800.0 %');
      expect(exitCode).toBe(1);
    });
    await withBudgets('budgets: { pause.p99.9: 1us }', async (budgets, head) => {
      expect((await gate(['--budget', budgets, '--head', head])).exitCode).toBe(3);
    });
  });

  it.each([
    ['budgets: [', 'Expected YAML for'],
    ['budgets: { pause.p99: quick }', "Expected a limit such as '20us'"],
    ['budget: { pause.p99: 1us }', "Expected an object of limits by metric for 'budgets'"],
    ['budgets: { pause.p99: 1 MiB }', 'Expected a limit in ns'],
  ])('refuses %s', async (yaml, message) => {
    await withBudgets(yaml, async (budgets, head) => {
      const { exitCode, stderr } = await gate(['--budget', budgets, '--head', head]);
      expect(stderr).toContain(message);
      expect(exitCode).toBe(2);
    });
  });

  it('writes every form of the report, and in GitHub Actions annotations and a job summary unasked', async () => {
    await withBudgets('budgets: { pause.p99: 1us, pause.p50: 4x handshake }', async (budgets, head) => {
      const folder = join(head, '..');
      const [junit, summary] = [join(folder, 'gate.xml'), join(folder, 'summary.md')];
      const args = ['--budget', budgets, '--head', head, '--format', `junit=${junit}`, '--json'];
      const { stdout, stderr } = await gate(args, { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: summary });
      expect(JSON.parse(stdout)).toMatchObject({ verdict: 'regression', method: 'budget' });
      expect(stderr).toContain('::error title=Regression of pause.p99::at most 1us: missed by 800.0 %25');
      expect(readFileSync(summary, 'utf8')).toContain('| ❌ | pause.p99 | 1.00 µs | 9.00 µs | +800.0 % |');
      execFileSync('python3', ['-c', 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])', junit]);
      expect(readFileSync(junit, 'utf8')).toMatch(/tests="2" failures="1" errors="0"/);
    });
  });

  it('without --head measures the cases that the budgets name, by standstill bench', async () => {
    await withBudgets('budgets: { pause-js.p50: 1h, pause-js.p90: 1ns }', async (budgets) => {
      const { stdout, exitCode } = await gate(['--budget', budgets, '--json']);
      const { metrics } = JSON.parse(stdout);
      expect(metrics).toMatchObject([
        { name: 'pause-js.p50', unit: 'ns', verdict: 'pass', base: 3600e9 },
        { name: 'pause-js.p90', unit: 'ns' },
      ]);
      expect(metrics[1].head).toBeGreaterThan(1);
      // On a machine that was disturbed, what is missed is undecided.
      expect([1, 3]).toContain(exitCode);
    });
  });

  it('says so where standstill bench does not know the case', async () => {
    await withBudgets('budgets: { nonsense.p50: 1ms }', async (budgets) => {
      const { exitCode, stderr } = await gate(['--budget', budgets]);
      expect(stderr).toContain('Expected standstill bench to measure nonsense but it did not');
      expect(exitCode).toBe(2);
    });
  });
});

describe("the project's own gate", TIMEOUT, () => {
  it('turns red where the digest takes three times as long', async () => {
    const limits: Record<string, string> = parse(readFileSync('bench/budgets.yaml', 'utf8')).budgets;
    await withTemporaryFolder(async ({ path }) => {
      const [budgets, head] = [join(path, 'budgets.yaml'), join(path, 'head.json')];
      writeFileSync(budgets, `budgets: { digest/256-mib-1-thread.p50: ${limits['digest/1024-mib-1-thread.p50']} }`);
      const slow = {
        STANDSTILL_ADDON: resolve('build-controls/Release/standstill_controls.node'),
        NODE_OPTIONS: '--import=./test/fixtures/slow-digest.mjs',
      };
      const bench = await runCli(['bench', '--quick', '--only', 'digest', '--out', head], slow);
      expect(bench.exitCode, bench.stderr).toBe(0);
      const { exitCode, stdout } = await gate(['--budget', budgets, '--head', head, '--json']);
      expect(JSON.parse(stdout).metrics[0].reason).toContain('missed by');
      // On a machine that was disturbed, what is missed is undecided.
      expect([1, 3]).toContain(exitCode);
    });
  });
});
