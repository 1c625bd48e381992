import type { MemoryVerdict } from '../maintenance/proof.js';

/** What a run of a scenario does itself, as it goes to the event log. Times are milliseconds. */
export type RunHappening =
  /** What the seed has decided: when each action is due, since 'run-begin' or since `after`. */
  | {
      readonly type: 'run-planned';
      readonly actions: readonly {
        readonly id: string;
        readonly kind: string;
        readonly dueMs: number;
        readonly after: string | null;
      }[];
    }
  /** All guests run and are ready. */
  | { readonly type: 'run-begin' }
  | { readonly type: 'run-end' }
  | { readonly type: 'action-begin'; readonly action: string; readonly kind: string }
  | {
      readonly type: 'action-end';
      readonly action: string;
      readonly kind: string;
      readonly ok: boolean;
      readonly problems: readonly string[];
    }
  /** What it was to come after never came. */
  | { readonly type: 'action-missed'; readonly action: string; readonly kind: string; readonly after: string }
  /** Something goes wrong on purpose. */
  | { readonly type: 'fault-injected'; readonly fault: string; readonly target: string }
  /** Both readings of a guest's memory in a freeze that is no maintenance. */
  | {
      readonly type: 'memory-read';
      readonly vm: string;
      readonly memory: MemoryVerdict;
      /** The first thing that changed; null where nothing did, or nothing is proved. */
      readonly difference: string | null;
      readonly bytesRead: number;
    }
  /** How far a guest's wall clock was off, before its synchronisation (null: not known) and after. */
  | { readonly type: 'clock-lag'; readonly vm: string; readonly beforeNs: number | null; readonly afterNs: number };
