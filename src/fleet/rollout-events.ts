import type { RolloutPlan } from './rollout-plan.js';

/** 'forward' applies the patches, 'rollback' takes them back. */
export type Direction = 'forward' | 'rollback';

/** Whether the patches are on a host: 'unknown' where its process or its maintenance ended in the middle. */
export type Applied = 'yes' | 'no' | 'unknown';

/** Why a rollout stands: something failed, somebody aborted it, or nobody knows whether a host is patched. */
export type StopReason = 'failure' | 'aborted' | 'in-doubt';

/** The part of a rollout that an entry belongs to. */
interface InDomain {
  readonly direction: Direction;
  readonly updateDomain: number;
}

/** What a rollout writes down. Its whole state is derived from these entries, after a crash too. */
export type RolloutHappening =
  | { readonly type: 'rollout-started'; readonly plan: RolloutPlan }
  | { readonly type: 'rollout-resumed'; readonly direction: Direction }
  | ({ readonly type: 'domain-begin'; readonly hosts: readonly string[] } & InDomain)
  /** Written to the disk before the host's maintenance begins. */
  | ({ readonly type: 'host-patch-begin'; readonly host: string } & InDomain)
  | ({
      readonly type: 'host-patch-end';
      readonly host: string;
      readonly applied: Applied;
      readonly ok: boolean;
      readonly problems: readonly string[];
      readonly durationNs: number;
    } & InDomain)
  /** A host of which it was unknown: somebody has looked. */
  | { readonly type: 'host-settled'; readonly host: string; readonly applied: 'yes' | 'no' }
  | ({
      readonly type: 'health';
      readonly host: string;
      readonly vm: string;
      readonly ok: boolean;
      readonly problem: string | null;
    } & InDomain)
  | ({ readonly type: 'domain-end'; readonly ok: boolean; readonly problems: readonly string[] } & InDomain)
  | { readonly type: 'rollback-begin' }
  | { readonly type: 'rollout-stopped'; readonly reason: StopReason; readonly problems: readonly string[] }
  | { readonly type: 'rollout-done' }
  | { readonly type: 'rollout-rolled-back' }
  | { readonly type: 'rollout-abandoned' };

/** Each event of a rollout names it. */
export type RolloutEvent = { readonly rollout: string } & RolloutHappening;
