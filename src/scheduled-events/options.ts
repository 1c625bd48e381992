import type { FastifyBaseLogger } from 'fastify';
import { z } from 'zod';
import { EventLog } from '../base/event-log.js';
import type { MetadataEvent } from './events.js';
import { limitFields, type ServerLimitOptions } from './server-options.js';
import { type TimingOptions, timingFields } from './timing.js';

const EXPECTED_NAMES = 'an array of names of VMs';

export const metadataSchema = z.strictObject({
  listen: z.string("an address such as '127.0.0.1:8080'").default('127.0.0.1:0'),
  spread: z.enum(['port', 'address'], "'port' or 'address'").default('port'),
  allowPublic: z.boolean('true or false').default(false),
  sets: z
    .record(z.string(), z.array(z.string(EXPECTED_NAMES), EXPECTED_NAMES), 'an object of names of VMs by set')
    .default({}),
  ...timingFields,
  ...limitFields,
  logger: z
    .custom<FastifyBaseLogger>((value) => typeof value === 'object' && value !== null, 'a pino logger')
    .optional(),
  log: z.instanceof(EventLog<MetadataEvent>, { error: 'an EventLog' }).optional(),
});

export type ParsedMetadataOptions = z.output<typeof metadataSchema>;

/** Where a metadata service listens, and by which times it goes. Unknown options are refused. */
export interface MetadataOptions extends TimingOptions, ServerLimitOptions {
  /**
   * Where the first VM's server listens: '127.0.0.1:8080', '[::1]:8080', '169.254.169.254:80'. Port 0 is one that is
   * free. Default '127.0.0.1:0'.
   */
  listen?: string | undefined;
  /** What is counted up for each VM more: the port, or the IPv4 address with the port as it is. Default 'port'. */
  spread?: 'port' | 'address' | undefined;
  /** Bind to addresses that others than this machine and its private network may reach. Default false. */
  allowPublic?: boolean | undefined;
  /** Availability sets, each with the names of its VMs: all of them see the events of all. Default: none. */
  sets?: Readonly<Record<string, readonly string[]>> | undefined;
  /** A pino logger; each request is logged at level debug. Default: none. */
  logger?: FastifyBaseLogger | undefined;
  /** Where its events are written. Default: a log of its own, in memory. */
  log?: EventLog<MetadataEvent> | undefined;
}
