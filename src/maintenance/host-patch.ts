import type { ImpactClass } from '../components/manifest.js';
import type { PatchSession, RunControl } from './patch-pool.js';
import type { PatchSource } from './patch-source.js';
import type { TaskEnd } from './patch-task.js';
import type { Candidate, PatchPlan } from './plan.js';
import type { UpdateSession } from './update-session.js';

/** One patch of a maintenance, of whatever kind. */
export interface HostPatch {
  readonly planned: PatchPlan;
  readonly name: string;
  readonly impact: ImpactClass;
  /** Does it, in the freeze of that generation or with the VMs running or restarting (null). Never rejects. */
  run(generation: number | null, control: RunControl): Promise<TaskEnd>;
}

/** A module of the user's, loaded before: it works on the host's folder as it likes. */
function modulePatch(planned: PatchPlan, source: PatchSource, session: PatchSession): HostPatch {
  const { name, impact } = planned;
  return { planned, name, impact, run: (_, control) => session.run(source, control) };
}

/** A bundle, staged before, or a rollback: it makes a component's other version current. */
function bundlePatch(planned: PatchPlan, component: string, update: UpdateSession): HostPatch {
  const { name, impact } = planned;
  return { planned, name, impact, run: (generation, control) => update.switch(component, generation, control) };
}

export function hostPatchOf(
  { planned, source, bundle }: Candidate,
  session: PatchSession,
  update: UpdateSession | undefined,
): HostPatch {
  if (source !== undefined) return modulePatch(planned, source, session);
  if (bundle !== undefined && update !== undefined) return bundlePatch(planned, bundle.manifest.component, update);
  throw new Error(`the patch ${planned.name} was refused`);
}
