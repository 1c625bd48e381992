import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parse as parseYaml } from 'yaml';
import { messageOf, StandstillError, unexpected } from '../../base/errors.js';
import { type Budgets, parseBudgets } from '../../gate/budget.js';
import type { MinEffectOf } from '../../gate/compare.js';
import { matchesPattern, type Result, selectMetrics, withHigherIsBetter } from '../../gate/metric.js';
import { parseResults } from '../../gate/read/format.js';

export const MIN_EFFECT_PAIRED = 0.05;
/** Two runs of one binary at different times often differ by a tenth. */
export const MIN_EFFECT_THRESHOLD = 0.2;

export interface MetricFlags {
  metric?: string[];
  higherIsBetter?: string[];
  minEffect?: string[];
}

/** The results in a file, oldest first, or in standard input where the path is '-'. */
export async function readResults(path: string, flags: MetricFlags): Promise<Result[]> {
  const source = path === '-' ? 'standard input' : path;
  return parseResults(await readText(path), source).map((result) => chosenMetrics(result, flags));
}

/** With the metrics and directions that the flags ask for. ERR_GATE_INPUT where no metric is left. */
export function chosenMetrics(result: Result, { metric = [], higherIsBetter = [] }: MetricFlags): Result {
  const chosen = selectMetrics(withHigherIsBetter(result, higherIsBetter), metric);
  if (chosen.metrics.size > 0) return chosen;
  const known = [...result.metrics.keys()].slice(0, 5).join("', '");
  throw new StandstillError(
    'ERR_GATE_INPUT',
    `Expected a metric of ${result.source} for --metric but none fits; it has '${known}'`,
  );
}

export async function readBudgets(path: string): Promise<Budgets> {
  const yaml = await readText(path);
  let content: unknown;
  try {
    content = parseYaml(yaml);
  } catch (error) {
    throw new StandstillError('ERR_GATE_INPUT', `Expected YAML for ${path} but: ${messageOf(error)}`, { cause: error });
  }
  return parseBudgets(content, path);
}

async function readText(path: string): Promise<string> {
  try {
    return await (path === '-' ? text(process.stdin) : readFile(path, 'utf8'));
  } catch (error) {
    throw new StandstillError('ERR_GATE_INPUT', `Expected a readable file but: ${messageOf(error)}`, { cause: error });
  }
}

/** From '5%' for all metrics and 'name=3%' for those that fit the name; the last that fits counts. */
export function minEffects(texts: readonly string[] | undefined, otherwise: number): MinEffectOf {
  const rules = (texts ?? []).map((rule) => {
    const match = /^(?:(.+)=)?\s*(\d+(?:\.\d+)?)\s*%$/s.exec(rule.trim());
    const share = Number(match?.[2]) / 100;
    if (share > 0) return { pattern: match?.[1]?.trim() ?? '*', share };
    throw unexpected('ERR_INVALID_OPTION', "a share above 0 such as '5%' or 'pause.p99=10%'", '--min-effect', rule);
  });
  return (metric) => rules.findLast(({ pattern }) => matchesPattern(metric, pattern))?.share ?? otherwise;
}
