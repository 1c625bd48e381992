import { z } from 'zod';
import { withinMs } from '../base/deadline.js';
import { unexpected } from '../base/errors.js';
import { parseOptions, wholeNumber } from '../base/options.js';
import { throwAll, type Undo, UndoStack } from '../base/undo.js';
import type { MaintenancePhase } from './events.js';
import { Maintenance } from './handle.js';
import type { MaintenanceReport } from './report.js';

const GRACE_MS_DEFAULT = 10_000;
const GRACE_MS_MAX = 3_600_000;

const duringSchema = z.strictObject({ graceMs: wholeNumber(0, GRACE_MS_MAX).default(GRACE_MS_DEFAULT) });

/** How `during` follows a maintenance. */
export interface DuringOptions {
  /** How long the callback may go on once the maintenance is over, in milliseconds, 0 to 3,600,000. Default 10,000. */
  graceMs?: number | undefined;
}

/** What the callback of `during` follows the maintenance by. */
export interface MaintenanceWatch {
  /** The phase that it is in, or was in at its end; null before the first. */
  readonly current: MaintenancePhase | null;
  /**
   * Resolves when the phase begins; at once where it has begun. The maintenance does not wait for the callback. Rejects
   * with ERR_PHASE_NOT_REACHED where it ends without it.
   */
  reached(phase: MaintenancePhase): Promise<void>;
  /** Aborts when there is nothing left to wait for: the maintenance has failed, or the grace is over. */
  readonly signal: AbortSignal;
  /** Has this undone when `during` is left, however it is left, also where the callback hangs; the last one first. */
  defer(undo: Undo): void;
}

/**
 * Does something while a maintenance is under way, and takes it back: runs the callback beside the maintenance, waits for
 * both, undoes what the callback deferred, and resolves with the report. Where the callback throws, the maintenance is
 * aborted, its VMs run, and `during` rejects with what was thrown. Rejects as the maintenance does, with
 * ERR_CALLBACK_TIMEOUT where the callback goes on beyond its grace, ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION, and with an
 * AggregateError where undoing failed as well.
 */
export async function during(
  maintenance: Maintenance,
  act: (phase: MaintenanceWatch) => unknown,
  options: DuringOptions = {},
): Promise<MaintenanceReport> {
  if (!(maintenance instanceof Maintenance)) {
    throw unexpected('ERR_INVALID_OPTION', 'what applyMaintenance returned, not awaited,', 'during', maintenance);
  }
  let graceMs = GRACE_MS_DEFAULT;
  const undos = new UndoStack();
  const stop = new AbortController();
  const watch: MaintenanceWatch = {
    get current() {
      return maintenance.phase;
    },
    reached: (phase) => {
      const reached = maintenance.reached(phase);
      reached.catch(() => {}); // nobody has to wait for it
      return reached;
    },
    signal: stop.signal,
    defer: (undo) => undos.defer(undo),
  };
  // What fails first is the cause; what fails after it is mostly a consequence.
  const failures: unknown[] = [];
  const fail = (error: unknown) => void failures.push(error);
  const callback = (async () => {
    graceMs = parseOptions(duringSchema, options, 'during').graceMs;
    await act(watch);
  })().catch((error) => {
    fail(error);
    maintenance.abort(error);
  });
  const report = await maintenance.catch(fail);
  if (report === undefined) stop.abort(failures[0]);
  const late = `Expected the callback of during to end within ${graceMs} ms of the maintenance but it did not`;
  await withinMs(callback, graceMs, late).catch(fail);
  stop.abort();
  const undone = await undos.run();
  throwAll([...failures.slice(0, 1), ...undone]);
  return report ?? (await maintenance);
}
