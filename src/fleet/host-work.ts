import { monotonicNs } from '../base/clock.js';
import type { ErrorCode } from '../base/error-codes.js';
import { isStandstillError, messageOf } from '../base/errors.js';
import { readBundleHead } from '../components/bundle.js';
import type { Host } from '../host/host.js';
import type { MaintenanceReport } from '../maintenance/report.js';
import type { Applied, Direction } from './rollout-events.js';
import type { PlannedPatch, RolloutPlan } from './rollout-plan.js';

export interface HostOutcome {
  readonly applied: Applied;
  readonly ok: boolean;
  readonly problems: readonly string[];
  readonly durationNs: number;
}

/** With these, a maintenance ends before its first patch begins. */
const BEFORE_PATCHES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ERR_HOST_CLOSED',
  'ERR_MAINTENANCE_ACTIVE',
  'ERR_INVALID_OPTION',
  'ERR_UNKNOWN_OPTION',
  'ERR_PATCH_NOT_FOUND',
  'ERR_PATCH_INVALID',
  'ERR_PATCH_REFUSED',
  'ERR_BUNDLE_INVALID',
  'ERR_BUNDLE_UNTRUSTED',
  'ERR_BUNDLE_DIGEST',
  'ERR_PATCH_ABANDONED',
  'ERR_BUSY',
  'ERR_PAUSE_TIMEOUT',
  'ERR_VM_CLOSED',
]);

/** One host's maintenance, and what it says about whether the patches are on the host. It never rejects. */
export async function workOnHost(host: Host, direction: Direction, plan: RolloutPlan): Promise<HostOutcome> {
  const beganAtNs = monotonicNs();
  const ended = (applied: Applied, problems: readonly string[]): HostOutcome => ({
    applied,
    ok: problems.length === 0,
    problems,
    durationNs: Number(monotonicNs() - beganAtNs),
  });
  const before: Applied = direction === 'forward' ? 'no' : 'unknown';
  try {
    const patches = direction === 'forward' ? plan.patches : plan.rollbackPatches;
    const report = await host.applyMaintenance({ ...plan.maintenance, patches });
    return ended(appliedBy(report, direction), report.problems);
  } catch (error) {
    const hasNotBegun = isStandstillError(error) && BEFORE_PATCHES.has(error.code);
    return ended(hasNotBegun ? before : 'unknown', [messageOf(error)]);
  }
}

/** A patch that failed by itself has done nothing, by its contract; a module that was cut off may have. Bundles are kept, or taken back. */
function appliedBy({ patches }: MaintenanceReport, direction: Direction): Applied {
  const [done, undone] = direction === 'forward' ? (['yes', 'no'] as const) : (['no', 'yes'] as const);
  if (patches.every(({ ok }) => ok)) return done;
  const touched = patches.some(
    ({ kind, status }) =>
      kind === 'module' && (status === 'applied' || status === 'cancelled' || status === 'abandoned'),
  );
  return touched ? 'unknown' : undone;
}

/**
 * Whether a host's components have the versions that these bundles bring; null where a module is among them, of which
 * nobody but its maker can say.
 */
export async function bundlesApplied(patches: readonly PlannedPatch[], host: Host): Promise<boolean | null> {
  const bundles = patches.flatMap((patch) => ('bundle' in patch ? [patch.bundle] : []));
  if (bundles.length < patches.length) return null;
  const heads = await Promise.all(bundles.map(readBundleHead));
  return heads.every(({ manifest }) => host.components.get(manifest.component)?.version === manifest.to);
}
