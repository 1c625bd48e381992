import type { Proof } from '../maintenance/proof.js';
import type { Freezer, GuestNetwork, PublishedPort, Readiness } from '../process/options.js';
import type { EventSource, EventType } from '../scheduled-events/event.js';
import type { ClockSyncOptions } from '../vm/clock-sync.js';
import type { Expectation } from './expectation.js';

/**
 * A scenario, resolved: times are milliseconds, sizes bytes, paths absolute; each VM by itself, each name one that is there.
 * What is null was not given.
 */
export interface Scenario {
  readonly name: string;
  /** The absolute path of its file. */
  readonly path: string;
  readonly seed: number | null;
  readonly budgetMs: number;
  readonly proof: Proof;
  /** How long it runs; null: until its schedule is done. */
  readonly durationMs: number | null;
  readonly hosts: readonly ScenarioHost[];
  readonly updateDomains: number;
  readonly faultDomains: number;
  readonly sets: readonly ScenarioSet[];
  readonly vms: readonly ScenarioVm[];
  readonly metadata: ScenarioMetadata | null;
  readonly patches: readonly ScenarioPatch[];
  readonly schedule: readonly ScheduleEntry[];
  readonly faults: readonly ScenarioFault[];
  readonly probes: readonly ScenarioProbe[];
  readonly expect: readonly Expectation[];
}

/** A host of the fleet, and what is installed on it. */
export interface ScenarioHost {
  readonly name: string;
  readonly components: readonly ScenarioComponent[];
  /** Paths of public keys. */
  readonly trust: readonly string[];
}

export interface ScenarioComponent {
  readonly component: string;
  readonly version: string;
  /** A folder; null: a file is made. */
  readonly files: string | null;
}

/** An availability set. */
export interface ScenarioSet {
  readonly name: string;
  readonly updateDomains: number;
  readonly faultDomains: number;
}

/** A VM, and what runs in it. */
export interface ScenarioVm {
  readonly name: string;
  /** The entry of the file that it is of: its own name, or that of an entry with a count. */
  readonly group: string;
  readonly set: string | null;
  readonly pinned: boolean;
  readonly guest: EmulatedGuest | ProcessGuest;
}

export interface EmulatedGuest {
  readonly kind: 'program';
  readonly program: string;
  readonly ramBytes: number;
  readonly params: Readonly<Record<string, number | string>>;
  readonly dutyCycle: number;
  readonly clockSync: ClockSyncOptions;
}

export interface ProcessGuest {
  readonly kind: 'process';
  /** For /bin/sh. */
  readonly command: string;
  /** Its working folder. */
  readonly directory: string;
  /** Beside that of this process. */
  readonly env: Readonly<Record<string, string>>;
  readonly ready: Readiness | null;
  readonly readyTimeoutMs: number;
  readonly freezer: Freezer;
  readonly restart: 'never' | 'on-failure' | 'always';
  readonly network: GuestNetwork;
  /** Host port 0: any that is free. */
  readonly publish: readonly PublishedPort[];
}

/** How the metadata service keeps time. */
export interface ScenarioMetadata {
  readonly noticeMs: number;
  readonly settleMs: number;
  readonly enablingDelayMs: number;
  readonly timeScale: number;
}

/** What maintenances and rollouts apply. */
export type ScenarioPatch = { readonly name: string } & (
  | { readonly kind: 'module'; readonly module: string; readonly options: unknown }
  | { readonly kind: 'bundle'; readonly bundle: string }
  | { readonly kind: 'builtin'; readonly builtin: 'decompress' | 'verify' | 'replace' }
);

/** A moment of the schedule, and what happens then. */
export interface ScheduleEntry {
  /** Unique. */
  readonly id: string;
  readonly start: Start;
  /** From one time to the next; null where it happens once. */
  readonly everyMs: number | null;
  readonly times: number;
  /** Each time up to so much later, drawn from the seed. */
  readonly jitterMs: number;
  readonly action: Action;
}

/** From when on; `atMs` since all guests run and are ready. */
export type Start =
  | { readonly kind: 'at'; readonly atMs: number }
  /** So long after an entry has ended for the last time. */
  | { readonly kind: 'after-entry'; readonly entry: string; readonly delayMs: number }
  /** So long after the event log has such an entry for the first time. */
  | { readonly kind: 'after-event'; readonly type: string; readonly delayMs: number };

export type Action = MaintenanceAction | RolloutAction | FreezeAction | PauseAction | EventAction;

export interface MaintenanceAction {
  readonly kind: 'maintenance';
  readonly host: string;
  /** Names of VMs; null: all of the host's. */
  readonly vms: readonly string[] | null;
  /** Names of patches, in their order. */
  readonly patches: readonly string[];
  readonly budgetMs: number;
  readonly secondImpact: SecondImpact | null;
  readonly allowReboot: boolean;
}

export interface RolloutAction {
  readonly kind: 'rollout';
  /** Null: all hosts. */
  readonly sets: readonly string[] | null;
  readonly patches: readonly string[];
  readonly rollbackPatches: readonly string[];
  readonly order: readonly number[] | null;
  readonly pauseBetweenMs: number;
  /** Null: all of a domain. */
  readonly hostsAtOnce: number | null;
  readonly onFailure: 'stop' | 'rollback';
  readonly budgetMs: number;
  readonly allowReboot: boolean;
}

export interface FreezeAction {
  readonly kind: 'freeze';
  readonly vms: readonly string[];
  readonly durationMs: number;
}

/** Of 'resume': VMs that are paused. */
export interface PauseAction {
  readonly kind: 'pause' | 'resume';
  readonly vms: readonly string[];
}

/** What is null is the metadata service's default. */
export interface EventAction {
  readonly kind: 'event';
  /** Null: a failure of the hardware. */
  readonly type: EventType | null;
  /** Null: all. */
  readonly vms: readonly string[] | null;
  readonly noticeMs: number | null;
  readonly durationMs: number | null;
  readonly settleMs: number | null;
  readonly source: EventSource | null;
  readonly description: string | null;
  readonly second: SecondImpact | null;
  /** Null: it is not withdrawn. */
  readonly cancelAfterMs: number | null;
}

export interface SecondImpact {
  readonly afterMs: number;
  readonly durationMs: number;
}

/** What goes wrong on purpose. `host` null: on each. */
export type ScenarioFault =
  | { readonly kind: 'patch-hang' | 'patch-fail'; readonly patch: string; readonly host: string | null }
  | { readonly kind: 'health-fail'; readonly vms: readonly string[] }
  | { readonly kind: 'metadata'; readonly vms: readonly string[]; readonly steps: readonly (string | number)[] }
  | { readonly kind: 'late-resume'; readonly byMs: number; readonly host: string | null }
  | { readonly kind: 'flip-bit'; readonly vm: string };

/** What is asked beside the schedule. */
export interface ScenarioProbe {
  readonly name: string;
  readonly kind: 'continuous' | 'start' | 'end' | 'edge';
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly target:
    | { readonly http: string; readonly expectText?: string | undefined }
    | { readonly tcp: string; readonly send?: string | undefined; readonly expectText?: string | undefined }
    | { readonly command: string }
    | { readonly module: string; readonly options?: unknown }
    /** The name of a VM. */
    | { readonly check: string };
  /** The run is aborted where the share of good answers is below; null: never. */
  readonly abort: { readonly okShareMin: number; readonly windowMs?: number | undefined } | null;
}
