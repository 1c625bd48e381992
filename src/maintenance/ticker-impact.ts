import { sleepMs } from '../base/clock.js';
import type { EmulatedVm } from '../vm/emulated-vm.js';
import type { TickerStats, VmStats } from '../vm/vm.js';
import type { TickerImpact } from './report.js';

/** A tick in flight may have read the clock before we looked; the one after it has not. */
const TICKS_AWAITED = 2;
const TICKS_WAIT_MS = 1000;
const POLL_MS = 1;

/** Pauses that the clock hid and that the ticker did not see, both up to a moment at which it ran and had ticked. */
export interface TickerBaseline {
  readonly hiddenTotalNs: number;
  readonly pausedTotalNs: number;
}

/** What the guest felt, taken before anything halts it again: the maxima are since the begin of the last freeze. */
export interface TickerMaxima {
  readonly guestGapMaxNs: number;
  readonly trueGapMaxNs: number;
  readonly wallJumpMaxNs: number;
}

/** Of a guest that runs and ticks; undefined for any other. Both sums may start before its first tick, hence a baseline. */
export async function tickerBaseline(vm: EmulatedVm): Promise<TickerBaseline | undefined> {
  const stats = await statsAfterTicks(vm);
  return stats === undefined ? undefined : baselineOf(stats.ticker, stats);
}

/** Undefined where the guest does not tick. */
export async function tickerMaxima(vm: EmulatedVm): Promise<TickerMaxima | undefined> {
  const ticker = (await statsAfterTicks(vm))?.ticker;
  if (ticker === undefined) return undefined;
  const { guestGapMaxNs, trueGapMaxNs, wallJumpMaxNs } = ticker;
  return { guestGapMaxNs, trueGapMaxNs, wallJumpMaxNs };
}

/**
 * Both sums come out of the same readings of the clock page, so they grow by the same, to the nanosecond, however noisy
 * the machine is. `halted` is of a halted guest that has ticked since it was resumed.
 */
export function tickerImpact(
  baseline: TickerBaseline | undefined,
  maxima: TickerMaxima | undefined,
  halted: VmStats,
): TickerImpact | null {
  if (halted.ticker === null || maxima === undefined) return null;
  const hiddenNs = halted.ticker.hiddenTotalNs - (baseline?.hiddenTotalNs ?? 0);
  const pausedNs = halted.clock.pausedTotalNs - (baseline?.pausedTotalNs ?? 0);
  return { ...maxima, hiddenNs, pausedNs, exact: baseline === undefined ? null : hiddenNs === pausedNs };
}

type TickingStats = VmStats & { ticker: TickerStats };

async function statsAfterTicks(vm: EmulatedVm): Promise<TickingStats | undefined> {
  const enough = (vm.stats().ticker?.ticks ?? 0) + TICKS_AWAITED;
  for (let waitedMs = 0; waitedMs <= TICKS_WAIT_MS; waitedMs += POLL_MS) {
    const stats = vm.stats();
    if (!ticks(stats) || (stats.state !== 'running' && stats.state !== 'idle')) return undefined;
    if (stats.ticker.ticks >= enough) return stats;
    await sleepMs(POLL_MS);
  }
  return undefined;
}

const ticks = (stats: VmStats): stats is TickingStats => stats.ticker !== null;

const baselineOf = (ticker: TickerStats, stats: VmStats): TickerBaseline => ({
  hiddenTotalNs: ticker.hiddenTotalNs,
  pausedTotalNs: stats.clock.pausedTotalNs,
});
