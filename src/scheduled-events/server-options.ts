import { z } from 'zod';

const EXPECTED_CONNECTIONS = 'a whole number from 1 to 100000';
const EXPECTED_TIMEOUT = 'milliseconds from 1 to 3600000';
const EXPECTED_RATE = 'a whole number from 0 to 100000';

const rateSchema = z.number(EXPECTED_RATE).int(EXPECTED_RATE).min(0, EXPECTED_RATE).max(100_000, EXPECTED_RATE);

/** The fields of a schema that limit a VM's server. */
export const limitFields = {
  connectionsMax: z
    .number(EXPECTED_CONNECTIONS)
    .int(EXPECTED_CONNECTIONS)
    .min(1, EXPECTED_CONNECTIONS)
    .max(100_000, EXPECTED_CONNECTIONS)
    .default(100),
  requestTimeoutMs: z
    .number(EXPECTED_TIMEOUT)
    .min(1, EXPECTED_TIMEOUT)
    .max(3_600_000, EXPECTED_TIMEOUT)
    .default(10_000),
  eventRequestsPerSecond: rateSchema.default(0),
  instanceRequestsPerSecond: rateSchema.default(5),
};

export type ServerLimits = z.output<z.ZodObject<typeof limitFields>>;

export interface ServerLimitOptions {
  /** Connections to one VM's server at a time, 1 to 100,000; one more is closed at once. Default 100. */
  connectionsMax?: number | undefined;
  /** How long a request may take to arrive whole, in milliseconds; then 408. Checked each second. Default 10,000. */
  requestTimeoutMs?: number | undefined;
  /** Requests for Scheduled Events a second and VM; beyond: 429. Default 0: no limit. */
  eventRequestsPerSecond?: number | undefined;
  /** Requests for all else a second and VM; beyond: 429. Default 5, as in the cloud; 0: no limit. */
  instanceRequestsPerSecond?: number | undefined;
}
