import type { Fleet } from '../../fleet/fleet.js';
import { provideComponents } from '../../scenario/provide-components.js';
import type { RolloutRun } from './options.js';

/** Gives a fleet its VMs, and hosts that are made for the command the components that the bundles are for. */
export async function populate(
  fleet: Fleet,
  { fleet: { directory }, sets, vms, rollout }: RolloutRun,
  signal: AbortSignal,
): Promise<void> {
  if (directory === undefined) {
    for (const host of fleet.hosts) await provideComponents(host.components, rollout.patches);
  }
  for (const name of sets) fleet.createAvailabilitySet({ name });
  for (const options of vms) {
    signal.throwIfAborted();
    (await fleet.createVm(options)).start();
  }
}
