import type { PatchProgress } from './patch-module.js';

/** The phases of a maintenance, of which those that do not apply are left out. */
export type MaintenancePhase =
  | 'notify'
  | 'pre-stage'
  | 'quiesce'
  | 'shut-down'
  | 'restart'
  | 'freeze'
  | 'digest-at-halt'
  | 'patch'
  | 'digest-at-release'
  | 'release'
  | 'clock-sync'
  | 'digest-after-release'
  | 'check'
  | 'commit'
  | 'done';

/** What a maintenance tells while it is under way. */
export type MaintenanceEvent =
  | { readonly type: 'phase'; readonly phase: MaintenancePhase }
  | ({ readonly type: 'patch-progress'; readonly patch: string } & PatchProgress)
  | { readonly type: 'patch-end'; readonly patch: string; readonly ok: boolean; readonly durationNs: number };
