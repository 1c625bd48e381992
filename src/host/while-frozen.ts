import { z } from 'zod';
import { monotonicNs } from '../base/clock.js';
import { withinMs } from '../base/deadline.js';
import { StandstillError } from '../base/errors.js';
import { throwAll, type Undo, UndoStack } from '../base/undo.js';
import { NS_PER_MS } from '../base/units.js';
import type { FreezeRecord, FreezeScope, FreezeSettings } from '../maintenance/freeze-scope.js';
import { freezeFields } from '../maintenance/freeze-scope.js';
import type { MaintainedGuest, Measured } from '../maintenance/guest.js';
import { allHaltedAt, blackoutOf, type Phases, phasesOf, untilNow } from '../maintenance/phases.js';
import type { MemoryProof } from '../maintenance/proof.js';
import { Provers } from '../maintenance/prover.js';
import type { ResumedBy } from '../native/contract.js';
import type { Vm } from '../vm/vm.js';

export const whileFrozenSchema = z.strictObject({
  ...freezeFields,
  proof: z.enum(['full', 'none'], "'full' or 'none'").default('full'),
  keepBytes: z.boolean('true or false').default(true),
});

export interface WhileFrozenOptions extends FreezeSettings {
  /** Read all memory at the halt and again before the release, inside the freeze. Default 'full'; or 'none'. */
  proof?: 'full' | 'none' | undefined;
  /**
   * Keep the memory of emulated guests as it was at the halt, so that what changed is shown by its bytes: a snapshot, under
   * the host's cap; where there is no room for it, the proof goes without. Default true.
   */
  keepBytes?: boolean | undefined;
}

/** What the callback of `whileFrozen` gets. */
export interface FrozenWatch {
  /** Aborts when the deadline has released the VMs: what goes on then is seen by running guests. */
  readonly signal: AbortSignal;
  /** Has this undone before the VMs run again, or at their deadline; the last one first. */
  defer(undo: Undo): void;
}

/** What a freeze did to one VM. Durations are nanoseconds on the monotonic clock. Steps and clock: null for a process. */
export interface FrozenVmReport extends MemoryProof, Measured {
  name: string;
  kind: Vm['kind'];
  program: string;
  /** False for a VM that stood still before and was left so. */
  wasRunning: boolean;
  /** From halt to resume. */
  blackoutNs: number;
  /** The callback has its time in `patchNs`. */
  phases: Phases;
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
  readonly guests: readonly MaintainedGuest[];
  readonly budgetMs: number;
  readonly proof: 'full' | 'none';
  readonly keepBytes: boolean;
}

/** Does something while VMs of a scope stand still; whatever leaves it undoes what it deferred and releases them. */
export async function whileFrozen(frozen: Frozen, act: (frozen: FrozenWatch) => unknown): Promise<FreezeReport> {
  const { scope, guests, proof, keepBytes } = frozen;
  using _scope = scope;
  const terms = { proof, keepBytes, sampleShare: 1, seed: 0 };
  const { signal } = new AbortController();
  await using provers = new Provers(guests.map((guest) => guest.prover(terms, signal)));
  await provers.atHalt();
  const openingDigestEndAtNs = proof === 'none' ? undefined : monotonicNs();
  await perform(frozen, act);
  const patchesEndAtNs = monotonicNs();
  await provers.atRelease();
  const closingDigestEndAtNs = monotonicNs();
  scope.release();
  await scope.settled();
  const nowNs = monotonicNs();
  const records = scope.records().map((record) => untilNow(record, nowNs));
  const cuts = { openingDigestEndAtNs, patchesEndAtNs, closingDigestEndAtNs };
  const proofs = provers.proofs();
  return {
    budgetMs: frozen.budgetMs,
    resumedBy: records.some(({ resumedBy }) => resumedBy === 'deadline') ? 'deadline' : 'caller',
    proof,
    vms: guests.flatMap((guest, index) => {
      const [record, proved] = [records[index], proofs[index]];
      if (record === undefined || proved === undefined) return [];
      return [{ ...vmReport(guest, record, phasesOf(record, allHaltedAt(records), cuts)), ...proved.proof }];
    }),
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

const vmReport = (guest: MaintainedGuest, record: FreezeRecord, phases: Phases) => ({
  name: record.name,
  kind: record.kind,
  program: guest.vm.program,
  wasRunning: record.wasRunning,
  blackoutNs: blackoutOf(record),
  phases,
  ...guest.measured(record),
  resumedBy: record.resumedBy,
});
