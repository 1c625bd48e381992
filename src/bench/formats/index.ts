import type { BenchResult } from '../result-schema.js';
import { toBmf } from './bmf.js';
import { toGithubActionBenchmark } from './github-action-benchmark.js';
import { toJunit } from './junit.js';
import { toMarkdown } from './markdown.js';

/** The formats of other tools, by name. */
export const BENCH_FORMATS: Readonly<Record<string, (result: BenchResult) => string>> = {
  bmf: toBmf,
  'github-action-benchmark': toGithubActionBenchmark,
  junit: toJunit,
  markdown: toMarkdown,
};
