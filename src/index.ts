export { ERROR_CODES, type ErrorCode } from './base/error-codes.js';
export { isStandstillError, StandstillError } from './base/errors.js';
export {
  EventLog,
  type EventLogOptions,
  type FollowOptions,
  type LogEntry,
  type LogEvent,
  type LogStamp,
  type LogStorage,
} from './base/event-log.js';
export type { Progress, ProgressOptions } from './base/progress.js';
export type { BenchCase, MetricDraft, ReferenceDraft, Side } from './bench/case.js';
export { type BenchDefinition, defineBench, type UserBenchContext } from './bench/define.js';
export {
  type BenchMetric,
  type BenchResult,
  benchResultJsonSchema,
  benchResultSchema,
} from './bench/result-schema.js';
export type { Series as BenchSeries } from './bench/series.js';
export {
  type BundleHead,
  type BundleOptions,
  checkBundle,
  createBundle,
  readBundleHead,
  signBundle,
} from './components/bundle.js';
export type { JournalRecord, JournalStep } from './components/journal.js';
export { type BundleSignature, generateKeyPair, type KeyPairPem, readKey } from './components/keys.js';
export type { BundleFile, BundleManifest, ImpactClass } from './components/manifest.js';
export type { Component, ComponentStore, InstallOptions, RecoveryRecord } from './components/store.js';
export { DashboardServer } from './dashboard/dashboard-server.js';
export type { DashboardOptions } from './dashboard/options.js';
export {
  assertOneDomainAtATime,
  checkRollout,
  type RolloutCheck,
  type RolloutCheckOptions,
  type RolloutViolation,
} from './fleet/check-rollout.js';
export type { FleetEvent, FleetHappening } from './fleet/events.js';
export { Fleet } from './fleet/fleet.js';
export type {
  AvailabilitySetOptions,
  FleetHost,
  FleetOptions,
  FleetProcessVmOptions,
  FleetVmOptions,
  HostSettings,
} from './fleet/options.js';
export type { AvailabilitySet, HostPlace, VmPlace } from './fleet/placement.js';
export type { Applied, Direction, RolloutEvent, RolloutHappening, StopReason } from './fleet/rollout-events.js';
export type {
  AppliedProbe,
  HealthProbe,
  HostMaintainer,
  ResumeOptions,
  RolloutControl,
  RolloutOptions,
} from './fleet/rollout-options.js';
export type { FailurePolicy, PlannedPatch, RolloutPlan, RolloutStep } from './fleet/rollout-plan.js';
export {
  type BlackoutSummary,
  type DomainReport,
  type HostRolloutReport,
  type InvariantReport,
  ROLLOUT_REPORT_SCHEMA_VERSION,
  type RolloutReport,
  type VmRolloutReport,
} from './fleet/rollout-report.js';
export type { RolloutStatus } from './fleet/rollout-state.js';
export type { HostEvent, HostHappening } from './host/events.js';
export { type FreezeOptions, Host, type SnapshotMemory } from './host/host.js';
export type { HostOptions } from './host/options.js';
export type { FreezeReport, FrozenVmReport, FrozenWatch, WhileFrozenOptions } from './host/while-frozen.js';
export { type DuringOptions, during, type MaintenanceWatch } from './maintenance/during.js';
export type { MaintenanceEvent, MaintenancePhase } from './maintenance/events.js';
export type {
  FreezeCause,
  FreezeRecord,
  FreezeScope,
  FreezeSettings,
} from './maintenance/freeze-scope.js';
export type { Maintenance } from './maintenance/handle.js';
export type { Hook, HookContext, Probe, ProbeReport } from './maintenance/health.js';
export type { NoticeReport } from './maintenance/notice.js';
export type { AnnouncedImpact, ImpactNotice, ImpactNotifier } from './maintenance/notifier.js';
export type { FlipBitFault, MaintenanceOptions } from './maintenance/options.js';
export { definePatch, type PatchContext, type PatchModule, type PatchProgress } from './maintenance/patch-module.js';
export type { PatchSpec, RollbackSpec } from './maintenance/patch-source.js';
export type { Phases } from './maintenance/phases.js';
export type { PatchPlan, PatchRefusal, PlannedMaintenance, RefusalReason } from './maintenance/plan.js';
export type { ChangedBytes, ChangedPages, MemoryProof, MemoryVerdict, Proof } from './maintenance/proof.js';
export {
  type MaintenanceReport,
  type PatchReport,
  type PatchStatus,
  type ProcessReport,
  REPORT_SCHEMA_VERSION,
  type TickerImpact,
  type UpdateReport,
  type VmReport,
} from './maintenance/report.js';
export type { SecondImpactReport } from './maintenance/second-impact.js';
export type { UpdateOutcome } from './maintenance/update-session.js';
export type { MaintenanceResult } from './maintenance/verdict.js';
export { type HostMetrics, hostMetrics } from './metrics/host-metrics.js';
export type { ResumedBy, SyncMode, VmState } from './native/contract.js';
export { type ProbeEvent, type ProbePhase, probeEntries } from './probe/events.js';
export {
  type CallTarget,
  type CheckTarget,
  type CommandTarget,
  type HttpTarget,
  type ModuleTarget,
  PROBE_KINDS,
  type ProbeKind,
  type ProbeSpec,
  type ProbeTarget,
  type TcpTarget,
} from './probe/options.js';
export { type ProbedLog, Probes, type ProbesOptions, startProbes } from './probe/probes.js';
export type { ProbeAnswers, ProbeLatency, ProbeSummary } from './probe/summary.js';
export {
  PROCESS_REPORT_SCHEMA_VERSION,
  type ProcessFreezeReport,
  type ProcessRunReport,
} from './process/freeze-run.js';
export type { ProcessEnding } from './process/guest.js';
export type { LogLine } from './process/log-tail.js';
export { describeDifference, type MemoryDifference, type ProcessMemoryImage } from './process/memory-image.js';
export {
  FREEZERS,
  type Freezer,
  type GuestNetwork,
  type ProcessVmOptions,
  type PublishedPort,
  type Readiness,
} from './process/options.js';
export type { ProcessFreeze, ProcessFreezeOptions } from './process/process-freeze.js';
export type { ProcessStats } from './process/process-stats.js';
export { ProcessVm, type TerminateOptions } from './process/process-vm.js';
export type { ChosenFreezer } from './process/supervisor.js';
export {
  type ExpectationResult,
  RUN_RECORD_SCHEMA_VERSION,
  type RunEvent,
  type RunFacts,
  type RunRecord,
  type RunResult,
  runRecord,
} from './report/record.js';
export { parseRunRecord, runRecordJsonSchema } from './report/record-schema.js';
export { type ReportFormat, renderReport, reportFormatOf } from './report/render.js';
export type { RunHappening } from './report/run-happening.js';
export type { Expectation } from './scenario/expectation.js';
export { type ParseOptions as ScenarioParseOptions, parseScenario, readScenario } from './scenario/parse.js';
export { type LocatedProblem, ScenarioError, type ScenarioProblem } from './scenario/problem.js';
export { type RunScenarioOptions, runScenario } from './scenario/run/run.js';
export type {
  Scenario,
  ScenarioFault,
  ScenarioHost,
  ScenarioMetadata,
  ScenarioPatch,
  ScenarioProbe,
  ScenarioSet,
  ScenarioVm,
  ScheduleEntry,
} from './scenario/scenario.js';
export type { Announcement } from './scheduled-events/announcement.js';
export { type ControlOptions, ControlServer } from './scheduled-events/control-server.js';
export {
  EVENT_SOURCES,
  EVENT_TYPES,
  type EventSource,
  type EventStatus,
  type EventType,
  type ScheduledEvent,
} from './scheduled-events/event.js';
export type { MetadataEvent, RemovalReason } from './scheduled-events/events.js';
export type { GuestRequest } from './scheduled-events/guest-view.js';
export type { GuestImpacts } from './scheduled-events/impacts.js';
export type { InstanceOptions } from './scheduled-events/instance.js';
export { type AnnouncedEvent, type GuestOptions, MetadataServer } from './scheduled-events/metadata-server.js';
export type { MetadataOptions } from './scheduled-events/options.js';
export type {
  EventEnd,
  HardwareFailureOptions,
  RaisedEvent,
  RaiseOptions,
  SecondImpact,
} from './scheduled-events/raise.js';
export type { EventState, GuestState, MetadataState } from './scheduled-events/state.js';
export type { Acknowledgement, Due } from './scheduled-events/store.js';
export type { TokenEndpointOptions } from './scheduled-events/token-endpoint.js';
export { EVENT_API_VERSIONS, type EventApiVersion } from './scheduled-events/versions.js';
export { compactSnapshotFiles } from './snapshot/compact.js';
export { diffSnapshotFiles, type PageRange } from './snapshot/diff.js';
export type { SnapshotDamage } from './snapshot/file.js';
export { inspectSnapshotFile, PAGE_KINDS, type PageKind, type SnapshotFileInfo } from './snapshot/inspect.js';
export type { SaveOptions } from './snapshot/save.js';
export {
  type SnapshotCost,
  type SnapshotLoadOptions,
  type SnapshotSaveOptions,
  type SnapshotUsage,
  VmSnapshot,
} from './snapshot/snapshot.js';
export { type SnapshotVerification, verifySnapshotFile } from './snapshot/verify.js';
export type { ClockSyncOptions } from './vm/clock-sync.js';
export {
  type DeterminismOptions,
  type DeterminismReport,
  type DeterminismRun,
  verifyDeterminism,
} from './vm/determinism.js';
export { EmulatedVm } from './vm/emulated-vm.js';
export type { VmEvent } from './vm/events.js';
export {
  assertGuaranteed,
  type ClockGuarantee,
  type ClockGuarantees,
  EMULATED_CLOCKS,
  PROCESS_CLOCKS,
} from './vm/guarantees.js';
export type { VmOptions } from './vm/options.js';
export { type GuestProgram, type GuestProgramParam, guestPrograms, type ProgramParams } from './vm/programs.js';
export type { CloneOptions, RestoreOptions } from './vm/restore-options.js';
export { STATE_TABLE, type VmOperation, type VmOutcome } from './vm/state-table.js';
export type {
  CheckResult,
  DigestOptions,
  EpochResult,
  ExploreOptions,
  ExploreResult,
  MemoryDigest,
  PauseLatency,
  PauseOptions,
  RollbackResult,
  SnapshotOptions,
  TickerStats,
  Vm,
  VmClock,
  VmStats,
} from './vm/vm.js';
