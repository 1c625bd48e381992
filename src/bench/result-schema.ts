/**
 * The result of a benchmark run: what `standstill bench --out` writes, and what the gate and the reports read. A reader
 * ignores fields that it does not know; a field is removed, or means something else, only with a new `schemaVersion`.
 */

import { z } from 'zod';

export const BENCH_RESULT_FORMAT = 'standstill-bench';
export const BENCH_RESULT_VERSION = 1;

/** 'ratio' has no unit: a multiple of something. */
export const BENCH_UNITS = ['ns', 'bytes', 'GB/s', 'ops/s', 'percent', 'ratio'] as const;
/** Which way is better. */
export const BENCH_DIRECTIONS = ['lower', 'higher'] as const;

const finite = z.number('a finite number');
const count = z.int('a whole number').nonnegative('a whole number of 0 at least');
const share = z.number('a share from 0 to 1').min(0, 'a share from 0 to 1').max(1, 'a share from 0 to 1');
const text = z.string('text');

/**
 * A percentile is there only where enough samples lie beyond it: ten of them, so p99 needs 1,000 samples and p99.9
 * 10,000. Quartiles and the median are always there where there is a sample at all.
 */
const percentilesSchema = z.object({
  p25: finite.optional(),
  p50: finite.optional(),
  p75: finite.optional(),
  p90: finite.optional(),
  p99: finite.optional(),
  'p99.9': finite.optional(),
});

const summarySchema = z.object({
  /** How many samples; 0: all other fields are 0 and no percentile is there. */
  samples: count,
  min: finite,
  max: finite,
  mean: finite,
  percentiles: percentilesSchema,
});

/** What was measured, so that any other statistic can be computed: the samples themselves, or their histogram. */
const distributionSchema = z.discriminatedUnion('kind', [
  /** In the order in which they were taken. */
  z.object({ kind: z.literal('samples'), values: z.array(finite, 'an array of numbers') }),
  /** An HDR histogram of three significant digits: [value, count], ascending, occupied buckets only. */
  z.object({ kind: z.literal('histogram'), buckets: z.array(z.tuple([finite, count]), 'an array of [value, count]') }),
]);

/** One turn of a side; the sides of a comparison take turns, so round k of one lies beside round k of the others. */
const roundSchema = z.object({
  /** Since the run began. */
  atMs: finite,
  samples: count,
  p50: finite,
});

const measurementSchema = z.object({
  summary: summarySchema,
  distribution: distributionSchema,
  /** Empty where it was measured in one go. */
  rounds: z.array(roundSchema, 'an array of rounds'),
});

/** Ours divided by the other, by rounds, with a bootstrap interval over the rounds. */
const ratioSchema = z.object({
  p50: finite,
  /** The interval of `confidence`; null with fewer than five rounds. */
  low: finite.nullable(),
  high: finite.nullable(),
  confidence: share,
});

/** What a figure is held against, measured in turns with it. */
const referenceSchema = z.object({
  /** 'limit': the least that the machine can do; 'peer': what a user would pick instead; 'baseline': ours, otherwise. */
  role: z.enum(['limit', 'peer', 'baseline']),
  name: text,
  measurement: measurementSchema,
  /** null where one of the two has no samples. */
  ratio: ratioSchema.nullable(),
  /** What the two do not have in common; empty where nothing is. */
  differs: text,
});

const metricSchema = z.object({
  /**
   * Unique in a result: the case's name, or `case/variant` where a case has several metrics. Of lower-case letters,
   * digits and `-`; no dot, so that `<metric>.<percentile>` names a figure. A case's name stands for all its metrics.
   */
  name: text,
  case: text,
  /** Its number in docs/SPECIFICATION.md; null for a case of the user's own. */
  promise: text.nullable(),
  title: text,
  /** What it was measured with: RAM size, VMs, program, dirty rate. */
  params: z.record(text, z.union([text, finite, z.boolean()])),
  unit: z.enum(BENCH_UNITS),
  direction: z.enum(BENCH_DIRECTIONS),
  measurement: measurementSchema,
  /**
   * Its multiple of a calibration's figure, by the calibration's name: p50 of this over p50 of that, of the same unit.
   * By these, results of different machines compare.
   */
  multiples: z.record(text, finite),
  references: z.array(referenceSchema, 'an array of references'),
  target: z.object({ text: text, met: z.boolean().nullable() }).nullable(),
  /** Metrics of the same title are drawn on one chart, each with its label; null or absent: none. */
  chart: z.object({ title: text, label: text }).nullish(),
  notes: z.array(text, 'an array of texts'),
  /** Whatever else the case has to say. */
  details: z.record(text, z.unknown()),
});

/** What this machine can do at best, in the same run: handshake, wake, read, copy, page-fault and the like. */
const calibrationSchema = z.object({
  name: text,
  title: text,
  unit: z.enum(BENCH_UNITS),
  direction: z.enum(BENCH_DIRECTIONS),
  measurement: measurementSchema,
});

const noiseSchema = z.object({
  seconds: finite,
  /** Of the machine's CPU time: given by its hypervisor to others, and used by processes that are not ours. */
  stealShare: share,
  othersShare: share,
  /** Of a thread that only reads the clock: the share of its time in gaps above 10 µs. null: not measured. */
  jitterShare: share.nullable(),
  /** 0 (quiet) to 100: the sum of the three shares, in percent, at most 100. */
  score: z.number().min(0).max(100),
  load1: finite,
});

const environmentSchema = z.object({
  /** A digest of CPU model, cores, memory and machine id: results of one machine have the same. */
  machine: text,
  cpuModel: text,
  cores: count,
  memoryBytes: count,
  kernel: text,
  architecture: text,
  /** null where the kernel does not tell. */
  governor: text.nullable(),
  hugePages: text.nullable(),
  virtualised: z.boolean(),
  /** The limits of the cgroup that the run is in; null: none. */
  container: z.object({ cpus: finite.nullable(), memoryBytes: finite.nullable() }),
  commit: text.nullable(),
  versions: z.record(text, text),
  engine: z.record(text, z.union([text, finite])),
  timer: z.object({
    /** Median of what two readings of the clock in a row are apart. */
    stepNs: finite,
    /** What the kernel says that it resolves. */
    resolutionNs: finite,
  }),
});

/** The zod schema of a result: `parse` throws a ZodError where it is none. */
export const benchResultSchema = z.object({
  format: z.literal(BENCH_RESULT_FORMAT),
  schemaVersion: z.literal(BENCH_RESULT_VERSION),
  /** ISO 8601, when the run began. */
  startedAt: text,
  durationMs: finite,
  /** Fewer samples: says that it works, not how fast it is. */
  quick: z.boolean(),
  environment: environmentSchema,
  noise: z.object({ before: noiseSchema, during: noiseSchema }),
  /** What a reader must know before trusting the figures; empty where the machine was quiet. */
  warnings: z.array(text, 'an array of texts'),
  calibrations: z.array(calibrationSchema, 'an array of calibrations'),
  metrics: z.array(metricSchema, 'an array of metrics'),
  skipped: z.array(z.object({ name: text, reason: text }), 'an array of skipped cases'),
});

export type BenchUnit = (typeof BENCH_UNITS)[number];
export type BenchDirection = (typeof BENCH_DIRECTIONS)[number];
export type BenchSummary = z.infer<typeof summarySchema>;
export type BenchMeasurement = z.infer<typeof measurementSchema>;
export type BenchReference = z.infer<typeof referenceSchema>;
/**
 * One figure of a result: its samples or histogram, unit, interval, and what it is held against.
 * @interface
 */
export type BenchMetric = z.infer<typeof metricSchema>;
export type BenchCalibration = z.infer<typeof calibrationSchema>;
export type BenchNoise = z.infer<typeof noiseSchema>;
export type BenchEnvironment = z.infer<typeof environmentSchema>;
/**
 * * What `standstill bench --json` prints. Keys may be added; none changes its meaning without another `schemaVersion`.
 * @interface
 */
export type BenchResult = z.infer<typeof benchResultSchema>;

/** The schema as JSON Schema (draft 2020-12), for tools in other languages. */
export const benchResultJsonSchema = (): unknown => z.toJSONSchema(benchResultSchema);
