import { z } from 'zod';
import type { EmulatedVm } from '../vm/emulated-vm.js';
import type { Vm } from '../vm/vm.js';
import type { MaintenanceEvent } from './events.js';
import { type FreezeJournal, type FreezeSettings, freezeFields } from './freeze-scope.js';
import type { ImpactNotifier } from './notifier.js';
import { type PatchSpec, patchSchema } from './patch-source.js';
import type { Proof } from './proof.js';

const SAMPLE_SHARE_DEFAULT = 0.1;
const EXPECTED_PROOF = "'deferred', 'full', 'sampled' or 'none'";
const EXPECTED_SHARE = 'a number above 0, up to 1';
const EXPECTED_SEED = 'a whole number from 0 to 2^53 − 1';
const EXPECTED_ADDRESS = 'a whole number, 0 or more';
const EXPECTED_BIT = 'a whole number from 0 to 7';

const faultSchema = z.strictObject({
  kind: z.literal('flip-bit', "'flip-bit'"),
  vm: z.string('the name of a VM'),
  gpa: z.number(EXPECTED_ADDRESS).int(EXPECTED_ADDRESS).nonnegative(EXPECTED_ADDRESS),
  bit: z.number(EXPECTED_BIT).int(EXPECTED_BIT).min(0, EXPECTED_BIT).max(7, EXPECTED_BIT),
});

/** `vms` are the host's to look up, so they are checked there. */
export const maintenanceSchema = z.strictObject({
  ...freezeFields,
  vms: z.array(z.custom<Vm>(), 'an array of VMs').optional(),
  patches: z.array(patchSchema, 'an array of patches').default([]),
  proof: z.enum(['deferred', 'full', 'sampled', 'none'], EXPECTED_PROOF).default('deferred'),
  sampleShare: z.number(EXPECTED_SHARE).positive(EXPECTED_SHARE).max(1, EXPECTED_SHARE).default(SAMPLE_SHARE_DEFAULT),
  seed: z.number(EXPECTED_SEED).int(EXPECTED_SEED).nonnegative(EXPECTED_SEED).default(0),
  check: z.boolean('true or false').default(true),
  faults: z.array(faultSchema, 'an array of faults').default([]),
  signal: z.instanceof(AbortSignal, { error: 'an AbortSignal' }).optional(),
  onEvent: z.custom<(event: MaintenanceEvent) => void>((value) => typeof value === 'function', 'a function').optional(),
});

export type ParsedMaintenance = z.output<typeof maintenanceSchema>;

/** A deliberate fault inside the freeze, right after the digest at the halt: one bit of RAM, behind the guest's back. */
export interface FlipBitFault {
  kind: 'flip-bit';
  /** The name of one of the maintained VMs. */
  vm: string;
  /** Guest physical address of the byte. */
  gpa: number;
  /** 0 to 7. */
  bit: number;
}

export interface MaintenanceOptions extends FreezeSettings {
  /** Default: every VM of the host that is not closed. */
  vms?: readonly Vm[] | undefined;
  /** Applied in this order, one after the other; none runs after one that failed. Default: none. */
  patches?: readonly PatchSpec[] | undefined;
  /** How memory is proved. Default 'deferred': all of it, for a blackout in proportion to the pages written last. */
  proof?: Proof | undefined;
  /** Share of the pages that a sampled proof reads, above 0 up to 1. Default 0.1. */
  sampleShare?: number | undefined;
  /** Chooses those pages, 0 to 2^53 − 1. Default 0. */
  seed?: number | undefined;
  /** Walk the guests' invariants after the resume; it halts each VM once more. Default true. */
  check?: boolean | undefined;
  /** Negative controls. Default: none. */
  faults?: readonly FlipBitFault[] | undefined;
  /** Aborting it resumes the VMs at once, whatever the phase, and the operation rejects with ERR_ABORTED. */
  signal?: AbortSignal | undefined;
  /**
   * Called synchronously as things happen, some of it inside the blackout: return quickly. What it throws aborts the
   * maintenance, which then rejects with it.
   */
  onEvent?: ((event: MaintenanceEvent) => void) | undefined;
}

/** What the operation works on: options that are valid, and the VMs they mean. */
export interface MaintenancePlan extends ParsedMaintenance {
  readonly targets: readonly EmulatedVm[];
  readonly journal: FreezeJournal;
  /** Tells guests of it, and waits until it may begin. Undefined: nobody is told. */
  readonly notifier: ImpactNotifier | undefined;
}
