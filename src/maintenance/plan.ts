import { createPublicKey } from 'node:crypto';
import semver from 'semver';
import type { ErrorCode } from '../base/error-codes.js';
import { isStandstillError, StandstillError, show } from '../base/errors.js';
import { formatNs, NS_PER_MS } from '../base/units.js';
import { readBundleHead } from '../components/bundle.js';
import { assertTrusted } from '../components/keys.js';
import { type BundleManifest, IMPACT_CLASSES, type ImpactClass } from '../components/manifest.js';
import type { ComponentStore } from '../components/store.js';
import type { PlannedBundle } from '../components/update.js';
import { dependenciesOf, inOrder } from './dependencies.js';
import { kindOf, locatePatch, type PatchSource, type PatchSpec, type RollbackSpec } from './patch-source.js';

/** Why a patch is not applied. */
export type RefusalReason =
  | 'not-readable'
  | 'untrusted'
  | 'component-missing'
  | 'component-twice'
  | 'version-not-in-range'
  | 'no-previous-version'
  | 'missing-dependency'
  | 'cyclic-dependency'
  | 'reboot-required'
  | 'exceeds-budget'
  | 'component-disallows-pause'
  | 'vm-pinned';

/** Why a patch does not qualify. */
export interface PatchRefusal {
  reason: RefusalReason;
  /** What `applyMaintenance` rejects with. */
  code: ErrorCode;
  message: string;
}

/** One patch of a plan. */
export interface PatchPlan {
  name: string;
  kind: 'module' | 'bundle' | 'rollback';
  /** What it says of itself; 'pause' for a module; for a rollback that of the update that it takes back. */
  ownImpact: ImpactClass;
  /** What it does here: the greatest of its own and of those it depends on. */
  impact: ImpactClass;
  qualifies: boolean;
  refusals: PatchRefusal[];
  /** Null for a module, for a bundle that cannot be read, and for a rollback to nothing. */
  bundle: {
    /** Null for a rollback. */
    path: string | null;
    id: string;
    component: string;
    /** The version that is current, null where the component is not installed, and those that the patch can be applied to. */
    currentVersion: string | null;
    from: string;
    to: string;
    /** 0 for a rollback, of which nobody has said it. */
    expectedDurationMs: number;
    /** Of the trusted key that signed it; null: none did. */
    keyId: string | null;
  } | null;
}

/** What a maintenance would do. */
export interface PlannedMaintenance {
  schemaVersion: 1;
  /** Every patch qualifies: `applyMaintenance` would begin. */
  qualifies: boolean;
  /** Of all of it: the greatest of its patches'. */
  impact: ImpactClass;
  budgetMs: number;
  /** Sum of what the bundles that need a freeze expect; modules and proofs are not in it. */
  expectedBlackoutMs: number;
  /** Names of the VMs that it hits; none where the impact is none. */
  vms: string[];
  /** What keeps a maintenance without patches from being done. */
  refusals: PatchRefusal[];
  /** In the order in which they are applied. */
  patches: PatchPlan[];
}

export interface PlanningContext {
  readonly store: ComponentStore;
  /** Public keys as PEM text. */
  readonly trustedKeys: readonly string[];
  readonly budgetMs: number;
  readonly allowReboot: boolean;
  readonly vms: readonly { readonly name: string; readonly pinned: boolean }[];
}

/** A patch with what is needed to apply it. */
export interface Candidate {
  readonly planned: PatchPlan;
  readonly source: PatchSource | undefined;
  readonly bundle: PlannedBundle | undefined;
}

export interface Planning {
  readonly plan: PlannedMaintenance;
  readonly candidates: readonly Candidate[];
}

/** Reads the patches and decides about each of them; nothing is changed. Rejects with ERR_PATCH_NOT_FOUND for a module. */
export async function planPatches(
  specs: readonly (PatchSpec | RollbackSpec)[],
  context: PlanningContext,
): Promise<Planning> {
  const candidates = await Promise.all(specs.map((spec) => candidateOf(spec, context)));
  const bundles = candidates.flatMap(({ bundle }) => (bundle === undefined ? [] : [bundle.manifest]));
  const { needed, cyclic } = dependenciesOf(bundles);
  for (const { planned, bundle } of candidates) {
    if (bundle === undefined) continue;
    const { manifest } = bundle;
    if (cyclic.has(manifest))
      refuse(
        planned,
        'cyclic-dependency',
        `it depends on itself by way of ${[...cyclic].map(({ id }) => id).join(', ')}`,
      );
    refuseByComponent(planned, manifest, bundles, context);
    planned.impact = greatest([manifest, ...(needed.get(manifest) ?? [])].map(({ impact }) => impact));
  }
  const ordered = inOrder(candidates, ({ bundle }) => bundle?.manifest, needed);
  const expectedBlackoutMs = refuseByImpact(ordered, context);
  const impact = ordered.length === 0 ? 'pause' : greatest(ordered.map(({ planned }) => planned.impact));
  for (const { planned } of ordered) planned.qualifies = planned.refusals.length === 0;
  const refusals = ordered.length === 0 ? pinnedRefusals(context) : [];
  const plan: PlannedMaintenance = {
    schemaVersion: 1,
    qualifies: refusals.length === 0 && ordered.every(({ planned }) => planned.qualifies),
    impact,
    budgetMs: context.budgetMs,
    expectedBlackoutMs,
    vms: impact === 'none' ? [] : context.vms.map(({ name }) => name),
    refusals,
    patches: ordered.map(({ planned }) => planned),
  };
  return { plan, candidates: ordered };
}

/** Throws the first refusal's error, whose message has all of them. */
export function assertQualifies({ patches, refusals }: PlannedMaintenance): void {
  const all = [{ name: 'the freeze', refusals }, ...patches].flatMap((each) =>
    each.refusals.map((refusal) => ({ name: each.name, ...refusal })),
  );
  const [first] = all;
  if (first === undefined) return;
  const reasons = all.map(({ name, message }) => `${name}: ${message}`).join('; ');
  throw new StandstillError(first.code, `Expected patches that qualify but ${reasons}`);
}

async function candidateOf(spec: PatchSpec | RollbackSpec, context: PlanningContext): Promise<Candidate> {
  if (typeof spec === 'object' && 'rollback' in spec) return rollbackOf(spec.rollback, context);
  const { store, trustedKeys } = context;
  const kind = kindOf(spec);
  if ('module' in kind) {
    const source = await locatePatch(kind.module);
    return { planned: { ...BLANK, refusals: [], name: source.name, kind: 'module' }, source, bundle: undefined };
  }
  const path = kind.bundle;
  const planned: PatchPlan = { ...BLANK, refusals: [], name: path, kind: 'bundle' };
  try {
    const { manifest, signature } = await readBundleHead(path);
    const { id, component, from, to, expectedDurationMs, impact } = manifest;
    planned.name = id;
    planned.ownImpact = impact;
    const currentVersion = store.get(component)?.version ?? null;
    planned.bundle = { path, id, component, currentVersion, from, to, expectedDurationMs, keyId: null };
    try {
      planned.bundle.keyId = assertTrusted(
        manifest,
        signature,
        trustedKeys.map((pem) => createPublicKey(pem)),
        path,
      );
    } catch (error) {
      refuseWith(planned, 'untrusted', error);
    }
    return { planned, source: undefined, bundle: { path, manifest } };
  } catch (error) {
    refuseWith(planned, 'not-readable', error);
    return { planned, source: undefined, bundle: undefined };
  }
}

function rollbackOf(component: string, { store }: PlanningContext): Candidate {
  const planned: PatchPlan = { ...BLANK, refusals: [], name: `rollback of ${component}`, kind: 'rollback' };
  const manifest = store.wayBack(component);
  if (manifest === undefined) {
    if (store.get(component) === undefined) {
      refuse(planned, 'component-missing', `the host has no component ${show(component)}`);
    } else refuse(planned, 'no-previous-version', `there is no version of ${component} before its current one`);
    return { planned, source: undefined, bundle: undefined };
  }
  const { id, from, to, expectedDurationMs, impact } = manifest;
  planned.ownImpact = impact;
  planned.bundle = { path: null, id, component, currentVersion: from, from, to, expectedDurationMs, keyId: null };
  return { planned, source: undefined, bundle: { path: null, manifest } };
}

const BLANK = { ownImpact: 'pause', impact: 'pause', qualifies: false, bundle: null } as const;

function refuseByComponent(
  planned: PatchPlan,
  manifest: BundleManifest,
  all: readonly BundleManifest[],
  { store }: PlanningContext,
): void {
  const { component, from, to } = manifest;
  const installed = store.get(component);
  if (installed === undefined) refuse(planned, 'component-missing', `the host has no component ${show(component)}`);
  else if (!semver.satisfies(installed.version, from, { includePrerelease: true })) {
    refuse(
      planned,
      'version-not-in-range',
      `it is for versions ${from} of ${component}, which is at ${installed.version}`,
    );
  } else if (installed.version === to) {
    refuse(planned, 'version-not-in-range', `${component} is at ${to} already`);
  }
  if (all.some((other) => other !== manifest && other.component === component)) {
    refuse(planned, 'component-twice', `another patch of this maintenance is for ${component} too`);
  }
  for (const [name, range] of Object.entries(manifest.dependencies)) {
    const version = all.find((other) => other.component === name)?.to ?? store.get(name)?.version;
    if (version !== undefined && semver.satisfies(version, range, { includePrerelease: true })) continue;
    refuse(
      planned,
      'missing-dependency',
      `it needs ${name} ${range}, which ${version === undefined ? 'is not installed' : `is at ${version}`}`,
    );
  }
}

/** Returns the blackout that is expected of all that qualifies. */
function refuseByImpact(ordered: readonly Candidate[], context: PlanningContext): number {
  const { store, budgetMs, allowReboot } = context;
  let expectedMs = 0;
  for (const { planned, bundle } of ordered) {
    if (planned.impact === 'none') continue;
    if (planned.impact === 'reboot' && !allowReboot) {
      refuse(
        planned,
        'reboot-required',
        'it needs the VMs to be restarted, which loses their memory, and that is not allowed',
      );
    }
    planned.refusals.push(...pinnedRefusals(context));
    if (bundle === undefined) continue;
    const { component, expectedDurationMs } = bundle.manifest;
    if (planned.impact === 'pause' && store.get(component)?.allowsPause === false) {
      refuse(planned, 'component-disallows-pause', `${component} allows no pause`);
    }
    if (planned.impact === 'pause') expectedMs += expectedDurationMs;
    if (planned.impact !== 'pause' || expectedMs <= budgetMs) continue;
    const texts = [expectedMs, budgetMs].map((ms) => formatNs(ms * NS_PER_MS));
    refuse(
      planned,
      'exceeds-budget',
      `with it the pause is expected to take ${texts[0]}, more than the budget of ${texts[1]}`,
    );
  }
  return expectedMs;
}

function pinnedRefusals({ vms }: PlanningContext): PatchRefusal[] {
  const pinned = vms.filter((vm) => vm.pinned).map(({ name }) => name);
  if (pinned.length === 0) return [];
  const message = `pinned VMs are neither paused nor restarted: ${pinned.join(', ')}`;
  return [{ reason: 'vm-pinned', code: 'ERR_PATCH_REFUSED', message }];
}

const refuse = (planned: PatchPlan, reason: RefusalReason, message: string): void => {
  planned.refusals.push({ reason, code: 'ERR_PATCH_REFUSED', message });
};

function refuseWith(planned: PatchPlan, reason: RefusalReason, error: unknown): void {
  if (!isStandstillError(error)) throw error;
  planned.refusals.push({ reason, code: error.code, message: error.message });
}

const greatest = (classes: readonly ImpactClass[]): ImpactClass =>
  IMPACT_CLASSES.findLast((impact) => classes.includes(impact)) ?? 'none';
