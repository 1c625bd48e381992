import type { MaintenancePhase } from '../maintenance/events.js';
import type { FreezeCause } from '../maintenance/freeze-scope.js';
import type { ResumedBy } from '../native/contract.js';
import type { MetadataEvent } from '../scheduled-events/events.js';
import type { VmEvent } from '../vm/events.js';

/** One VM's impact: it stood still. Both entries are written once it runs again, so that logging prolongs nothing. */
interface Impact {
  readonly vm: string;
  readonly cause: FreezeCause;
  /** The update domain of its host; null for a host that is in none. */
  readonly updateDomain: number | null;
}

/** Stamps are nanoseconds since the log's begin. */
export type HostHappening =
  | VmEvent
  /** What its VMs were told, and asked, by its metadata service. */
  | MetadataEvent
  | { readonly type: 'host-created' }
  | { readonly type: 'host-closed' }
  | { readonly type: 'vm-created'; readonly vm: string; readonly program: string; readonly ramBytes: number }
  /** All VMs of the freeze are halted. */
  | { readonly type: 'freeze-begin'; readonly vms: readonly string[]; readonly budgetMs: number }
  | { readonly type: 'maintenance-begin'; readonly vms: readonly string[]; readonly budgetMs: number }
  | { readonly type: 'maintenance-phase'; readonly phase: MaintenancePhase }
  | { readonly type: 'patch-end'; readonly patch: string; readonly ok: boolean; readonly durationNs: number }
  | { readonly type: 'maintenance-end'; readonly ok: boolean; readonly problems: readonly string[] }
  /** It was not done: `code` and `message` are those of the error. */
  | { readonly type: 'maintenance-rejected'; readonly code: string | null; readonly message: string }
  | ({ readonly type: 'impact-begin'; readonly requestedAtNs: number; readonly haltedAtNs: number } & Impact)
  | ({
      readonly type: 'impact-end';
      readonly haltedAtNs: number;
      readonly releasedAtNs: number;
      /** The guest's own stamp before its first step; that of now where it has not got a processor or was closed. */
      readonly resumedAtNs: number;
      readonly resumedBy: ResumedBy | null;
    } & Impact);

/** What happens on a host, under its name. */
export type HostEvent = { readonly host: string } & HostHappening;
