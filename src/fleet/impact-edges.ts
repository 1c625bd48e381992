import type { LogEntry } from '../base/event-log.js';
import type { FleetEvent } from './events.js';
import type { VmPlace } from './placement.js';

/** A VM of a set. */
export interface SetMember extends VmPlace {
  readonly availabilitySet: string;
}

/** A moment at which something changes for one VM of a set, or, `vm: null`, at which a process and all its VMs ended. */
export interface Edge {
  readonly atNs: number;
  readonly vm: SetMember | null;
  readonly change:
    | 'placed'
    | 'runs'
    | 'paused'
    | 'faulted'
    | 'mended'
    | 'closed'
    | 'impact-begin'
    | 'impact-end'
    | 'reset';
  readonly entry: LogEntry<FleetEvent>;
}

/**
 * What the entries say of the VMs of sets, in the order in which it happened: an impact is written down behind the freeze
 * and carries the stamps of its halt and its resume. An impact lasts from its halt up to, and without, its resume.
 */
export function edgesOf(entries: readonly LogEntry<FleetEvent>[]): Edge[] {
  const edges: Edge[] = [];
  for (const process of processes(entries)) edges.push(...edgesOfProcess(process));
  return edges;
}

/** The entries of one process after the other. */
function processes(entries: readonly LogEntry<FleetEvent>[]): LogEntry<FleetEvent>[][] {
  const parts: LogEntry<FleetEvent>[][] = [];
  for (const entry of entries) {
    if (entry.type === 'fleet-opened' || parts.length === 0) parts.push([]);
    parts.at(-1)?.push(entry);
  }
  return parts;
}

function edgesOfProcess(entries: readonly LogEntry<FleetEvent>[]): Edge[] {
  const members = new Map<string, SetMember>();
  for (const entry of entries) {
    if (entry.type === 'vm-placed' && entry.availabilitySet !== null) {
      members.set(entry.vm, { ...entry, availabilitySet: entry.availabilitySet });
    }
  }
  const edges = entries.flatMap((entry) => {
    const vm = 'vm' in entry ? members.get(entry.vm) : undefined;
    const edge = vm === undefined ? undefined : edgeOf(entry);
    return vm === undefined || edge === undefined ? [] : [{ ...edge, vm, entry }];
  });
  // The sort is stable: what happened at one moment stays in the order in which it was written down.
  edges.sort((a, b) => a.atNs - b.atNs);
  const last = entries.at(-1);
  const reset = last === undefined ? [] : [{ atNs: last.atNs, vm: null, change: 'reset', entry: last } as const];
  return [...edges, ...reset];
}

function edgeOf(entry: LogEntry<FleetEvent>): Pick<Edge, 'atNs' | 'change'> | undefined {
  switch (entry.type) {
    case 'vm-placed':
      return { atNs: entry.atNs, change: 'placed' };
    case 'vm-started':
    case 'vm-resumed':
      return { atNs: entry.atNs, change: 'runs' };
    case 'vm-paused':
      return { atNs: entry.atNs, change: 'paused' };
    case 'vm-rolled-back':
      return { atNs: entry.atNs, change: 'mended' };
    case 'vm-faulted':
      return { atNs: entry.atNs, change: 'faulted' };
    case 'vm-closed':
      return { atNs: entry.atNs, change: 'closed' };
    case 'impact-begin':
      return { atNs: entry.haltedAtNs, change: 'impact-begin' };
    case 'impact-end':
      return { atNs: entry.resumedAtNs, change: 'impact-end' };
    default:
      return undefined;
  }
}
