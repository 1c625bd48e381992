import { z } from 'zod';
import { monotonicNs } from '../base/clock.js';
import { withinMs } from '../base/deadline.js';
import { isStandstillError, StandstillError } from '../base/errors.js';
import { throwAll, type Undo, UndoStack } from '../base/undo.js';
import { NS_PER_MS } from '../base/units.js';
import type { FreezeRecord, FreezeScope, FreezeSettings } from '../maintenance/freeze-scope.js';
import { freezeFields } from '../maintenance/freeze-scope.js';
import { allHaltedAt, blackoutOf, type Cuts, type Phases, phasesOf, untilNow } from '../maintenance/phases.js';
import { compareDigests, type MemoryProof, UNPROVEN } from '../maintenance/proof.js';
import type { ResumedBy, SyncMode } from '../native/contract.js';
import type { ProcessMemoryImage } from '../process/memory-image.js';
import { ProcessVm } from '../process/process-vm.js';
import type { MemoryDigest } from '../vm/vm.js';
import type { HostVm } from './host-vms.js';

export const whileFrozenSchema = z.strictObject({
  ...freezeFields,
  proof: z.enum(['full', 'none'], "'full' or 'none'").default('full'),
});

export interface WhileFrozenOptions extends FreezeSettings {
  /** Read all memory at the halt and again before the release, inside the freeze. Default 'full'; or 'none'. */
  proof?: 'full' | 'none' | undefined;
}

/** What the callback of `whileFrozen` gets. */
export interface FrozenWatch {
  /** Aborts when the deadline has released the VMs: what goes on then is seen by running guests. */
  readonly signal: AbortSignal;
  /** Has this undone before the VMs run again, or at their deadline; the last one first. */
  defer(undo: Undo): void;
}

/** What a freeze did to one VM. Durations are nanoseconds on the monotonic clock. */
export interface FrozenVmReport extends MemoryProof {
  name: string;
  kind: FreezeRecord['kind'];
  program: string;
  /** False for a VM that stood still before and was left so. */
  wasRunning: boolean;
  /** From halt to resume. */
  blackoutNs: number;
  /** The callback has its time in `patchNs`. */
  phases: Phases;
  /** Steps and clock: null for a process. */
  stepsBefore: number | null;
  stepsAfter: number | null;
  clockLagBeforeNs: number | null;
  clockLagAfterNs: number | null;
  syncedBy: SyncMode | null;
  resumedBy: ResumedBy | null;
}

/** What a freeze did, as JSON. */
export interface FreezeReport {
  budgetMs: number;
  /** Who released the VMs: 'deadline' where the closing proof was not done in time. */
  resumedBy: ResumedBy;
  proof: 'full' | 'none';
  vms: FrozenVmReport[];
}

interface Frozen {
  readonly scope: FreezeScope;
  readonly vms: readonly HostVm[];
  readonly budgetMs: number;
  readonly proof: 'full' | 'none';
}

/** Does something while VMs of a scope stand still; whatever leaves it undoes what it deferred and releases them. */
export async function whileFrozen(frozen: Frozen, act: (frozen: FrozenWatch) => unknown): Promise<FreezeReport> {
  const { scope, vms, proof } = frozen;
  using _scope = scope;
  const looks = async () => (proof === 'none' ? [] : await Promise.all(vms.map(lookAt)));
  const opening = await looks();
  const openingDigestEndAtNs = proof === 'none' ? undefined : monotonicNs();
  await perform(frozen, act);
  const patchesEndAtNs = monotonicNs();
  const closing = await looks();
  const closingDigestEndAtNs = monotonicNs();
  scope.release();
  await scope.settled();
  const nowNs = monotonicNs();
  const records = scope.records().map((record) => untilNow(record, nowNs));
  const cuts = { openingDigestEndAtNs, patchesEndAtNs, closingDigestEndAtNs };
  return {
    budgetMs: frozen.budgetMs,
    resumedBy: records.some(({ resumedBy }) => resumedBy === 'deadline') ? 'deadline' : 'caller',
    proof,
    vms: records.map((record, index) => ({
      ...vmReport(record, vms[index]?.program ?? '', allHaltedAt(records), cuts),
      ...compare(opening[index], closing[index]),
    })),
  };
}

async function perform({ scope, budgetMs }: Frozen, act: (frozen: FrozenWatch) => unknown): Promise<void> {
  const undos = new UndoStack();
  const stop = new AbortController();
  const late = `Expected the callback of whileFrozen to end within ${budgetMs} ms but it did not, and the VMs run`;
  const failures: unknown[] = [];
  const fail = (error: unknown) => void failures.push(error);
  const watch = { signal: stop.signal, defer: (undo: Undo) => undos.defer(undo) };
  const acting = (async () => await act(watch))();
  await withinMs(acting, Math.max(0, scope.remainingNs / NS_PER_MS), late).catch(fail);
  // One that blocked the event loop kept the timer from telling.
  if (failures.length === 0 && scope.remainingNs <= 0) fail(new StandstillError('ERR_CALLBACK_TIMEOUT', late));
  stop.abort(failures[0]);
  throwAll([...failures, ...(await undos.run())]);
}

type Look = MemoryDigest | ProcessMemoryImage | undefined;

/** Undefined where a guest runs again, or has ended, before it was read, or may not be read. */
async function lookAt(vm: HostVm): Promise<Look> {
  try {
    return vm instanceof ProcessVm ? await vm.memoryImage() : await vm.digest();
  } catch (error) {
    if (!isStandstillError(error)) throw error;
    return undefined;
  }
}

function compare(before: Look, after: Look): MemoryProof {
  if (before === undefined || after === undefined) return UNPROVEN;
  if (!('info' in before) && !('info' in after)) return compareDigests(before, after);
  if (!('info' in before) || !('info' in after)) return UNPROVEN;
  const difference = before.compare(after);
  const seen = compareDigests(digestOf(before), digestOf(after));
  return { ...seen, changedPages: null, memory: difference === null ? 'preserved' : 'changed', difference };
}

const digestOf = ({ info }: ProcessMemoryImage): MemoryDigest => ({
  value: info.digest,
  bytesRead: info.bytesRead,
  elapsedNs: info.elapsedNs,
  pageCrcs: new BigUint64Array(),
});

function vmReport(record: FreezeRecord, program: string, allHaltedAtNs: bigint, cuts: Cuts) {
  const isEmulated = record.kind === 'emulated';
  return {
    name: record.name,
    kind: record.kind,
    program,
    wasRunning: record.wasRunning,
    blackoutNs: blackoutOf(record),
    phases: phasesOf(record, allHaltedAtNs, cuts),
    stepsBefore: isEmulated ? record.stepsAtHalt : null,
    stepsAfter: isEmulated ? record.stepsAtRelease : null,
    clockLagBeforeNs: isEmulated ? record.clockLagBeforeNs : null,
    clockLagAfterNs: isEmulated ? record.clockLagAfterNs : null,
    syncedBy: isEmulated ? record.syncedBy : null,
    resumedBy: record.resumedBy,
  };
}
