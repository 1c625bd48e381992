import { Fleet } from '../../fleet/fleet.js';
import type { PlannedMaintenance } from '../../maintenance/plan.js';
import { EXIT_NOT_OK, EXIT_OK } from '../exit-codes.js';
import type { Outcome, Watch } from '../perform.js';
import { planRolloutRun, type RolloutFlags } from './options.js';
import { populate } from './populate.js';
import { type Placement, placementOf, renderPlacement, renderPlans } from './render.js';

export interface HostPlan {
  readonly host: string;
  readonly updateDomain: number;
  /** What a maintenance of it would do, as `host.planMaintenance` tells. */
  readonly maintenance: PlannedMaintenance;
}

/** What a rollout would do, as JSON. */
export interface FleetPlan extends Placement {
  readonly schemaVersion: 1;
  /** Every patch qualifies on every host. */
  readonly qualifies: boolean;
  /** In the order in which they would be taken. */
  readonly maintenances: readonly HostPlan[];
}

/** The work of `standstill rollout --plan` and of `standstill plan --hosts`: nothing is applied. */
export async function planFleet(flags: RolloutFlags, { signal, say }: Watch): Promise<Outcome> {
  const run = planRolloutRun(flags);
  await using fleet = await Fleet.create(run.fleet);
  say(`creating ${run.vms.length} VMs`);
  await populate(fleet, run, signal);
  const { patches, budgetMs, allowReboot } = run.rollout;
  const placement = placementOf(fleet, fleet.planSteps(run.rollout));
  const maintenances: HostPlan[] = [];
  for (const { updateDomain, hosts } of placement.steps) {
    for (const host of fleet.hosts.filter(({ name }) => hosts.includes(name))) {
      signal.throwIfAborted();
      const maintenance = await host.planMaintenance({ patches, budgetMs, allowReboot });
      maintenances.push({ host: host.name, updateDomain, maintenance });
    }
  }
  const qualifies = maintenances.every(({ maintenance }) => maintenance.qualifies);
  const json: FleetPlan = { schemaVersion: 1, qualifies, ...placement, maintenances };
  return {
    json,
    text: (terminal) => `\n${renderPlacement(placement, terminal)}\n\n${renderPlans(maintenances, terminal)}\n\n`,
    exitCode: qualifies ? EXIT_OK : EXIT_NOT_OK,
  };
}
