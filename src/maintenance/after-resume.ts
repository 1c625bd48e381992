import { onAbort } from '../base/abort.js';
import { isStandstillError } from '../base/errors.js';
import type { EmulatedVm } from '../vm/emulated-vm.js';
import type { VmStats } from '../vm/vm.js';
import { BUDGET_MS_DEFAULT, FreezeScope } from './freeze-scope.js';
import type { Inspected, InspectionTerms } from './guest.js';
import { type TickerBaseline, tickerImpact, tickerMaxima } from './ticker-impact.js';

/**
 * Looks at one emulated VM that runs again: what its ticker felt, then, in a freeze of its own (so that its clock is synchronised
 * and its previous state restored), whether its invariants hold.
 */
export async function inspectAfterResume(
  vm: EmulatedVm,
  baseline: TickerBaseline | undefined,
  terms: InspectionTerms,
  stop: AbortSignal,
): Promise<Inspected> {
  try {
    const maxima = await tickerMaxima(vm);
    const settings = { ...terms, budgetMs: Math.max(terms.budgetMs, BUDGET_MS_DEFAULT) };
    await using scope = FreezeScope.begin([vm], settings, (records) => terms.journal('inspection', records));
    using _release = onAbort(stop, () => scope.release());
    const halted: VmStats = vm.stats();
    const check = terms.check ? await vm.check() : undefined;
    scope.release();
    return { ...NOTHING, check, ticker: tickerImpact(baseline, maxima, halted) };
  } catch (error) {
    const taken =
      isStandstillError(error, 'ERR_VM_CLOSED') ||
      isStandstillError(error, 'ERR_BUSY') ||
      isStandstillError(error, 'ERR_MEMORY_LOST') ||
      isStandstillError(error, 'ERR_LEASE_REVOKED');
    if (!taken) throw error;
    return NOTHING;
  }
}

const NOTHING: Inspected = { check: undefined, ticker: null, problem: null, process: null };
