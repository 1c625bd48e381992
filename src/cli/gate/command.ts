import { Command } from 'commander';
import { StandstillError } from '../../base/errors.js';
import { checkBudgets, checkBudgetsNow } from '../../gate/budget.js';
import { compareResults } from '../../gate/compare.js';
import type { GateReport } from '../../gate/verdict.js';
import { collect } from '../flags.js';
import type { Leave } from '../leave.js';
import { addOutputFlags } from '../output-flags.js';
import { abCommand } from './ab.js';
import { type MetricFlags, MIN_EFFECT_THRESHOLD, minEffects, readBudgets, readResults } from './inputs.js';
import { decideAndReport, type ReportFlags, withGateFlags } from './outputs.js';
import { runBench } from './run-bench.js';

interface GateFlags extends ReportFlags, MetricFlags {
  budget?: string;
  baseline?: string[];
  head?: string;
}

/** `standstill gate`: budgets, comparison of results, and `gate ab`. */
export function gateCommand(leave: Leave): Command {
  const command = new Command('gate')
    .summary('fail on a performance regression, and not on noise')
    .description(
      'Holds a result against budgets (--budget) or against an earlier one (--baseline). Reads the JSON of standstill bench, ' +
        "hyperfine, vitest bench, github-action-benchmark and Bencher. 'standstill gate ab' runs both sides itself, which " +
        'alone can tell a small change from noise.',
    )
    .enablePositionalOptions()
    .option('--budget <file>', 'YAML with limits by metric (schemas/budgets.schema.json)')
    .option('--baseline <file>', 'an earlier result, repeatable: several are its history, oldest first', collect)
    .option(
      '--head <file>',
      "the result to judge; '-' reads standard input (default with --budget: what standstill bench measures now, and again where it misses)",
    );
  withGateFlags(command, MIN_EFFECT_THRESHOLD, [
    'standstill gate --budget budgets.yaml',
    'standstill gate --baseline main.json --head head.json --format markdown=gate.md',
  ]);
  return addOutputFlags(command)
    .action((flags: GateFlags) => decideAndReport(flags, leave, (signal) => judge(flags, signal)))
    .addCommand(abCommand(leave));
}

async function judge(flags: GateFlags, signal: AbortSignal): Promise<GateReport> {
  const { budget, baseline = [], head } = flags;
  if ((budget === undefined) === (baseline.length === 0)) {
    const received = budget === undefined ? 'neither' : 'both';
    throw new StandstillError('ERR_INVALID_OPTION', `Expected either --budget or --baseline but received ${received}`);
  }
  if (budget !== undefined) {
    const budgets = await readBudgets(budget);
    if (head !== undefined) return checkBudgets(budgets, await readNewest(head, flags), budget);
    return await checkBudgetsNow(budgets, (cases) => runBench(cases, signal), budget);
  }
  if (head === undefined)
    throw new StandstillError('ERR_INVALID_OPTION', 'Expected --head, the result to judge, but received none');
  const minEffectOf = minEffects(flags.minEffect, MIN_EFFECT_THRESHOLD);
  const history = (await Promise.all(baseline.map((path) => readResults(path, flags)))).flat();
  return compareResults(history, await readNewest(head, flags), minEffectOf);
}

async function readNewest(path: string, flags: MetricFlags) {
  const newest = (await readResults(path, flags)).at(-1);
  if (newest === undefined)
    throw new StandstillError('ERR_GATE_INPUT', `Expected a result in ${path} but there is none`);
  return newest;
}
