import { setTimeout as sleep } from 'node:timers/promises';
import { onAbort } from '../base/abort.js';
import { FreezeScope } from './freeze-scope.js';
import type { MaintenancePlan } from './options.js';
import { blackoutOf } from './phases.js';

/** A second, shorter freeze behind the first one, as some maintenances have it. */
export interface SecondImpactReport {
  durationMs: number;
  /** By VM. */
  blackoutNs: Record<string, number>;
}

/** Freezes the VMs once more, for a given time: its deadline resumes them. Null where none is asked for. */
export async function secondImpact(plan: MaintenancePlan, stop: AbortSignal): Promise<SecondImpactReport | null> {
  if (plan.secondImpact === undefined) return null;
  const { afterMs, durationMs } = plan.secondImpact;
  await sleep(afterMs, undefined, { signal: stop }).catch(() => stop.throwIfAborted());
  const targets = plan.targets.map(({ vm }) => vm).filter(({ state }) => state !== 'closed' && state !== 'faulted');
  await using scope = FreezeScope.begin(targets, { ...plan, budgetMs: durationMs }, (records) =>
    plan.journal('maintenance', records),
  );
  using _release = onAbort(stop, () => scope.release());
  await scope.settled();
  const blackouts = scope.records().map((record) => [record.name, blackoutOf(record)] as const);
  return { durationMs, blackoutNs: Object.fromEntries(blackouts) };
}
