import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNs } from '../base/clock.js';
import { isStandstillError, messageOf, StandstillError } from '../base/errors.js';
import { NS_PER_MS } from '../base/units.js';
import type { NativeFreezeRecord, ResumedBy } from '../native/contract.js';
import type { ClockGuarantees } from '../vm/guarantees.js';
import type { ProcessEnding } from './guest.js';
import type { LogLine } from './log-tail.js';
import { describeDifference, type MemoryDifference, type ProcessMemoryImage } from './memory-image.js';
import { type ProcessVm, processGuest } from './process-vm.js';
import type { ChosenFreezer } from './supervisor.js';

const HANDSHAKE_TIMEOUT_MS = 5000;
const LOG_LINES = 20;

export interface FreezeRunOptions {
  readonly times: number;
  /** From the moment at which all stands still to the thaw, the proof included. */
  readonly freezeMs: number;
  /** How long the guest runs before each freeze. */
  readonly runMs: number;
  /** From the request on; then the supervisor thaws. */
  readonly budgetMs: number;
  readonly provesMemory: boolean;
  readonly signal: AbortSignal;
  /** `freeze` counts from 1. */
  /** Called once the guest runs again. */
  readonly onFreeze?: (record: NativeFreezeRecord) => void;
  readonly onPhase?: (phase: 'running' | 'frozen', freeze: number) => void;
}

/** One freeze of a process. Durations are nanoseconds on the monotonic clock, stamped natively. */
export interface ProcessFreezeReport {
  /** From the request until every task was frozen. */
  haltNs: number;
  /** From then until the kernel said that they are thawed. */
  blackoutNs: number;
  /** From the thaw until then. */
  resumeNs: number;
  resumedBy: ResumedBy | null;
  /** 'unproven': the guest was thawed, or ended, before its memory had been read twice; or it was not to be proved. */
  memory: 'preserved' | 'changed' | 'unproven';
  /** The first thing that changed. */
  difference: MemoryDifference | null;
  /** Bytes read by each of the two looks at memory, and what they took; 0 for one that was not done. */
  bytesRead: number;
  digestAtHaltNs: number;
  digestAtReleaseNs: number;
  processes: number;
  tasks: number;
  /** Descendants that somebody has moved out of the group: they ran on. */
  outsideGroup: number;
}

/** Of `ProcessRunReport`; another one where a key changes its meaning. */
export const PROCESS_REPORT_SCHEMA_VERSION = 1;

/** What repeated freezes of a process did, as one JSON shape. */
export interface ProcessRunReport {
  schemaVersion: typeof PROCESS_REPORT_SCHEMA_VERSION;
  /** Every freeze kept its budget, memory is preserved or was not to be proved, and the guest lives. */
  ok: boolean;
  problems: string[];
  vm: string;
  program: string;
  freezer: ChosenFreezer;
  clocks: ClockGuarantees;
  budgetMs: number;
  freezes: ProcessFreezeReport[];
  daemonised: boolean;
  restarts: number;
  /** How it ended before its time; null where it lived to the end. */
  ending: ProcessEnding | null;
  /** The end of what it wrote. */
  log: LogLine[];
}

/**
 * Freezes a guest that runs, again and again. What goes wrong with the guest is in the report. Rejects with ERR_ABORTED,
 * ERR_PAUSE_TIMEOUT, ERR_PROCESS_UNREADABLE, ERR_FREEZER_UNAVAILABLE, ERR_SUPERVISOR_LOST; the guest runs on then.
 */
export async function runProcessFreezes(vm: ProcessVm, options: FreezeRunOptions): Promise<ProcessRunReport> {
  const freezes: ProcessFreezeReport[] = [];
  const problems: string[] = [];
  for (let number = 1; number <= options.times && problems.length === 0; number += 1) {
    options.onPhase?.('running', number);
    await sleepUnlessAborted(options.runMs, options.signal);
    try {
      options.onPhase?.('frozen', number);
      freezes.push(await freezeOnce(vm, options));
    } catch (error) {
      if (!isStandstillError(error, 'ERR_PROCESS_ENDED')) throw error;
      problems.push(messageOf(error));
    }
  }
  const { daemonised, restarts, ending } = vm.stats();
  problems.push(
    ...freezes.flatMap((freeze, index) => problemsOf(freeze, options).map((text) => `freeze ${index + 1}: ${text}`)),
  );
  if (ending !== null && problems.length === 0) problems.push('the guest ended');
  return {
    schemaVersion: PROCESS_REPORT_SCHEMA_VERSION,
    ok: problems.length === 0,
    problems,
    vm: vm.name,
    program: vm.program,
    freezer: vm.freezer,
    clocks: vm.clocks,
    budgetMs: options.budgetMs,
    freezes,
    daemonised,
    restarts,
    ending,
    log: vm.logTail(LOG_LINES),
  };
}

async function freezeOnce(vm: ProcessVm, options: FreezeRunOptions): Promise<ProcessFreezeReport> {
  vm[processGuest].assertAlive();
  const { budgetMs } = options;
  const freeze = vm.freeze({ budgetMs, handshakeTimeoutMs: Math.min(HANDSHAKE_TIMEOUT_MS, budgetMs) });
  const images: ProcessMemoryImage[] = [];
  try {
    const frozenAtNs = monotonicNs();
    if (options.provesMemory) images.push(await vm.memoryImage({ signal: options.signal }));
    const closingMs = (images[0]?.info.elapsedNs ?? 0) / NS_PER_MS;
    const elapsedMs = Number(monotonicNs() - frozenAtNs) / NS_PER_MS;
    await sleepUnlessAborted(Math.max(0, options.freezeMs - elapsedMs - closingMs), options.signal);
    if (options.provesMemory) images.push(await vm.memoryImage({ signal: options.signal }));
  } catch (error) {
    // The deadline, or somebody's SIGKILL, was faster than the proof.
    if (!isStandstillError(error, 'ERR_LEASE_REVOKED') && !isStandstillError(error, 'ERR_VM_NOT_PAUSED')) throw error;
  } finally {
    freeze.release();
  }
  const [record] = freeze.records();
  if (record !== undefined) options.onFreeze?.(record);
  const [before, after] = images;
  const difference = before === undefined || after === undefined ? null : before.compare(after);
  const proved = difference === null ? 'preserved' : 'changed';
  return {
    haltNs: Number((record?.haltedAtNs ?? 0n) - (record?.requestedAtNs ?? 0n)),
    blackoutNs: Number((record?.resumedAtNs ?? 0n) - (record?.haltedAtNs ?? 0n)),
    resumeNs: Number((record?.resumedAtNs ?? 0n) - (record?.releasedAtNs ?? 0n)),
    resumedBy: record?.resumedBy ?? null,
    memory: after === undefined ? 'unproven' : proved,
    difference,
    bytesRead: before?.info.bytesRead ?? 0,
    digestAtHaltNs: before?.info.elapsedNs ?? 0,
    digestAtReleaseNs: after?.info.elapsedNs ?? 0,
    processes: before?.info.processes ?? 0,
    tasks: before?.info.tasks ?? 0,
    outsideGroup: vm.stats().outsideGroup,
  };
}

async function sleepUnlessAborted(durationMs: number, signal: AbortSignal): Promise<void> {
  await sleep(durationMs, undefined, { signal }).catch(() => {});
  if (signal.aborted) throw new StandstillError('ERR_ABORTED', 'The freezes were aborted', { cause: signal.reason });
}

function problemsOf(freeze: ProcessFreezeReport, { budgetMs, provesMemory }: FreezeRunOptions): string[] {
  const problems: string[] = [];
  if (freeze.resumedBy === 'deadline') problems.push(`the deadline of ${budgetMs} ms thawed the guest`);
  if (freeze.difference !== null) problems.push(`memory changed: ${describeDifference(freeze.difference)}`);
  else if (provesMemory && freeze.memory === 'unproven') problems.push('memory is unproven');
  if (freeze.outsideGroup > 0) {
    problems.push(`${freeze.outsideGroup} descendants were moved out of the group, and ran on`);
  }
  return problems;
}
