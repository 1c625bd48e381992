import { z } from 'zod';
import { type Interval, type Metric, plainResult, type Result } from '../metric.js';
import { directionOfUnit, normaliseUnit } from '../units.js';
import type { Format } from './format.js';
import { finite, listOf, mapOf, parseContent, text } from './schema.js';

const bench = z.object({ name: text, unit: text, value: finite, range: z.union([text, finite], 'text').optional() });
const list = listOf(bench, 'benchmarks');
const history = z.object({
  entries: mapOf(listOf(z.object({ tool: text, benches: list }), 'runs'), 'suites'),
});

type Bench = z.infer<typeof bench>;

/**
 * github-action-benchmark: the list that its custom tools are given, or the JSON in which it keeps its history, where each
 * commit is a result.
 */
export const githubActionBenchmark: Format = {
  name: 'github-action-benchmark',
  matches: (content) => Array.isArray(content) || 'entries' in content,
  read(content, source): Result[] {
    if (Array.isArray(content)) {
      return [
        plainResult(
          source,
          this.name,
          parseContent(list, content, source).map((one) => figureOf(one, '')),
        ),
      ];
    }
    const suites = Object.values(parseContent(history, content, source).entries);
    const ages = Array.from({ length: Math.max(0, ...suites.map((runs) => runs.length)) }, (_, index) => index);
    // The suites of one commit may have been recorded by jobs of their own; the newest of each belong together.
    return ages.toReversed().map((age) => {
      const runs = suites.flatMap((suite) => suite.at(-1 - age) ?? []);
      return plainResult(
        source,
        this.name,
        runs.flatMap(({ tool, benches }) => benches.map((one) => figureOf(one, tool))),
      );
    });
  },
};

/** A tool that names a direction knows it; elsewhere the unit tells. */
function figureOf({ name, unit: writtenUnit, value, range }: Bench, tool: string): Metric {
  const { unit, scale } = normaliseUnit(writtenUnit);
  const direction = /biggerIsBetter/i.test(tool) ? 'higher' : directionOfUnit(writtenUnit);
  const interval = intervalOf(value, range);
  return {
    name,
    unit,
    direction,
    value: value * scale,
    interval: interval && { low: interval.low * scale, high: interval.high * scale },
  };
}

/** '± 12' and '±1.5%'; a range in any other form says nothing. */
function intervalOf(value: number, range: string | number | undefined): Interval | null {
  const match = /^(?:±|\+-|\+\/-)\s*(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(%?)$/i.exec(String(range ?? '').trim());
  if (match === null) return null;
  const reach = match[2] === '%' ? (Number(match[1]) / 100) * Math.abs(value) : Number(match[1]);
  return { low: value - reach, high: value + reach };
}
