import type { LogEntry } from '../../base/event-log.js';
import { checkRollout } from '../../fleet/check-rollout.js';
import type { FleetEvent } from '../../fleet/events.js';
import { entriesOf, type Observed, type Sample, vmReports } from './samples.js';

/** A state of which there is one for all, made of what was seen of each. */
export interface StateSamples {
  readonly samples: readonly Sample<string>[];
  /** From the worst to the best: the worst that was seen is the state of all. */
  readonly order: readonly string[];
  /** What led to it, a sentence each. */
  readonly detail: readonly string[];
}

/** The metrics that are a state, of what the names mean. */
export const STATES = {
  memory: (observed, isMeant) => {
    const proofs = [
      ...vmReports(observed).map(({ name, memory, changedPages }) => ({
        of: name,
        value: memory,
        detail:
          changedPages === null
            ? memory
            : `${changedPages.count} pages changed, the first is ${changedPages.firstPage}`,
      })),
      ...entriesOf(observed, 'memory-read').map(({ vm, memory, difference }) => ({
        of: vm,
        value: memory,
        detail: difference ?? memory,
      })),
    ].filter(({ of }) => isMeant(of));
    return {
      samples: proofs,
      order: ['changed', 'lost', 'unproven', 'preserved'],
      detail: proofs.filter(({ value }) => value !== 'preserved').map(({ of, detail }) => `${of}: ${detail}`),
    };
  },
  invariants: (observed, isMeant) => {
    const checked = vmReports(observed).filter(({ name, invariantsOk }) => invariantsOk !== null && isMeant(name));
    return {
      samples: checked.map(({ name, invariantsOk }) => ({ of: name, value: invariantsOk ? 'hold' : 'violated' })),
      order: ['violated', 'hold'],
      detail: checked.flatMap(({ name, violation }) => (violation === null ? [] : [`${name}: ${violation}`])),
    };
  },
  budget: (observed, isMeant) => {
    const freezes = [
      ...observed.maintenances.map(({ host, report }) => ({
        of: host,
        kept: report.budgetKept,
        what: 'a maintenance',
      })),
      ...entriesOf(observed, 'impact-end')
        .filter(({ cause }) => cause === 'freeze')
        .map(({ host, vm, resumedBy }) => ({ of: host, kept: resumedBy !== 'deadline', what: `the freeze of ${vm}` })),
    ].filter(({ of }) => isMeant(of));
    return {
      samples: freezes.map(({ of, kept }) => ({ of, value: kept ? 'kept' : 'exceeded' })),
      order: ['exceeded', 'kept'],
      detail: freezes.filter(({ kept }) => !kept).map(({ of, what }) => `${of}: the deadline ended ${what}`),
    };
  },
  updateDomains: (observed, isMeant) => {
    const places = entriesOf(observed, 'vm-placed');
    const setOf = (vm: string) => places.find((place) => place.vm === vm)?.availabilitySet ?? null;
    const impacts = entriesOf(observed, 'impact-end').flatMap(({ vm }) => {
      const set = setOf(vm);
      return set !== null && isMeant(set) ? [set] : [];
    });
    // What else the log of a run tells, the check passes over.
    const { violations } = checkRollout(observed.log as readonly LogEntry<FleetEvent>[]);
    const found = violations.filter(
      ({ kind, availabilitySet }) => kind === 'two-domains' && availabilitySet !== null && isMeant(availabilitySet),
    );
    const broken = new Set(found.map(({ availabilitySet }) => availabilitySet));
    return {
      samples: impacts.map((set) => ({ of: set, value: broken.has(set) ? 'several at a time' : 'oneAtATime' })),
      order: ['several at a time', 'oneAtATime'],
      detail: found.map(({ message }) => message),
    };
  },
  rollout: ({ rollouts }) => ({
    samples: rollouts.map(({ rollout, status, ok }) => ({ of: rollout, value: rolloutState(status, ok) })),
    order: ['stopped', 'rolledBack', 'not well', 'done'],
    detail: rollouts.flatMap(({ problems }) => problems),
  }),
} satisfies Record<string, (observed: Observed, isMeant: (name: string) => boolean) => StateSamples>;

function rolloutState(status: string, isOk: boolean): string {
  if (status === 'done') return isOk ? 'done' : 'not well';
  return status === 'rolled-back' ? 'rolledBack' : 'stopped';
}
