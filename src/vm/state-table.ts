import type { ErrorCode } from '../base/error-codes.js';
import type { VmState } from '../native/contract.js';

/** What can be asked of a VM; `runUntil` is of a step that lies ahead, `pause` outside of any time limit. */
export type VmOperation =
  | 'start'
  | 'pause'
  | 'resume'
  | 'runUntil'
  | 'digest'
  | 'check'
  | 'read'
  | 'registers'
  | 'flipBit'
  | 'stats'
  | 'endEpoch'
  | 'snapshot'
  | 'liveSnapshot'
  | 'rollback'
  | 'explore'
  | 'close';

/** The states that an operation may leave the VM in, or the code of its error (the state is then as before). */
export type VmOutcome = { readonly to: readonly VmState[] } | { readonly error: ErrorCode };

const fails = (error: ErrorCode): VmOutcome => ({ error });
const to = (...states: VmState[]): VmOutcome => ({ to: states });

/** A program that sleeps turns `running` into `idle` and back by itself. */
const RUNS = to('running', 'idle');
const NOT_PAUSED = fails('ERR_VM_NOT_PAUSED');

const readsMemory = (outcome: VmOutcome) => ({
  digest: outcome,
  check: outcome,
  read: outcome,
  registers: outcome,
  flipBit: outcome,
  snapshot: outcome,
});

const goesBack = (outcome: VmOutcome) => ({ rollback: outcome, explore: outcome });

const RUNNING = {
  start: fails('ERR_VM_ALREADY_STARTED'),
  pause: to('paused'),
  resume: RUNS,
  runUntil: to('paused'),
  ...readsMemory(NOT_PAUSED),
  ...goesBack(NOT_PAUSED),
  liveSnapshot: RUNS,
  stats: RUNS,
  endEpoch: RUNS,
  close: to('closed'),
} satisfies Record<VmOperation, VmOutcome>;

const CLOSED = fails('ERR_VM_CLOSED');
const FAULTED = fails('ERR_VM_FAULTED');

/**
 * The one table of states. Two things lie across it: where a freeze holds the VM, `resume`, `runUntil`, `rollback`,
 * `explore`, a second freeze and the `start` of a created or faulted VM answer ERR_BUSY, and so does a `runUntil` while
 * another one is pending. During an exploration everything that touches the guest or its memory answers ERR_BUSY.
 *
 *     created ──start──► running ◄──► idle          any state ──close──► closed
 *                          │  ▲
 *                    pause │  │ resume              running ──guest fault──► faulted
 *                          ▼  │
 *               (pausing) paused
 */
export const STATE_TABLE: Readonly<Record<VmState, Readonly<Record<VmOperation, VmOutcome>>>> = {
  created: {
    start: RUNS,
    pause: to('created'),
    resume: fails('ERR_VM_NOT_STARTED'),
    runUntil: to('paused'),
    ...readsMemory(to('created')),
    ...goesBack(to('paused')),
    liveSnapshot: to('created'),
    stats: to('created'),
    endEpoch: to('created'),
    close: to('closed'),
  },
  running: RUNNING,
  idle: RUNNING,
  pausing: {
    ...RUNNING,
    liveSnapshot: to('pausing', 'paused'),
    stats: to('pausing', 'paused'),
    endEpoch: to('pausing', 'paused'),
  },
  paused: {
    start: fails('ERR_VM_ALREADY_STARTED'),
    pause: to('paused'),
    resume: RUNS,
    runUntil: to('paused'),
    ...readsMemory(to('paused')),
    ...goesBack(to('paused')),
    liveSnapshot: to('paused'),
    stats: to('paused'),
    endEpoch: to('paused'),
    close: to('closed'),
  },
  faulted: {
    start: FAULTED,
    pause: to('faulted'),
    resume: FAULTED,
    runUntil: FAULTED,
    ...readsMemory(to('faulted')),
    ...goesBack(to('paused')),
    liveSnapshot: to('faulted'),
    stats: to('faulted'),
    endEpoch: to('faulted'),
    close: to('closed'),
  },
  closed: {
    start: CLOSED,
    pause: CLOSED,
    resume: CLOSED,
    runUntil: CLOSED,
    ...readsMemory(CLOSED),
    ...goesBack(CLOSED),
    liveSnapshot: CLOSED,
    stats: CLOSED,
    endEpoch: CLOSED,
    close: to('closed'),
  },
};
