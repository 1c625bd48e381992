import { Command, Option } from 'commander';
import { unexpected } from '../../base/errors.js';
import { compareByRuns, ERROR_RATE, PAIRS_MIN, ROUNDS_MAX, SEED_LIMIT, type Side } from '../../gate/ab.js';
import { type MetricSource, runCommand } from '../../gate/run-command.js';
import type { GateReport } from '../../gate/verdict.js';
import { durationMs, wholeNumber } from '../flags.js';
import type { Leave } from '../leave.js';
import { showProgress } from '../progress.js';
import { chosenMetrics, type MetricFlags, MIN_EFFECT_PAIRED, minEffects } from './inputs.js';
import { decideAndReport, type ReportFlags, withGateFlags } from './outputs.js';

const PAIRS_MAX = 10_000;
const TIMEOUT_MAX_MS = 24 * 3600 * 1000;
const WARM_UP_MAX = 1000;
/** Below it, the resamples of a look are too few to find anything. */
const ERROR_RATE_MIN = 0.001;
const ERROR_RATE_MAX = 0.5;

interface AbFlags extends ReportFlags, MetricFlags {
  base: string;
  head: string;
  metrics: MetricSource;
  pairs: number;
  rounds: number;
  errorRate: number;
  warmup: number;
  timeout: number;
  seed?: number;
}

/** `standstill gate ab`: runs both sides by turns and tests the difference. */
export function abCommand(leave: Leave): Command {
  const command = new Command('ab')
    .summary('run two commands by turns and test the difference')
    .description(
      'Runs both commands alternating, AB then BA, and decides by a paired permutation test over all metrics at once, in ' +
        'rounds, until it is decided. What is compared is process runs: what a command measures within one is one value.',
    )
    .requiredOption('--base <command>', 'shell command of the base')
    .requiredOption('--head <command>', 'shell command of the head')
    .addOption(
      new Option(
        '--metrics <source>',
        "'wall' (time of the process), 'stdout' (JSON), or the path of a JSON file that each run writes",
      )
        .argParser(parseSource)
        .default({ kind: 'wall' }, 'wall'),
    )
    .addOption(number('--pairs <number>', 'pairs of runs in a round', PAIRS_MIN, PAIRS_MAX).default(PAIRS_MIN))
    .addOption(number('--rounds <number>', 'rounds at most', 1, ROUNDS_MAX).default(ROUNDS_MAX))
    .addOption(
      new Option('--error-rate <share>', 'of comparisons of equals that may end as a regression or an improvement')
        .argParser(parseShare)
        .default(ERROR_RATE, `${ERROR_RATE * 100}%`),
    )
    .addOption(number('--warmup <number>', 'runs of each side that do not count', 0, WARM_UP_MAX).default(1))
    .addOption(
      new Option('--timeout <time>', 'a run that takes longer is killed')
        .argParser(durationMs('--timeout', TIMEOUT_MAX_MS))
        .default(600_000, '10min'),
    )
    .addOption(
      number('--seed <number>', 'decides order and resampling', 0, SEED_LIMIT - 1).default(
        undefined,
        'random, printed',
      ),
    );
  const examples = [
    "standstill gate ab --base 'node ../main/job.mjs' --head 'node job.mjs'",
    "standstill gate ab --base ./old --head ./new --metrics stdout --min-effect '5%'",
  ];
  return withGateFlags(command, MIN_EFFECT_PAIRED, examples).action((flags: AbFlags) =>
    decideAndReport(flags, leave, (signal) => compare(flags, signal)),
  );
}

const number = (names: string, text: string, min: number, max: number): Option =>
  new Option(names, text).argParser(wholeNumber(names.split(' ')[0] ?? names, min, max));

const parseSource = (text: string): MetricSource =>
  text === 'wall' || text === 'stdout' ? { kind: text } : { kind: 'file', path: text };

function parseShare(text: string): number {
  const share = Number(/^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim())?.[1]) / 100;
  if (share >= ERROR_RATE_MIN && share <= ERROR_RATE_MAX) return share;
  throw unexpected('ERR_INVALID_OPTION', "a share from 0.1% to 50% such as '1%'", '--error-rate', text);
}

async function compare(flags: AbFlags, signal: AbortSignal): Promise<GateReport> {
  const { base, head, metrics, pairs, rounds, errorRate, warmup, timeout, seed } = flags;
  const minEffectOf = minEffects(flags.minEffect, MIN_EFFECT_PAIRED);
  const commands: Record<Side, string> = { base, head };
  const measure = async (side: Side) =>
    chosenMetrics(await runCommand(commands[side], { metrics, timeoutMs: timeout, signal }), flags);
  using progress = showProgress(flags);
  progress.say('warming up');
  for (let run = 0; run < warmup; run += 1) {
    await measure('base');
    await measure('head');
  }
  const plan = {
    pairsPerRound: pairs,
    roundsMax: rounds,
    errorRate,
    minEffectOf,
    ...(seed === undefined ? {} : { seed }),
  };
  let saidRound = 0;
  return await compareByRuns(plan, {
    names: commands,
    measure,
    onProgress({ round, roundsMax, runsDone, runsOfRound }) {
      if (round !== saidRound) progress.say(`round ${round} of ${roundsMax} at most`);
      saidRound = round;
      progress.showShare(runsDone / runsOfRound, `${runsDone} of ${runsOfRound} runs`);
    },
  });
}
