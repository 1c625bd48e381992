// Measures the gate itself: how often `standstill gate ab` finds a change between equals (A/A), and how often it finds an
// injected slow-down of 5, 10, 20 and 50 % of the digest (A/B), on real runs of the engine's control build. Each line of the
// results file is one comparison with all its values; what is there is not run again, so the study goes on where it was
// stopped, also by Ctrl-C.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { root } from './test/tools.mjs';

const SLOW_DOWNS_PERCENT = [5, 10, 20, 50];
const METRIC = 'digest.latency';
const measured = join(root, 'bench', 'gate-study', 'measured.mjs');
const main = join(root, 'dist', 'cli', 'main.js');
const controls = join(root, 'build-controls', 'Release', 'standstill_controls.node');

let interrupted = false;

const USAGE = `Usage: node scripts/gate-study.mjs [options]

  --aa N         comparisons of equals (default: 300)
  --ab N         comparisons with each slow-down (default: 100)
  --minutes N    stop after so many minutes; call again to go on (default: until done)
  --out FILE     results, one comparison a line (default: bench/gate-study/results.jsonl)
  --summary      run nothing, print the table of what is there
  --help         this text

Needs the control build: npm test -- controls. The whole study takes hours of an idle machine.
`;

const { values: flags } = parseArgs({
  options: {
    aa: { type: 'string', default: '300' },
    ab: { type: 'string', default: '100' },
    minutes: { type: 'string' },
    out: { type: 'string', default: join(root, 'bench', 'gate-study', 'results.jsonl') },
    summary: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** Equals and slow-downs by turns, so that a part of the study says something of each. */
function plannedComparisons() {
  const planned = [];
  const [equals, slower] = [Number(flags.aa), Number(flags.ab)];
  for (let index = 0; index < Math.max(equals, slower); index += 1) {
    if (index < equals) planned.push({ slower: 0, seed: index });
    if (index < slower)
      planned.push(...SLOW_DOWNS_PERCENT.map((percent) => ({ slower: percent, seed: 1000 * percent + index })));
  }
  return planned;
}

function readResults() {
  if (!existsSync(flags.out)) return [];
  return readFileSync(flags.out, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

async function runStudy() {
  if (!existsSync(controls)) throw new Error(`Expected the control build at ${controls}: run npm test -- controls`);
  const done = new Set(readResults().map(({ slower, seed }) => `${slower}:${seed}`));
  const planned = plannedComparisons();
  const open = planned.filter(({ slower, seed }) => !done.has(`${slower}:${seed}`));
  const endsAtMs = flags.minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + 60_000 * Number(flags.minutes);
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: root, encoding: 'utf8' }).trim();
  const machine = `${cpus()[0]?.model}, ${cpus().length} CPUs, Linux ${release()}`;
  for (const [index, comparison] of open.entries()) {
    if (Date.now() > endsAtMs || interrupted) break;
    const result = await compare(comparison);
    if (result === null) break;
    appendFileSync(
      flags.out,
      `${JSON.stringify({ ...result, load: Math.round(loadavg()[0] * 10) / 10, commit, machine })}\n`,
    );
    const percent = comparison.slower === 0 ? 'equals' : `${comparison.slower} % slower`;
    process.stderr.write(
      `${planned.length - open.length + index + 1} of ${planned.length}: ${percent}: ${result.verdict}, ${result.pairs} pairs, ${result.seconds} s\n`,
    );
  }
}

/** One comparison by the command that users have; null where it was interrupted. */
async function compare({ slower, seed }) {
  const startedAtMs = Date.now();
  const command = (percent) => `exec node ${measured} --slower ${percent}`;
  const args = ['gate', 'ab', '--metrics', 'stdout', '--base', command(0), '--head', command(slower)];
  const child = spawn(process.execPath, [main, ...args, '--seed', String(seed), '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, GITHUB_ACTIONS: '' },
  });
  const stop = () => {
    interrupted = true;
    child.kill('SIGINT');
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
  process.off('SIGINT', stop).off('SIGTERM', stop);
  if (interrupted) return null;
  const report = JSON.parse(output);
  const rounded = (numbers) => numbers.map(Math.round);
  return {
    slower,
    seed,
    verdict: report.verdict,
    pairs: report.plan.pairs,
    seconds: Math.round((Date.now() - startedAtMs) / 100) / 10,
    metrics: report.metrics.map(({ name, verdict, worseBy, interval, pValue, values }) => ({
      name,
      verdict,
      worseBy: Number(worseBy.toFixed(4)),
      interval: interval && [interval.low, interval.high].map((bound) => Number(bound.toFixed(4))),
      pValue: Number(pValue.toFixed(5)),
      base: rounded(values.base),
      head: rounded(values.head),
    })),
  };
}

async function printSummary() {
  const { shareInterval } = await import(join(root, 'dist', 'gate', 'interval.js'));
  const percent = (share) => `${(share * 100).toFixed(1)} %`;
  const share = (hits, of) => {
    const { low, high } = shareInterval(hits, of);
    return `${hits} (${percent(hits / of)}; ${percent(low)} to ${percent(high)})`;
  };
  const results = readResults();
  const rows = [0, ...SLOW_DOWNS_PERCENT].flatMap((slower) => {
    const of = results.filter((one) => one.slower === slower);
    if (of.length === 0) return [];
    const count = (verdict) => of.filter((one) => one.verdict === verdict).length;
    const found = slower === 0 ? count('regression') + count('improvement') : foundIn(of);
    const mean = (key) => (of.reduce((sum, one) => sum + one[key], 0) / of.length).toFixed(1);
    const name = slower === 0 ? 'equals' : `${slower} % slower`;
    return [
      `| ${name} | ${of.length} | ${share(found, of.length)} | ${share(count('undecided'), of.length)} | ${mean('pairs')} | ${mean('seconds')} s |`,
    ];
  });
  process.stdout.write(
    [
      '| head | comparisons | found a change (share; 95 % interval) | undecided (share; 95 % interval) | pairs, mean | time, mean |',
      '| --- | --: | --: | --: | --: | --: |',
      ...rows,
      '',
    ].join('\n'),
  );
}

/** A slow-down counts as found where its own metric is the one that is called a regression. */
const foundIn = (results) =>
  results.filter(({ metrics }) => metrics.some(({ name, verdict }) => name === METRIC && verdict === 'regression'))
    .length;

if (flags.help) {
  process.stdout.write(USAGE);
} else {
  if (!flags.summary) await runStudy();
  await printSummary();
}
