import { monotonicNs } from '../base/clock.js';
import { NS_PER_MS } from '../base/units.js';
import type { FreezeScope } from './freeze-scope.js';
import type { MaintenancePlan } from './options.js';
import { type PatchRun, runPatches } from './patching.js';
import type { Cuts } from './phases.js';
import { controlOf, type Surroundings } from './surroundings.js';

/** The time of a closing digest in the freeze is estimated from the opening one's. */
const RESERVATION_FACTOR = 1.5;
/** What is left to the event loop, whose timers cancel the patches: a share of the budget, within bounds. */
const MARGIN_SHARE = 0.02;
const MARGIN_MS_MIN = 5;
const MARGIN_MS_MAX = 250;

interface Frozen {
  readonly cuts: Cuts;
  readonly runs: readonly PatchRun[];
}

/** Everything that is done to the host while its VMs stand still. `stage`: what should have been done before. */
export async function whileFrozen(
  scope: FreezeScope,
  around: Surroundings,
  stage: (() => Promise<void>) | undefined,
): Promise<Frozen> {
  const { plan, patches, provers, stop, phase } = around;
  const beganAtNs = monotonicNs();
  phase('digest-at-halt');
  await provers.atHalt();
  const openingDigestEndAtNs = plan.proof === 'none' ? beganAtNs : monotonicNs();
  stop.throwIfAborted();
  injectFaults(plan);

  const marginNs = marginMs(plan.budgetMs) * NS_PER_MS;
  const openingNs = Number(openingDigestEndAtNs - beganAtNs);
  const closingNs = openingNs * RESERVATION_FACTOR * provers.releaseShare;
  const closes = closingNs + marginNs < scope.remainingNs;
  phase('patch');
  await stage?.();
  const control = {
    ...controlOf(around, scope.generation),
    budgetNs: scope.remainingNs - marginNs - (closes ? closingNs : 0),
    released: () => scope.released,
  };
  const runs = patches.length === 0 ? [] : await runPatches(patches, control);
  const patchesEndAtNs = monotonicNs();
  stop.throwIfAborted();

  phase('digest-at-release');
  if (closes && !scope.released) await provers.atRelease();
  const closingDigestEndAtNs = closingNs === 0 ? patchesEndAtNs : monotonicNs();
  stop.throwIfAborted();
  const cuts = {
    openingDigestEndAtNs: plan.proof === 'none' ? undefined : openingDigestEndAtNs,
    patchesEndAtNs,
    closingDigestEndAtNs,
  };
  return { cuts, runs };
}

const marginMs = (budgetMs: number): number =>
  Math.min(MARGIN_MS_MAX, Math.max(MARGIN_MS_MIN, budgetMs * MARGIN_SHARE));

function injectFaults({ faults, targets }: MaintenancePlan): void {
  for (const fault of faults) targets.find(({ vm }) => vm.name === fault.vm)?.vm.flipBit(fault.gpa, fault.bit);
}
