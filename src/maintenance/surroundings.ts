import { NS_PER_MS } from '../base/units.js';
import type { MaintenanceEvent, MaintenancePhase } from './events.js';
import type { HostPatch } from './host-patch.js';
import type { Notice } from './notice.js';
import type { MaintenancePlan } from './options.js';
import type { PatchPool, PatchSession } from './patch-pool.js';
import type { PatchingControl } from './patching.js';
import type { Provers } from './prover.js';
import type { UpdateSession } from './update-session.js';

/** What the parts of one maintenance share. */
export interface Surroundings {
  readonly plan: MaintenancePlan;
  readonly pool: PatchPool;
  readonly session: PatchSession;
  readonly provers: Provers;
  /** Undefined where there is no bundle. */
  readonly update: UpdateSession | undefined;
  readonly notice: Notice | undefined;
  /** Those that are applied with the VMs running, and those that are not. */
  readonly freePatches: readonly HostPatch[];
  readonly patches: readonly HostPatch[];
  readonly stop: AbortSignal;
  readonly phase: (name: MaintenancePhase) => void;
  readonly emit: (event: MaintenanceEvent) => void;
}

/** How patches are run outside of a freeze: nobody stands still for them, but they do not run for ever. */
export const controlOf = ({ plan, pool, stop, emit }: Surroundings, generation: number | null): PatchingControl => ({
  stop,
  budgetNs: plan.budgetMs * NS_PER_MS,
  graceMsMax: pool.limits.graceMs,
  released: () => false,
  generation,
  emit,
});
