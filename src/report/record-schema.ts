import { z } from 'zod';
import { isStandstillError, messageOf, StandstillError, show } from '../base/errors.js';
import { parseOptions } from '../base/options.js';
import { count, entrySchema, finite, flag, listOf, text } from './event-schema.js';
import { RUN_RECORD_SCHEMA_VERSION, type RunRecord } from './record.js';

const problems = listOf(text, 'texts');
const failure = z.looseObject({ code: text.nullable(), message: text });

const PROOFS = ['deferred', 'full', 'sampled', 'none'] as const;
const freezerSchema = z.looseObject({ kind: text, why: text });
const linesSchema = listOf(z.looseObject({ text }), 'lines');
/** What changed in the memory of a process. */
const differenceSchema = z.looseObject({
  change: text,
  pid: count,
  address: text.nullable(),
  pagesChanged: count,
  detail: text,
});

const phasesSchema = z.looseObject({
  requestNs: finite,
  haltNs: finite,
  digestNs: finite,
  patchNs: finite,
  resumeNs: finite,
  syncNs: finite,
});

const vmSchema = z.looseObject({
  name: text,
  kind: z.enum(['emulated', 'process']),
  program: text,
  ramBytes: count,
  proof: z.enum(PROOFS),
  clocks: z.looseObject({ holds: listOf(text, 'guarantees'), summary: text }),
  wasRunning: flag,
  memory: z.enum(['preserved', 'changed', 'unproven', 'lost']),
  digestBefore: text.nullable(),
  digestAfter: text.nullable(),
  bytesRead: count,
  bytesReadInFreeze: count,
  changedPages: z
    .looseObject({
      count,
      firstPage: count,
      firstGpa: count,
      bytes: z.looseObject({ gpa: count, atHalt: text, atRelease: text }).nullable(),
    })
    .nullable(),
  difference: differenceSchema.nullable(),
  unprovenReason: text.nullable(),
  stepsBefore: finite.nullable(),
  stepsAfter: finite.nullable(),
  invariantsOk: flag.nullable(),
  violation: text.nullable(),
  problem: text.nullable(),
  blackoutNs: finite,
  phases: phasesSchema,
  requestedAfterNs: finite,
  clockLagBeforeNs: finite.nullable(),
  clockLagAfterNs: finite.nullable(),
  clockBracketNs: finite.nullable(),
  clockOff: flag,
  rebooted: flag,
  syncedBy: text.nullable(),
  resumedBy: text.nullable(),
  ticker: z
    .looseObject({ guestGapMaxNs: finite, trueGapMaxNs: finite, wallJumpMaxNs: finite, exact: flag.nullable() })
    .nullable(),
  process: z
    .looseObject({
      freezer: freezerSchema,
      pid: count,
      processes: count,
      threads: count,
      restarts: count,
      ending: z.looseObject({ exitCode: finite.nullable(), signal: text.nullable() }).nullable(),
      log: linesSchema,
    })
    .nullable(),
});

const maintenanceSchema = z.looseObject({
  ok: flag,
  problems,
  result: text,
  impact: text,
  seed: finite,
  budgetMs: finite,
  budgetKept: flag,
  resumedBy: text,
  proof: z.enum(PROOFS),
  vms: listOf(vmSchema, 'VMs'),
  patches: listOf(
    z.looseObject({
      name: text,
      kind: text,
      ok: flag,
      status: text,
      durationNs: finite,
      startedAfterNs: finite.nullable(),
      component: z.looseObject({ name: text, from: text, to: text }).nullable(),
      error: failure.nullable(),
    }),
    'patches',
  ),
  update: z.looseObject({ outcome: text, stagingNs: finite, stagedInFreeze: flag, savedNs: finite }).nullable(),
  health: listOf(z.looseObject({ name: text, ok: flag, durationNs: finite, error: failure.nullable() }), 'probes'),
  notice: z.looseObject({ dueBy: text, waitedNs: finite }).nullable(),
});

const rolloutSchema = z.looseObject({
  ok: flag,
  rollout: text,
  status: text,
  problems,
  durationNs: finite,
  domains: listOf(
    z.looseObject({
      updateDomain: count,
      direction: text,
      hosts: listOf(text, 'names'),
      ok: flag.nullable(),
      durationNs: finite.nullable(),
    }),
    'update domains',
  ),
  hosts: listOf(z.looseObject({ host: text, updateDomain: count, applied: text }), 'hosts'),
  invariants: z.looseObject({ ok: flag, instants: count, impacts: count }).nullable(),
});

const processSchema = z.looseObject({
  ok: flag,
  problems,
  vm: text,
  program: text,
  freezer: freezerSchema,
  clocks: z.looseObject({ summary: text }),
  budgetMs: finite,
  freezes: listOf(
    z.looseObject({
      haltNs: finite,
      blackoutNs: finite,
      resumeNs: finite,
      resumedBy: text.nullable(),
      memory: z.enum(['preserved', 'changed', 'unproven']),
      difference: differenceSchema.nullable(),
      bytesRead: count,
      digestAtHaltNs: finite,
      digestAtReleaseNs: finite,
    }),
    'freezes',
  ),
  log: linesSchema,
});

const answersSchema = z.looseObject({
  asked: count,
  ok: count,
  okShare: finite.nullable(),
  latency: z.looseObject({ p50Ns: finite, p99Ns: finite, maxNs: finite }).nullable(),
});

const probeSchema = z.looseObject({
  name: text,
  kind: z.enum(['start', 'end', 'continuous', 'edge']),
  target: text,
  ok: flag,
  problems,
  total: answersSchema,
  before: answersSchema,
  during: answersSchema,
  after: answersSchema,
  longestOutageNs: finite.nullable(),
  lateMaxNs: finite,
});

export const runRecordSchema = z.looseObject({
  schemaVersion: z.literal(RUN_RECORD_SCHEMA_VERSION, `${RUN_RECORD_SCHEMA_VERSION}, the version that this one reads,`),
  standstill: text,
  name: text,
  seed: finite.nullable(),
  startedAt: z.iso.datetime({ offset: true, error: 'a time such as 2026-01-31T12:00:00Z' }),
  durationNs: finite,
  machine: z.looseObject({
    cpuModel: text,
    cores: count,
    memoryBytes: count,
    kernel: text,
    architecture: text,
    node: text,
  }),
  result: z.enum(['passed', 'failed', 'aborted'], 'passed, failed or aborted'),
  error: failure.nullable(),
  log: listOf(entrySchema, 'entries of an event log'),
  maintenances: listOf(z.looseObject({ host: text, report: maintenanceSchema }), 'maintenances'),
  rollouts: listOf(rolloutSchema, 'rollouts'),
  processes: listOf(processSchema, 'runs of processes'),
  probes: listOf(probeSchema, 'probes'),
  expectations: listOf(
    z.looseObject({ text, ok: flag, observed: text, detail: listOf(text, 'texts') }),
    'expectations',
  ),
});

/** The schema as JSON Schema (draft 2020-12), published as schemas/run-record.schema.json. */
export const runRecordJsonSchema = (): unknown => z.toJSONSchema(runRecordSchema);

/**
 * A record that was saved as JSON. `source` names it in the message. Throws ERR_RECORD_INVALID with the place of the
 * first thing that is wrong.
 */
export function parseRunRecord(json: string, source: string): RunRecord {
  const content = parseJson(json, source);
  try {
    // What the schema does not have of the types below is not read by any report.
    return parseOptions(runRecordSchema, content, source) as unknown as RunRecord;
  } catch (error) {
    if (!isStandstillError(error)) throw error;
    throw new StandstillError('ERR_RECORD_INVALID', error.message, { cause: error });
  }
}

function parseJson(json: string, source: string): unknown {
  const failed = (received: string, cause?: unknown) =>
    new StandstillError('ERR_RECORD_INVALID', `Expected the record of a run in ${source} but received ${received}`, {
      cause,
    });
  try {
    const content: unknown = JSON.parse(json);
    if (typeof content === 'object' && content !== null && !Array.isArray(content)) return content;
    throw failed(show(content));
  } catch (error) {
    if (isStandstillError(error)) throw error;
    throw failed(json.trim() === '' ? 'nothing' : `no JSON: ${messageOf(error)}`, error);
  }
}
