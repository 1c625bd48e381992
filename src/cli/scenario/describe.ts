import type { LogEntry } from '../../base/event-log.js';
import { counted, formatNs } from '../../base/units.js';
import type { RunEvent } from '../../report/record.js';

/** A line for an entry of a run's log; undefined for one that a person who watches does not miss. */
export function describeEntry(entry: LogEntry<RunEvent>): string | undefined {
  switch (entry.type) {
    case 'run-planned':
      return entry.actions.length === 1 ? '1 action is planned' : `${entry.actions.length} actions are planned`;
    case 'vm-started':
      return `${entry.vm} started`;
    case 'vm-faulted':
      return `${entry.vm}: its guest has ended`;
    case 'run-begin':
      return 'all guests run and are ready';
    case 'action-begin':
      return `${entry.action} begins`;
    case 'action-end':
      return `${entry.action} ${entry.ok ? 'is done' : `has failed: ${entry.problems.join('; ')}`}`;
    case 'action-missed':
      return `${entry.action} was never due: no ${entry.after}`;
    case 'fault-injected':
      return `fault ${entry.fault}: ${entry.target}`;
    case 'freeze-begin':
      return `${entry.host}: frozen ${entry.vms.join(', ')}`;
    case 'maintenance-begin':
      return `${entry.host}: maintenance of ${counted(entry.vms.length, 'VM')}`;
    case 'maintenance-end':
      return `${entry.host}: maintenance ${entry.ok ? 'done' : `not well: ${entry.problems.join('; ')}`}`;
    case 'maintenance-rejected':
      return `${entry.host}: maintenance not done: ${entry.message}`;
    case 'patch-end':
      return `${entry.host}: patch ${entry.patch} ${entry.ok ? 'applied' : 'failed'}`;
    case 'impact-end':
      return entry.cause === 'inspection'
        ? undefined
        : `${entry.vm} stood still for ${formatNs(entry.resumedAtNs - entry.haltedAtNs)}`;
    case 'domain-begin':
      return `update domain ${entry.updateDomain}: ${entry.hosts.join(', ')}`;
    case 'domain-end':
      return `update domain ${entry.updateDomain} is ${entry.ok ? 'well' : `not well: ${entry.problems.join('; ')}`}`;
    case 'event-scheduled':
      return `${entry.event.type} scheduled for ${entry.event.resources.join(', ')}`;
    case 'event-acknowledged':
      return `${entry.vm} acknowledged the event`;
    case 'event-started':
      return `${entry.event.type} started for ${entry.event.resources.join(', ')}`;
    case 'event-removed':
      return `event ${entry.reason}`;
    case 'probe-unhealthy':
      return `probe ${entry.probe} is unhealthy: ${entry.message}`;
    default:
      return undefined;
  }
}
