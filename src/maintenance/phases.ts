import type { FreezeRecord, ImpactRecord } from './freeze-scope.js';

/** Where the time of a blackout went, in nanoseconds. haltNs + digestNs + patchNs + resumeNs is exactly the blackout. */
export interface Phases {
  /** From the request to the guest's own halt stamp: the guest still runs, so this is no part of the blackout. */
  requestNs: number;
  /** From the guest's halt until every VM of the freeze was seen halted. */
  haltNs: number;
  /** Both digests' share. */
  digestNs: number;
  /** The rest between: patching the host. */
  patchNs: number;
  /** From the begin of the release to the guest's own stamp before its first step. */
  resumeNs: number;
  /** From that step until the guest's clock was synchronised: the guest runs again; 0 where it was earlier, or was not at all. */
  syncNs: number;
}

/** When the operation went from one part to the next, on CLOCK_MONOTONIC in nanoseconds. */
export interface Cuts {
  /** Undefined where no digest was taken at the halt. */
  readonly openingDigestEndAtNs: bigint | undefined;
  readonly patchesEndAtNs: bigint;
  readonly closingDigestEndAtNs: bigint;
}

/** When the last VM of a freeze was seen halted. */
export const allHaltedAt = (records: readonly FreezeRecord[]): bigint =>
  records.map((record) => record.observedAtNs).reduce(later, 0n);

/** When the first VM of a freeze was released; 0 where none was. One that ended, or was closed, nobody has released. */
export const releasedAt = (records: readonly FreezeRecord[]): bigint =>
  records
    .map(({ releasedAtNs, resumedBy }) => (resumedBy === null ? 0n : releasedAtNs))
    .reduce((a, b) => (a !== 0n && (b === 0n || a < b) ? a : b), 0n);

export const NO_PHASES: Phases = { requestNs: 0, haltNs: 0, digestNs: 0, patchNs: 0, resumeNs: 0, syncNs: 0 };

/**
 * One VM's phases. Where the deadline released it before a part was over, that part ends at its release, and what came
 * later has no share. A VM that stood still before the freeze has no blackout, and so no phases.
 */
export function phasesOf(record: FreezeRecord, allHaltedAtNs: bigint, cuts: Cuts): Phases {
  if (!record.wasRunning) return NO_PHASES;
  const before = (atNs: bigint) => (atNs < record.releasedAtNs ? atNs : record.releasedAtNs);
  const halted = before(later(allHaltedAtNs, record.haltedAtNs));
  const opened = later(halted, before(cuts.openingDigestEndAtNs ?? halted));
  const patched = later(opened, before(cuts.patchesEndAtNs));
  const closed = later(patched, before(cuts.closingDigestEndAtNs));
  return {
    requestNs: Number(record.haltedAtNs - record.requestedAtNs),
    haltNs: Number(halted - record.haltedAtNs),
    digestNs: Number(opened - halted + (closed - patched)),
    patchNs: Number(patched - opened),
    resumeNs: Number(record.resumedAtNs - closed),
    syncNs: record.syncedAtNs === 0n ? 0 : Number(later(record.syncedAtNs, record.resumedAtNs) - record.resumedAtNs),
  };
}

/** From the guest's own halt stamp to its own resume stamp: it leaves nothing out. */
export function blackoutOf(record: FreezeRecord): number {
  return record.wasRunning ? Number(record.resumedAtNs - record.haltedAtNs) : 0;
}

/**
 * The record with an upper bound, now, for what its VM has not stamped: it was closed in the freeze, or its guest has
 * got no processor yet. The blackout is then what it was until now.
 */
export function untilNow<Impact extends ImpactRecord>(record: Impact, nowNs: bigint): Impact {
  if (!record.wasRunning) return record;
  const resumedAtNs = record.resumedAtNs === 0n ? nowNs : record.resumedAtNs;
  return { ...record, resumedAtNs, releasedAtNs: record.releasedAtNs === 0n ? resumedAtNs : record.releasedAtNs };
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
