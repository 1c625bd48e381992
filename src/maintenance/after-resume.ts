import { onAbort } from '../base/abort.js';
import { isStandstillError } from '../base/errors.js';
import type { EmulatedVm } from '../vm/emulated-vm.js';
import type { CheckResult, VmStats } from '../vm/vm.js';
import { BUDGET_MS_DEFAULT, FreezeScope, type ImpactJournal, type ParsedFreezeSettings } from './freeze-scope.js';
import type { TickerImpact } from './report.js';
import { type TickerBaseline, tickerImpact, tickerMaxima } from './ticker-impact.js';

export interface AfterResume {
  /** Undefined where the walk was not asked for, or the VM was closed or taken by somebody else meanwhile. */
  readonly check: CheckResult | undefined;
  readonly ticker: TickerImpact | null;
}

/**
 * Looks at one VM that runs again: what its ticker felt, then, in a freeze of its own (so that its clock is synchronised
 * and its previous state restored), whether its invariants hold.
 */
export async function inspectAfterResume(
  vm: EmulatedVm,
  baseline: TickerBaseline | undefined,
  withCheck: boolean,
  settings: ParsedFreezeSettings & { readonly journal: ImpactJournal },
  stop: AbortSignal,
): Promise<AfterResume> {
  try {
    const maxima = await tickerMaxima(vm);
    const inspection = { ...settings, budgetMs: Math.max(settings.budgetMs, BUDGET_MS_DEFAULT) };
    await using scope = FreezeScope.begin([vm], inspection, (records) => settings.journal('inspection', records));
    using _release = onAbort(stop, () => scope.release());
    const halted: VmStats = vm.stats();
    const check = withCheck ? await vm.check() : undefined;
    scope.release();
    return { check, ticker: tickerImpact(baseline, maxima, halted) };
  } catch (error) {
    const taken =
      isStandstillError(error, 'ERR_VM_CLOSED') ||
      isStandstillError(error, 'ERR_BUSY') ||
      isStandstillError(error, 'ERR_MEMORY_LOST') ||
      isStandstillError(error, 'ERR_LEASE_REVOKED');
    if (!taken) throw error;
    return { check: undefined, ticker: null };
  }
}
