import { StandstillError } from '../../base/errors.js';
import type { Result } from '../metric.js';
import { bmf } from './bmf.js';
import { githubActionBenchmark } from './github-action-benchmark.js';
import { hyperfine } from './hyperfine.js';
import { standstill } from './standstill.js';
import { vitest } from './vitest.js';

/** A tool's way to write results. */
export interface Format {
  readonly name: string;
  /** Whether it looks like one of them, by a trait that no other format has. */
  readonly matches: (content: object) => boolean;
  /** Its results, oldest first: several where the file is a history. ERR_GATE_INPUT where its shape is wrong. */
  readonly read: (content: object, source: string) => Result[];
}

/** In the order in which they are tried: BMF, which has no trait but its depth, is last. */
const FORMATS: readonly Format[] = [standstill, hyperfine, vitest, githubActionBenchmark, bmf];

/** The results in the text of a JSON file, oldest first. Throws ERR_GATE_INPUT. */
export function parseResults(json: string, source: string): Result[] {
  const content = parseJson(json, source);
  const format =
    typeof content === 'object' && content !== null ? FORMATS.find((one) => one.matches(content)) : undefined;
  if (format === undefined) {
    const names = FORMATS.map(({ name }) => name).join(', ');
    throw new StandstillError(
      'ERR_GATE_INPUT',
      `Expected a result of ${names} for ${source} but received another JSON`,
    );
  }
  const results = format.read(content as object, source);
  if (results.length === 0 || results.some(({ metrics }) => metrics.size === 0)) {
    throw new StandstillError(
      'ERR_GATE_INPUT',
      `Expected one metric at least in ${source} (${format.name}) but found none`,
    );
  }
  return results;
}

function parseJson(json: string, source: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    const received = json.trim() === '' ? 'nothing' : `'${json.trim().slice(0, 40)}…'`;
    throw new StandstillError('ERR_GATE_INPUT', `Expected JSON for ${source} but received ${received}`, {
      cause: error,
    });
  }
}
