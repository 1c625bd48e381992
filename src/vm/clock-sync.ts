import { z } from 'zod';
import { NS_PER_MS } from '../base/units.js';
import type { NativeClockSync, SyncMode } from '../native/contract.js';

const DELAY_MS_MAX = 24 * 3_600_000;
const SLEW_PPM_MAX = 100_000;
const EXPECTED_DELAY = `milliseconds from 0 to ${DELAY_MS_MAX}`;
const EXPECTED_SLEW = `a whole number of parts per million from 1 to ${SLEW_PPM_MAX}`;

export const clockSyncSchema = z.strictObject({
  mode: z.enum(['step', 'slew', 'off'], "'step', 'slew' or 'off'").default('step'),
  delayMs: z.number(EXPECTED_DELAY).min(0, EXPECTED_DELAY).max(DELAY_MS_MAX, EXPECTED_DELAY).default(0),
  slewPpm: z
    .number(EXPECTED_SLEW)
    .int(EXPECTED_SLEW)
    .min(1, EXPECTED_SLEW)
    .max(SLEW_PPM_MAX, EXPECTED_SLEW)
    .default(500),
});

/** How a guest's wall clock catches up with its host's after a pause. */
export interface ClockSyncOptions {
  /** At once, at a limited rate, or not at all. Default 'step'; where that would go backward, it is a slew. */
  mode?: SyncMode | undefined;
  /** From the resume to the synchronisation, in milliseconds, 0 to 24 h. Default 0. */
  delayMs?: number | undefined;
  /** Rate of a slew in parts per million of guest time, a whole number from 1 to 100,000. Default 500. */
  slewPpm?: number | undefined;
}

export const nativeClockSync = (policy: z.output<typeof clockSyncSchema>): NativeClockSync => ({
  mode: policy.mode,
  delayNs: Math.round(policy.delayMs * NS_PER_MS),
  slewPpm: policy.slewPpm,
});
