import { z } from 'zod';
import { StandstillError, show, unexpected } from '../base/errors.js';
import { EventLog } from '../base/event-log.js';
import { parseOptions, wholeNumber } from '../base/options.js';
import { GIB, MIB, parseBytes } from '../base/units.js';
import { budgetMsSchema } from '../maintenance/freeze-scope.js';
import { MetadataServer } from '../scheduled-events/metadata-server.js';
import { snapshotBytesDefault } from '../snapshot/store.js';
import type { HostEvent } from './events.js';

const EXPECTED_BYTES = "bytes or text such as '256 MiB'";
const EXPECTED_NAME = 'text of 1 to 64 characters';
const EXPECTED_KEY = 'the path of a public key, or its PEM text';
const EXPECTED_GRACE = 'milliseconds from 0 to 60000';
const HEAP_BYTES_DEFAULT = 512 * MIB;
const RESIDENT_BYTES_DEFAULT = GIB;
const PATCH_BYTES_MIN = 16 * MIB;
const SNAPSHOT_BYTES_MIN = 2 * MIB;
const SNAPSHOT_BYTES_MAX = 1024 * GIB;

const bytesSchema = z.union([z.number(), z.string()], EXPECTED_BYTES);

/** Of a host, and of what a fleet names. */
export const nameSchema = z.string(EXPECTED_NAME).min(1, EXPECTED_NAME).max(64, EXPECTED_NAME);

const hostOptionsSchema = z.strictObject({
  name: nameSchema.default('host'),
  updateDomain: wholeNumber(0, 19).optional(),
  faultDomain: wholeNumber(0, 2).optional(),
  log: z.instanceof(EventLog<HostEvent>, { error: 'an EventLog' }).optional(),
  metadata: z.instanceof(MetadataServer, { error: 'a MetadataServer' }).optional(),
  directory: z.string('a path').min(1, 'a path').optional(),
  patchHeapBytes: bytesSchema.default(HEAP_BYTES_DEFAULT),
  patchResidentBytes: bytesSchema.default(RESIDENT_BYTES_DEFAULT),
  snapshotBytes: bytesSchema.optional(),
  patchGraceMs: z.number(EXPECTED_GRACE).min(0, EXPECTED_GRACE).max(60_000, EXPECTED_GRACE).default(1000),
  trustedKeys: z.array(z.string(EXPECTED_KEY).min(1, EXPECTED_KEY), 'an array of keys').default([]),
  budgetMs: budgetMsSchema,
});

/** What a host is made with. Unknown options are refused with ERR_UNKNOWN_OPTION. */
export interface HostOptions {
  /** 1 to 64 characters; in each entry of its event log. Default 'host'. */
  name?: string | undefined;
  /** The update domain that it belongs to, in a fleet: 0 to 19. Default: none. */
  updateDomain?: number | undefined;
  /** The fault domain that it belongs to, in a fleet: 0 to 2. Default: none. */
  faultDomain?: number | undefined;
  /** Where its events are written. Default: a log of its own, in memory. */
  log?: EventLog<HostEvent> | undefined;
  /**
   * The metadata service that its VMs join: each gets a server there, `vm.metadataUrl`, and learns of each maintenance
   * before. Several hosts may share one; close it after them. Default: none.
   */
  metadata?: MetadataServer | undefined;
  /** The host's folder, where its components lie. Default: a new temporary folder, which `close` removes. */
  directory?: string | undefined;
  /** Limit of a patch's JavaScript heap, as bytes or '512 MiB', at least 16 MiB. Default 512 MiB. */
  patchHeapBytes?: number | string | undefined;
  /** Limit of how much resident memory may grow while a patch runs, its buffers included. Default 1 GiB. */
  patchResidentBytes?: number | string | undefined;
  /** Cap on the memory that snapshots of its VMs hold, as bytes or '8 GiB', 2 MiB to 1 TiB. Default: half the machine's. */
  snapshotBytes?: number | string | undefined;
  /** From the cancellation of a patch to the termination of its worker, in milliseconds, 0 to 60,000. Default 1,000. */
  patchGraceMs?: number | undefined;
  /** Public Ed25519 keys, as paths or PEM text: only bundles that one of them signed are applied. Default: none. */
  trustedKeys?: readonly string[] | undefined;
  /** The budget of a maintenance that names none, in milliseconds above 0, up to 24 h. Default 30,000. */
  budgetMs?: number | undefined;
}

export interface ParsedHostOptions {
  readonly name: string;
  readonly updateDomain: number | null;
  readonly faultDomain: number | null;
  readonly log: EventLog<HostEvent>;
  readonly metadata: MetadataServer | undefined;
  readonly directory: string | undefined;
  readonly heapBytesMax: number;
  readonly residentBytesMax: number;
  readonly graceMs: number;
  readonly snapshotBytesMax: number;
  /** As they were given. */
  readonly trustedKeys: readonly string[];
  readonly budgetMs: number;
}

export function parseHostOptions(options: HostOptions): ParsedHostOptions {
  const parsed = parseOptions(hostOptionsSchema, options, 'a host');
  return {
    name: parsed.name,
    updateDomain: parsed.updateDomain ?? null,
    faultDomain: parsed.faultDomain ?? null,
    log: parsed.log ?? new EventLog(),
    metadata: parsed.metadata,
    directory: parsed.directory,
    heapBytesMax: patchBytes(parsed.patchHeapBytes, 'patchHeapBytes'),
    residentBytesMax: patchBytes(parsed.patchResidentBytes, 'patchResidentBytes'),
    graceMs: parsed.patchGraceMs,
    snapshotBytesMax: snapshotBytes(parsed.snapshotBytes),
    trustedKeys: parsed.trustedKeys,
    budgetMs: parsed.budgetMs,
  };
}

function snapshotBytes(value: number | string | undefined): number {
  if (value === undefined) return snapshotBytesDefault();
  const bytes = parseBytes(value, "'snapshotBytes' of a host");
  if (bytes >= SNAPSHOT_BYTES_MIN && bytes <= SNAPSHOT_BYTES_MAX) return bytes;
  throw unexpected('ERR_INVALID_OPTION', '2 MiB to 1 TiB', "'snapshotBytes' of a host", value);
}

function patchBytes(value: number | string, name: string): number {
  const bytes = parseBytes(value, `'${name}' of a host`);
  if (bytes >= PATCH_BYTES_MIN) return bytes;
  const message = `Expected at least 16 MiB for '${name}' of a host but received ${show(value)}`;
  throw new StandstillError('ERR_INVALID_OPTION', message);
}
