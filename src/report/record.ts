import type { LogEntry } from '../base/event-log.js';
import { describeMachine, type MachineDescription } from '../base/machine.js';
import { packageVersion } from '../base/package.js';
import type { FleetEvent } from '../fleet/events.js';
import type { RolloutReport } from '../fleet/rollout-report.js';
import type { MaintenanceReport } from '../maintenance/report.js';
import type { ProbeEvent } from '../probe/events.js';
import type { ProbeSummary } from '../probe/summary.js';
import type { ProcessRunReport } from '../process/freeze-run.js';
import type { RunHappening } from './run-happening.js';

/** Of `RunRecord`; another one where a key changes its meaning. */
export const RUN_RECORD_SCHEMA_VERSION = 1;

/** What the log of a run tells. */
export type RunEvent = FleetEvent | ProbeEvent | RunHappening;

/** 'aborted': somebody ended it before its time, so that it says nothing about the rest. */
export type RunResult = 'passed' | 'failed' | 'aborted';

/** What was expected, and what was observed. */
export interface ExpectationResult {
  /** As it was written. */
  text: string;
  ok: boolean;
  /** What was seen instead, or as well: a figure with its unit, a word. */
  observed: string;
  /** What led to it, a sentence each; may be empty. */
  detail: string[];
}

/**
 * A run, whole: every report is derived from this and nothing else. It holds nothing but JSON, and its schema is published
 * as schemas/run-record.schema.json. Keys may be added; none changes its meaning without another `schemaVersion`.
 */
export interface RunRecord {
  schemaVersion: typeof RUN_RECORD_SCHEMA_VERSION;
  /** The version of Standstill that wrote it. */
  standstill: string;
  name: string;
  /** A run with it repeats this one's choices; null where nothing was left to chance. */
  seed: number | null;
  /** ISO 8601. */
  startedAt: string;
  durationNs: number;
  machine: MachineDescription;
  result: RunResult;
  /** What ended the run before its end; null where nothing did. */
  error: { code: string | null; message: string } | null;
  /** The event log of its host or fleet. */
  log: readonly LogEntry<RunEvent>[];
  /** In the order in which they ended: the k-th of a host belongs to the k-th 'maintenance-end' of it in the log. */
  maintenances: { host: string; report: MaintenanceReport }[];
  rollouts: RolloutReport[];
  /** Of real programs that were frozen without a host. */
  processes: ProcessRunReport[];
  probes: ProbeSummary[];
  expectations: ExpectationResult[];
}

/** What a run has to say for itself; the rest is known or empty. */
export type RunFacts = Pick<RunRecord, 'name' | 'seed' | 'startedAt' | 'durationNs' | 'result' | 'log'> &
  Partial<Pick<RunRecord, 'error' | 'maintenances' | 'rollouts' | 'processes' | 'probes' | 'expectations'>>;

/** The record of a run on this machine, by this version. */
export const runRecord = (facts: RunFacts): RunRecord => ({
  schemaVersion: RUN_RECORD_SCHEMA_VERSION,
  standstill: packageVersion(),
  machine: describeMachine(),
  error: null,
  maintenances: [],
  rollouts: [],
  processes: [],
  probes: [],
  expectations: [],
  ...facts,
});
