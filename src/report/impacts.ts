import type { FreezeCause } from '../maintenance/freeze-scope.js';
import type { MaintenanceReport } from '../maintenance/report.js';
import { groupBy } from './group-by.js';
import type { RunRecord } from './record.js';

/** A VM that stood still. Times are nanoseconds since the log's begin. */
export interface Impact {
  readonly host: string;
  readonly vm: string;
  readonly cause: FreezeCause;
  readonly requestedAtNs: number;
  readonly haltedAtNs: number;
  readonly resumedAtNs: number;
  /** From the guest's own halt stamp to its own resume stamp. */
  readonly blackoutNs: number;
  readonly byDeadline: boolean;
}

/** A maintenance as the log has it, with its report where the record has one. */
export interface MaintenanceWindow {
  readonly host: string;
  readonly beganAtNs: number;
  readonly endedAtNs: number;
  readonly outcome: 'well' | 'not well' | 'refused' | 'unfinished';
  /** Why it is not well, a sentence each. */
  readonly problems: readonly string[];
  readonly report: MaintenanceReport | null;
  readonly impacts: readonly Impact[];
}

/** Every VM that stood still, in the order in which they ran again. */
export function impactsOf({ log }: RunRecord): Impact[] {
  const requests = new Map<string, number>();
  return log.flatMap((entry) => {
    if (entry.type !== 'impact-begin' && entry.type !== 'impact-end') return [];
    const { host, vm, cause, haltedAtNs } = entry;
    const key = JSON.stringify([host, vm, haltedAtNs]);
    if (entry.type === 'impact-begin') {
      requests.set(key, entry.requestedAtNs);
      return [];
    }
    const { resumedAtNs, resumedBy } = entry;
    const requestedAtNs = requests.get(key) ?? haltedAtNs;
    const blackoutNs = resumedAtNs - haltedAtNs;
    return [
      { host, vm, cause, requestedAtNs, haltedAtNs, resumedAtNs, blackoutNs, byDeadline: resumedBy === 'deadline' },
    ];
  });
}

/** What a service feels: the inspections behind a maintenance are short and no part of what was asked for. */
export const blackoutsOf = (record: RunRecord): Impact[] =>
  impactsOf(record).filter(({ cause }) => cause !== 'inspection');

/** Every maintenance, in the order in which they began. */
export function maintenancesOf(record: RunRecord): MaintenanceWindow[] {
  const windows = windowsOf(record);
  const reports = groupBy(record.maintenances, ({ host }) => host);
  const ended = groupBy(
    windows.filter(({ outcome }) => outcome === 'well' || outcome === 'not well'),
    ({ host }) => host,
  );
  const impacts = groupBy(impactsOf(record), ({ host }) => host);
  return windows.map((window) => {
    // A log may reach further back than this process, and a rollout than its reports: the last belong to the last.
    const own = ended.get(window.host) ?? [];
    const fromEnd = own.indexOf(window) - own.length;
    return {
      ...window,
      report: fromEnd < 0 ? (reports.get(window.host)?.at(fromEnd)?.report ?? null) : null,
      impacts: (impacts.get(window.host) ?? []).filter(
        ({ cause, haltedAtNs }) =>
          (cause === 'maintenance' || cause === 'restart') &&
          haltedAtNs >= window.beganAtNs &&
          haltedAtNs <= window.endedAtNs,
      ),
    };
  });
}

type Window = Omit<MaintenanceWindow, 'report' | 'impacts'>;

/** A host has one maintenance at a time. */
function windowsOf({ log }: RunRecord): Window[] {
  const windows: Window[] = [];
  const open = new Map<string, number>();
  const close = (host: string, changes: Omit<Window, 'host' | 'beganAtNs'>) => {
    const index = open.get(host);
    const window = index === undefined ? undefined : windows[index];
    if (index === undefined || window === undefined) return;
    windows[index] = { ...window, ...changes };
    open.delete(host);
  };
  const endNs = log.at(-1)?.atNs ?? 0;
  for (const entry of log) {
    const { atNs } = entry;
    if (entry.type === 'maintenance-begin') {
      const { host } = entry;
      open.set(host, windows.length);
      windows.push({ host, beganAtNs: atNs, endedAtNs: endNs, outcome: 'unfinished', problems: [] });
    } else if (entry.type === 'maintenance-end') {
      close(entry.host, { endedAtNs: atNs, outcome: entry.ok ? 'well' : 'not well', problems: entry.problems });
    } else if (entry.type === 'maintenance-rejected') {
      close(entry.host, { endedAtNs: atNs, outcome: 'refused', problems: [entry.message] });
    } else if (entry.type === 'fleet-opened') {
      for (const host of open.keys()) close(host, { endedAtNs: atNs, outcome: 'unfinished', problems: [] });
    }
  }
  return windows;
}
