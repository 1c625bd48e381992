import { monotonicNs } from '../base/clock.js';
import type { ErrorCode } from '../base/error-codes.js';
import { isStandstillError, messageOf } from '../base/errors.js';
import { readBundleHead } from '../components/bundle.js';
import type { BundleManifest } from '../components/manifest.js';
import type { Host } from '../host/host.js';
import type { PatchSpec, RollbackSpec } from '../maintenance/patch-source.js';
import type { MaintenanceReport } from '../maintenance/report.js';
import type { Applied, Direction } from './rollout-events.js';
import type { HostMaintainer } from './rollout-options.js';
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
  'ERR_PROCESS_ENDED',
  'ERR_FREEZER_UNAVAILABLE',
  'ERR_SUPERVISOR_LOST',
]);

/** One host's maintenance, and what it says about whether the patches are on the host. It never rejects. */
export async function workOnHost(
  host: Host,
  direction: Direction,
  plan: RolloutPlan,
  maintain: HostMaintainer = (own, options) => own.applyMaintenance(options),
): Promise<HostOutcome> {
  const beganAtNs = monotonicNs();
  const ended = (applied: Applied, problems: readonly string[]): HostOutcome => ({
    applied,
    ok: problems.length === 0,
    problems,
    durationNs: Number(monotonicNs() - beganAtNs),
  });
  const before: Applied = direction === 'forward' ? 'no' : 'unknown';
  try {
    const patches = direction === 'forward' ? plan.patches : await waysBack(plan, host);
    if (patches.length === 0) return ended('no', []);
    const report = await maintain(host, { ...plan.maintenance, patches });
    return ended(appliedBy(report, direction), report.problems);
  } catch (error) {
    const hasNotBegun = isStandstillError(error) && BEFORE_PATCHES.has(error.code);
    return ended(hasNotBegun ? before : 'unknown', [messageOf(error)]);
  }
}

/** What takes patches back. A bundle whose version is not current is not there, or no more. */
async function waysBack(
  { patches, rollbackPatches }: RolloutPlan,
  host: Host,
): Promise<readonly (PatchSpec | RollbackSpec)[]> {
  const given = (await manifestsOf(rollbackPatches)).map(({ component }) => component);
  const brought = (await manifestsOf(patches)).filter((manifest) => isOn(host, manifest));
  const left = brought.map(({ component }) => component).filter((component) => !given.includes(component));
  return [...rollbackPatches, ...left.toReversed().map((component) => ({ rollback: component }))];
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
  const bundles = await manifestsOf(patches);
  return bundles.length < patches.length ? null : bundles.every((manifest) => isOn(host, manifest));
}

/** Of the bundles among them. */
async function manifestsOf(patches: readonly PlannedPatch[]): Promise<BundleManifest[]> {
  const bundles = patches.flatMap((patch) => ('bundle' in patch ? [patch.bundle] : []));
  return (await Promise.all(bundles.map(readBundleHead))).map(({ manifest }) => manifest);
}

const isOn = (host: Host, { component, to }: BundleManifest): boolean => host.components.get(component)?.version === to;
