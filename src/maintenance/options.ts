import { z } from 'zod';
import { wholeNumber } from '../base/options.js';
import type { Vm } from '../vm/vm.js';
import type { MaintenanceEvent } from './events.js';
import { type FreezeSettings, freezeFields, type ImpactJournal } from './freeze-scope.js';
import type { MaintainedGuest } from './guest.js';
import { guardTimeoutSchema, type Hook, hookSchema, type Probe, probeSchema } from './health.js';
import type { ImpactNotifier } from './notifier.js';
import { hostPatchSchema, type PatchSpec, type RollbackSpec } from './patch-source.js';
import type { PlanningContext } from './plan.js';
import type { Proof } from './proof.js';

const SAMPLE_SHARE_DEFAULT = 0.1;
const EXPECTED_PROOF = "'deferred', 'full', 'sampled' or 'none'";
const EXPECTED_SHARE = 'a number above 0, up to 1';
const EXPECTED_SEED = 'a whole number from 0 to 2^53 − 1';
const EXPECTED_ADDRESS = 'a whole number, 0 or more';
const EXPECTED_LAG = 'milliseconds above 0';
const EXPECTED_MS = 'milliseconds up to 86400000';
const DAY_MS = 24 * 3_600_000;
const HOOK_TIMEOUT_MS_DEFAULT = 10_000;
const CLOCK_LAG_MS_MAX_DEFAULT = 100;

const faultSchema = z.strictObject({
  kind: z.literal('flip-bit', "'flip-bit'"),
  vm: z.string('the name of a VM'),
  gpa: z.number(EXPECTED_ADDRESS).int(EXPECTED_ADDRESS).nonnegative(EXPECTED_ADDRESS),
  bit: wholeNumber(0, 7),
});

const isNotifier = (value: unknown) => typeof (value as ImpactNotifier | null)?.announce === 'function';

const secondImpactSchema = z.strictObject({
  afterMs: z.number(EXPECTED_MS).min(0, EXPECTED_MS).max(DAY_MS, EXPECTED_MS),
  durationMs: z.number(EXPECTED_MS).positive(EXPECTED_MS).max(DAY_MS, EXPECTED_MS),
});

/** `vms` are the host's to look up, so they are checked there. */
export const maintenanceSchema = z.strictObject({
  ...freezeFields,
  vms: z.array(z.custom<Vm>(), 'an array of VMs').optional(),
  patches: z.array(hostPatchSchema, 'an array of patches').default([]),
  proof: z.enum(['deferred', 'full', 'sampled', 'none'], EXPECTED_PROOF).default('deferred'),
  sampleShare: z.number(EXPECTED_SHARE).positive(EXPECTED_SHARE).max(1, EXPECTED_SHARE).default(SAMPLE_SHARE_DEFAULT),
  keepBytes: z.boolean('true or false').default(false),
  seed: z.number(EXPECTED_SEED).int(EXPECTED_SEED).nonnegative(EXPECTED_SEED).default(0),
  check: z.boolean('true or false').default(true),
  faults: z.array(faultSchema, 'an array of faults').default([]),
  signal: z.instanceof(AbortSignal, { error: 'an AbortSignal' }).optional(),
  allowReboot: z.boolean('true or false').default(false),
  preStage: z.boolean('true or false').default(true),
  probes: z.array(probeSchema, 'an array of probes').default([]),
  onBeforeFreeze: hookSchema.optional(),
  onAfterResume: hookSchema.optional(),
  hookTimeoutMs: guardTimeoutSchema.default(HOOK_TIMEOUT_MS_DEFAULT),
  clockLagMsMax: z.number(EXPECTED_LAG).positive(EXPECTED_LAG).default(CLOCK_LAG_MS_MAX_DEFAULT),
  secondImpact: secondImpactSchema.optional(),
  notifier: z.custom<ImpactNotifier>(isNotifier, 'a notifier').optional(),
  onEvent: z.custom<(event: MaintenanceEvent) => void>((value) => typeof value === 'function', 'a function').optional(),
});

export type ParsedMaintenance = z.output<typeof maintenanceSchema>;

/** A deliberate fault inside the freeze, right after the digest at the halt: one bit of RAM, behind the guest's back. */
export interface FlipBitFault {
  kind: 'flip-bit';
  /** The name of one of the maintained VMs, an emulated one. */
  vm: string;
  /** Guest physical address of the byte. */
  gpa: number;
  /** 0 to 7. */
  bit: number;
}

/** What is done to a host, and within which limits. Unknown options are refused with ERR_UNKNOWN_OPTION. */
export interface MaintenanceOptions extends FreezeSettings {
  /** Default: every VM of the host that is not closed. */
  vms?: readonly Vm[] | undefined;
  /**
   * Modules, bundles and rollbacks of components, applied in this order, one after the other, but each bundle behind those
   * that it depends on; none runs after one that failed. All bundles and rollbacks are kept, or none. Default: none.
   */
  patches?: readonly (PatchSpec | RollbackSpec)[] | undefined;
  /**
   * How memory is proved. Default 'deferred': all of it, for a blackout in proportion to the pages written last; but of a
   * process all of it inside the freeze, unless 'none'.
   */
  proof?: Proof | undefined;
  /** Share of the pages that a sampled proof reads, above 0 up to 1. Default 0.1. */
  sampleShare?: number | undefined;
  /**
   * Keep memory as it was at the halt, so that the report shows what changed by its bytes. It takes a snapshot inside the
   * freeze, and its memory; where there is no room for it, the proof goes without. For 'full' and 'sampled'. Default false.
   */
  keepBytes?: boolean | undefined;
  /** Chooses those pages, 0 to 2^53 − 1. Default 0. */
  seed?: number | undefined;
  /** Walk the guests' invariants after the resume; it halts each VM once more. Default true. */
  check?: boolean | undefined;
  /** Negative controls. Default: none. */
  faults?: readonly FlipBitFault[] | undefined;
  /** Aborting it resumes the VMs at once, whatever the phase, and the operation rejects with ERR_ABORTED. */
  signal?: AbortSignal | undefined;
  /** Let a patch of class 'reboot' restart the VMs: their memory is then lost. Default false: it is refused. */
  allowReboot?: boolean | undefined;
  /** Extract and verify bundles before the freeze. Default true; false shows what that saves. */
  preStage?: boolean | undefined;
  /** Asked after the resume whether all is well. What does not hold takes the bundles back. Default: none. */
  probes?: readonly Probe[] | undefined;
  /** Awaited right before the freeze. Where it throws or hangs, nothing is frozen: ERR_HOOK_FAILED, ERR_HOOK_TIMEOUT. */
  onBeforeFreeze?: Hook | undefined;
  /** Awaited once the VMs run again with their clocks right. Where it throws or hangs, the bundles are taken back. */
  onAfterResume?: Hook | undefined;
  /** Of each of the two, in milliseconds above 0, up to an hour; default 10,000. */
  hookTimeoutMs?: number | undefined;
  /** How far a clock that was stepped may be off afterwards, in milliseconds; default 100. */
  clockLagMsMax?: number | undefined;
  /** Freezes the VMs once more, as a cloud may while its event is Started: so long after the commit, for so long. */
  secondImpact?: { afterMs: number; durationMs: number } | undefined;
  /** Told of the impact before it happens; the freeze waits until it is due. Default: nobody is told. */
  notifier?: ImpactNotifier | undefined;
  /**
   * Called synchronously as things happen, some of it inside the blackout: return quickly. What it throws aborts the
   * maintenance, which then rejects with it.
   */
  onEvent?: ((event: MaintenanceEvent) => void) | undefined;
}

/** What the operation works on: options that are valid, the VMs they mean, and what is to be done. */
export interface MaintenancePlan extends ParsedMaintenance {
  readonly targets: readonly MaintainedGuest[];
  readonly context: PlanningContext;
  readonly journal: ImpactJournal;
}
