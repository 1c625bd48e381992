import type { FreezableVm } from '../vm/guest-kind.js';
import type { CheckResult } from '../vm/vm.js';
import type { FreezeRecord, ImpactJournal, ParsedFreezeSettings } from './freeze-scope.js';
import type { ProofTerms } from './proof.js';
import type { Prover } from './prover.js';
import type { Bootable } from './reboot.js';
import type { ProcessReport, TickerImpact, VmReport } from './report.js';

/**
 * What a maintenance asks of one of its VMs, and each kind of guest answers in its own way. Made anew for each
 * maintenance.
 */
export interface MaintainedGuest {
  readonly vm: FreezableVm;
  /** Its memory's proof over one freeze. */
  prover(terms: ProofTerms, stop: AbortSignal): Prover;
  /** Remembers, while it runs and before it is impacted, what `inspect` compares with. */
  observe(): Promise<void>;
  /** Looks at it once it runs again. */
  inspect(terms: InspectionTerms, stop: AbortSignal): Promise<Inspected>;
  /** What a freeze's record says of its steps and its clock; undefined: it was restarted instead. */
  measured(record: FreezeRecord | undefined): Measured;
  /** How it is restarted. */
  bootable(): Promise<Bootable>;
}

export type InspectionTerms = ParsedFreezeSettings & {
  /** Whether its invariants are walked, where it has any. */
  readonly check: boolean;
  /** Where an inspection that halts the guest is written down. */
  readonly journal: ImpactJournal;
};

export interface Inspected {
  /** Undefined where the walk was not asked for, or the VM was closed or taken by somebody else meanwhile. */
  readonly check: CheckResult | undefined;
  readonly ticker: TickerImpact | null;
  /** What is wrong with the guest itself, that it has ended for instance; null where nothing is known to be. */
  readonly problem: string | null;
  /** Null for an emulated guest, and for a VM that is closed. */
  readonly process: ProcessReport | null;
}

/** Null where a guest of that kind has no such thing. */
export type Measured = Pick<
  VmReport,
  'stepsBefore' | 'stepsAfter' | 'clockLagBeforeNs' | 'clockLagAfterNs' | 'clockBracketNs' | 'syncedBy'
>;
