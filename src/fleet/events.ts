import type { HostEvent } from '../host/events.js';
import type { AvailabilitySet, HostPlace, VmPlace } from './placement.js';
import type { RolloutEvent } from './rollout-events.js';

/** What happens to a fleet beside what happens on its hosts. */
export type FleetHappening =
  /** A process has begun to work on it: what went on in a former one has ended. */
  | {
      readonly type: 'fleet-opened';
      readonly processId: number;
      readonly updateDomains: number;
      readonly faultDomains: number;
      readonly hosts: readonly HostPlace[];
    }
  | ({ readonly type: 'set-created' } & AvailabilitySet)
  | ({ readonly type: 'vm-placed' } & VmPlace)
  | { readonly type: 'fleet-closed' };

/** What is in the event log of a fleet: its own events, those of its hosts, and those of its rollouts. */
export type FleetEvent = HostEvent | FleetHappening | RolloutEvent;
