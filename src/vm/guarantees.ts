import { StandstillError } from '../base/errors.js';

/** What a freeze promises the clocks of its guest. */
export type ClockGuarantee = 'monotonic-stands-still' | 'wall-lags-until-synchronised' | 'timers-do-not-expire';

/** What can be said of the clocks of a kind of guest. */
export interface ClockGuarantees {
  /** That hold for this kind of guest. */
  readonly holds: readonly ClockGuarantee[];
  readonly doesNotHold: readonly ClockGuarantee[];
  /** What it means for the guest, in a sentence. */
  readonly summary: string;
}

const ALL: readonly ClockGuarantee[] = [
  'monotonic-stands-still',
  'wall-lags-until-synchronised',
  'timers-do-not-expire',
];

/** The clock of an emulated guest is the engine's to stop. */
export const EMULATED_CLOCKS: ClockGuarantees = {
  holds: ALL,
  doesNotHold: [],
  summary:
    'Monotonic time stands still during the freeze, and no timer expires; wall time lags by the freeze until it is ' +
    'synchronised after the resume.',
};

/** A frozen process shares the clocks of its host, which nobody stops. */
export const PROCESS_CLOCKS: ClockGuarantees = {
  holds: [],
  doesNotHold: ALL,
  summary:
    'The guest is a process of this host and reads its clocks: monotonic and wall time advance during the freeze, and ' +
    'timers that come due fire at the resume. In a VM, monotonic time stands still.',
};

/** For assertions on clocks: refuses to be asked what does not hold for this kind of guest, with ERR_NOT_SUPPORTED. */
export function assertGuaranteed(clocks: ClockGuarantees, guarantee: ClockGuarantee, vmName: string): void {
  if (clocks.holds.includes(guarantee)) return;
  throw new StandstillError(
    'ERR_NOT_SUPPORTED',
    `Expected a guest with the guarantee '${guarantee}' but VM '${vmName}' is without it: ${clocks.summary}`,
  );
}
