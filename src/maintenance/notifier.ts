/** An impact that guests are to hear of before it happens. */
export interface ImpactNotice {
  /** Names of the VMs that it hits. */
  readonly vms: readonly string[];
  /** 'pause': a freeze with the memory left in place. 'reboot': memory is lost. */
  readonly impact: 'pause' | 'reboot';
  /** How long it is expected to last; null: unknown. */
  readonly expectedSeconds: number | null;
  /** For people; absent: the notifier's own words. */
  readonly description?: string | undefined;
}

/** One announced impact, in the order of its life: due → started → ended, or cancelled before it started. */
export interface AnnouncedImpact {
  /** Resolves when the impact may begin: a guest has acknowledged it, or its notice has passed. Rejects with the signal's reason. */
  due(signal: AbortSignal): Promise<'acknowledged' | 'not-before'>;
  /** The impact begins now. A second, shorter one may follow before `ended`. ERR_ABORTED where it was cancelled. */
  started(): void;
  /** The last of the impact is over: no VM stands still for it any more. Idempotent. */
  ended(): void;
  /** It will not happen. Idempotent, and nothing after `started`. */
  cancelled(): void;
}

/** How a maintenance tells guests of what is to come. The host joins it with the metadata service. */
export interface ImpactNotifier {
  /** Tells the guests, before anything stands still. */
  announce(notice: ImpactNotice): AnnouncedImpact;
}
