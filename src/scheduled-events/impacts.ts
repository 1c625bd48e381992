/**
 * What really happens to a VM when its event has started. Whoever owns the VM brings it; a VM without has events and
 * nothing behind them. Each rejects where it could not be done.
 */
export interface GuestImpacts {
  /** The VM stands still for so long, its memory in place, and runs on; at once where the signal aborts. */
  freeze(durationMs: number, ending: AbortSignal): Promise<void>;
  /** The VM is down for so long, and starts anew: its memory is lost. At once where the signal aborts. */
  restart(downMs: number, ending: AbortSignal): Promise<void>;
  /** The VM is gone for good. */
  end(): void;
}
