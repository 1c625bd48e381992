import { z } from 'zod';
import { quantileInterval } from '../interval.js';
import { plainResult, type Result } from '../metric.js';
import { normaliseUnit } from '../units.js';
import type { Format } from './format.js';
import { finite, listOf, mapOf, parseContent, text } from './schema.js';

const schema = z.object({
  results: listOf(
    z.object({
      command: text,
      median: finite,
      times: listOf(finite, 'seconds').optional(),
      parameters: mapOf(z.union([text, finite], 'text or a number'), 'parameters').optional(),
    }),
    'results',
  ),
});

/** What `hyperfine --export-json` writes: the median of each command's runs, with their times. */
export const hyperfine: Format = {
  name: 'hyperfine',
  matches(content) {
    const results = Reflect.get(content, 'results');
    return (
      Array.isArray(results) && results.every((one) => typeof one === 'object' && one !== null && 'command' in one)
    );
  },
  read(content, source): Result[] {
    const { unit, scale } = normaliseUnit('s');
    const metrics = parseContent(schema, content, source).results.map(({ command, median, times = [] }) => ({
      name: command,
      unit,
      direction: 'lower' as const,
      value: median * scale,
      interval: quantileInterval(
        times.map((seconds) => seconds * scale).toSorted((a, b) => a - b),
        0.5,
      ),
    }));
    return [plainResult(source, this.name, metrics)];
  },
};
