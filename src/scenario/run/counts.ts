import type { RemovalReason } from '../../scheduled-events/events.js';
import { entriesOf, type Observed, vmReports } from './samples.js';

export interface Count {
  readonly value: number;
  /** Of how many it is counted; null where none is a finding too. */
  readonly of: number | null;
  readonly detail: readonly string[];
}

type CountOf = (observed: Observed, isMeant: (name: string) => boolean) => Count;

/** The metrics that are a number of things, of what the names mean. */
export const COUNTS = {
  'events.scheduled': (observed, isMeant) => ({ ...events(observed, isMeant, 'event-scheduled'), of: null }),
  'events.acknowledged': (observed, isMeant) => {
    // A host tells what concerns its VMs, and an event may hit those of several.
    const given = entriesOf(observed, 'event-acknowledged').filter(({ vm }) => isMeant(vm));
    const distinct = new Map(given.map(({ eventId, vm }) => [`${eventId} ${vm}`, `${vm} acknowledged ${eventId}`]));
    return { value: distinct.size, of: all(observed), detail: [...distinct.values()] };
  },
  'events.started': (observed, isMeant) => events(observed, isMeant, 'event-started'),
  'events.completed': (observed, isMeant) => removed(observed, isMeant, 'completed'),
  'events.cancelled': (observed, isMeant) => removed(observed, isMeant, 'cancelled'),
  'events.failed': (observed, isMeant) => removed(observed, isMeant, 'failed'),
  'maintenances.ok': (observed, isMeant) => {
    const { well, bad } = maintenances(observed, isMeant);
    return { value: well, of: well + bad.length, detail: bad };
  },
  'maintenances.failed': (observed, isMeant) => {
    const { well, bad } = maintenances(observed, isMeant);
    return { value: bad.length, of: well + bad.length, detail: bad };
  },
  'maintenances.refused': (observed, isMeant) => {
    const { well, bad } = maintenances(observed, isMeant);
    const refused = rejections(observed, isMeant).filter(({ code }) => code !== null && REFUSALS.has(code));
    return { value: refused.length, of: well + bad.length, detail: refused.map(({ message }) => message) };
  },
  'patches.applied': (observed, isMeant) => patches(observed, isMeant, ['applied']),
  'patches.failed': (observed, isMeant) => patches(observed, isMeant, ['failed', 'cancelled', 'abandoned']),
  'patches.rolledBack': (observed, isMeant) => patches(observed, isMeant, ['rolled-back']),
  'steps.lost': (observed, isMeant) => {
    const frozen = vmReports(observed).flatMap(({ name, rebooted, stepsBefore, stepsAfter }) =>
      rebooted || stepsBefore === null || stepsAfter === null || !isMeant(name)
        ? []
        : [{ name, stepsBefore, stepsAfter, moved: Math.abs(stepsAfter - stepsBefore) }],
    );
    return {
      value: frozen.reduce((sum, { moved }) => sum + moved, 0),
      of: frozen.length,
      detail: frozen.flatMap(({ name, stepsBefore, stepsAfter, moved }) =>
        moved === 0 ? [] : [`${name}: from ${stepsBefore} to ${stepsAfter}`],
      ),
    };
  },
} satisfies Record<string, CountOf>;

/** What keeps an update from qualifying. */
const REFUSALS: ReadonlySet<string> = new Set([
  'ERR_PATCH_REFUSED',
  'ERR_BUNDLE_INVALID',
  'ERR_BUNDLE_UNTRUSTED',
  'ERR_BUNDLE_DIGEST',
]);

const scheduled = (observed: Observed) => [
  ...entriesOf(observed, 'event-scheduled'),
  ...entriesOf(observed, 'event-started'),
];
const all = (observed: Observed): number => new Set(scheduled(observed).map(({ event }) => event.id)).size;

function events(
  observed: Observed,
  isMeant: (name: string) => boolean,
  type: 'event-scheduled' | 'event-started',
): Count {
  const told = entriesOf(observed, type).filter(({ event }) => event.resources.some(isMeant));
  const distinct = new Map(told.map(({ event }) => [event.id, `${event.type} of ${event.resources.join(', ')}`]));
  return { value: distinct.size, of: all(observed), detail: [...distinct.values()] };
}

function removed(observed: Observed, isMeant: (name: string) => boolean, reason: RemovalReason): Count {
  const meant = new Set(scheduled(observed).flatMap(({ event }) => (event.resources.some(isMeant) ? [event.id] : [])));
  const told = entriesOf(observed, 'event-removed').filter(
    (entry) => entry.reason === reason && meant.has(entry.eventId),
  );
  return { value: new Set(told.map(({ eventId }) => eventId)).size, of: all(observed), detail: [] };
}

const rejections = (observed: Observed, isMeant: (name: string) => boolean) =>
  entriesOf(observed, 'maintenance-rejected').filter(({ host }) => isMeant(host));

function maintenances(observed: Observed, isMeant: (name: string) => boolean) {
  const own = observed.maintenances.filter(({ host }) => isMeant(host));
  const bad = [
    ...own.flatMap(({ host, report }) =>
      report.ok ? [] : [`${host}: ${report.result}: ${report.problems.join('; ')}`],
    ),
    ...rejections(observed, isMeant).map(({ host, message }) => `${host}: ${message}`),
  ];
  return { well: own.filter(({ report }) => report.ok).length, bad };
}

function patches(observed: Observed, isMeant: (name: string) => boolean, statuses: readonly string[]): Count {
  const own = observed.maintenances
    .filter(({ host }) => isMeant(host))
    .flatMap(({ host, report }) => report.patches.map((patch) => ({ host, patch })));
  const found = own.filter(({ patch }) => statuses.includes(patch.status));
  return {
    value: found.length,
    of: own.length + rejections(observed, isMeant).length,
    detail: found.map(({ host, patch }) => `${host}: ${patch.name} ${patch.error?.message ?? patch.status}`),
  };
}
