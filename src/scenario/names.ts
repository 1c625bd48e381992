import { basename } from 'node:path';
import type { FleetEvent } from '../fleet/events.js';
import type { ScenarioFile } from './schema.js';
import { TARGETS } from './schema-checks.js';
import { ACTIONS, type ActionKind } from './schema-schedule.js';

type Entry = ScenarioFile['schedule'][number];
type Probe = ScenarioFile['probes'][number];

/** What `after` may name beside entries: what the event log has. */
export const LOG_EVENTS = [
  'event-scheduled',
  'event-acknowledged',
  'event-notice-passed',
  'event-started',
  'event-impact-begin',
  'event-impact-end',
  'event-removed',
  'service-enabled',
  'freeze-begin',
  'impact-begin',
  'impact-end',
  'maintenance-begin',
  'maintenance-phase',
  'maintenance-end',
  'maintenance-rejected',
  'patch-end',
  'rollout-started',
  'domain-begin',
  'domain-end',
  'host-patch-begin',
  'host-patch-end',
  'rollout-done',
  'rollout-stopped',
  'rollout-rolled-back',
] as const satisfies readonly FleetEvent['type'][];

export const hostNames = (hosts: ScenarioFile['hosts']): string[] =>
  typeof hosts === 'number'
    ? Array.from({ length: hosts }, (_, index) => `host-${index + 1}`)
    : hosts.map(({ name }, index) => name ?? `host-${index + 1}`);

/** The VMs that an entry of `vms` stands for. */
export const vmNames = ({ name, count }: Pick<ScenarioFile['vms'][number], 'name' | 'count'>): string[] =>
  count === undefined ? [name] : Array.from({ length: count }, (_, index) => `${name}-${index}`);

export function patchName(patch: ScenarioFile['patches'][number]): string {
  if (patch.name !== undefined) return patch.name;
  if ('builtin' in patch) return patch.builtin;
  return basename('module' in patch ? patch.module : patch.bundle).replace(
    /\.(?:[cm]?[jt]s|tar|tgz|tar\.gz|tar\.zst)$/,
    '',
  );
}

export const setName = (set: ScenarioFile['sets'][number]): string => (typeof set === 'string' ? set : set.name);

export function actionKind(entry: Entry): ActionKind {
  return keyOf(entry, ACTIONS);
}

export function probeTarget(probe: Probe): (typeof TARGETS)[number] {
  return keyOf(probe, TARGETS);
}

/** Each entry's id: its own, or its kind and which of it it is. */
export const entryIds = (schedule: readonly Entry[]): string[] => numbered(schedule, (entry) => entry.id, actionKind);

export const probeNames = (probes: readonly Probe[]): string[] => numbered(probes, (probe) => probe.name, probeTarget);

function numbered<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => string | undefined,
  kindOf: (item: Item) => string,
): string[] {
  const counts = new Map<string, number>();
  return items.map((item) => {
    const kind = kindOf(item);
    const number = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, number);
    return nameOf(item) ?? `${kind}-${number}`;
  });
}

/** The one of these keys that has a value, as the schema has made sure. */
function keyOf<Key extends string>(value: Partial<Record<Key, unknown>>, keys: readonly Key[]): Key {
  const key = keys.find((candidate) => value[candidate] !== undefined);
  if (key === undefined) throw new Error(`one of ${keys.join(', ')} was to be given`);
  return key;
}

/** What `after` means: the index of an entry, an event of the log, or, where it is neither, why. */
export type After =
  | { readonly kind: 'entry'; readonly index: number }
  | { readonly kind: 'event'; readonly type: string }
  | { readonly kind: 'ambiguous'; readonly ids: readonly string[] }
  | { readonly kind: 'unknown' };

export function afterOf(after: string, schedule: readonly Entry[]): After {
  const ids = entryIds(schedule);
  const index = ids.indexOf(after);
  if (index !== -1) return { kind: 'entry', index };
  const ofKind = schedule.flatMap((entry, at) => (actionKind(entry) === after ? [at] : []));
  if (ofKind[0] !== undefined && ofKind.length === 1) return { kind: 'entry', index: ofKind[0] };
  if (ofKind.length > 1) return { kind: 'ambiguous', ids: ofKind.map((at) => ids[at] ?? '') };
  return LOG_EVENTS.some((type) => type === after) ? { kind: 'event', type: after } : { kind: 'unknown' };
}
