import { z } from 'zod';
import { quantileInterval } from '../interval.js';
import { type Metric, plainResult, type Result } from '../metric.js';
import { normaliseUnit } from '../units.js';
import type { Format } from './format.js';
import { finite, listOf, parseContent, text } from './schema.js';

const benchmark = z.object({
  name: text,
  mean: finite,
  moe: finite,
  median: finite.optional(),
  samples: listOf(finite, 'numbers').optional(),
});
const schema = z.object({
  files: listOf(
    z.object({ groups: listOf(z.object({ fullName: text, benchmarks: listOf(benchmark, 'benchmarks') }), 'groups') }),
    'files',
  ),
});

/**
 * What `vitest bench --outputJson` writes: the median where the samples were kept, which vitest does on request, and
 * elsewhere the mean with its margin of error.
 */
export const vitest: Format = {
  name: 'vitest bench',
  matches(content) {
    const files = Reflect.get(content, 'files');
    return Array.isArray(files) && files.every((one) => typeof one === 'object' && one !== null && 'groups' in one);
  },
  read(content, source): Result[] {
    const { files } = parseContent(schema, content, source);
    const metrics = files.flatMap(({ groups }) =>
      groups.flatMap(({ fullName, benchmarks }) => benchmarks.map((one) => figureOf(fullName, one))),
    );
    return [plainResult(source, this.name, metrics)];
  },
};

function figureOf(group: string, { name, mean, moe, median, samples = [] }: z.infer<typeof benchmark>): Metric {
  const { unit, scale } = normaliseUnit('ms');
  const common = { name: `${group} > ${name}`, unit, direction: 'lower' as const };
  if (median !== undefined && samples.length > 0) {
    const ascending = samples.map((milliseconds) => milliseconds * scale).toSorted((a, b) => a - b);
    return { ...common, value: median * scale, interval: quantileInterval(ascending, 0.5) };
  }
  return { ...common, value: mean * scale, interval: { low: (mean - moe) * scale, high: (mean + moe) * scale } };
}
