/** 'ok': whole. 'limited': it works, at a price. 'missing': it cannot be had. */
export type CheckStatus = 'ok' | 'limited' | 'missing';

/** What one check found. */
export interface Finding {
  readonly status: CheckStatus;
  /** What is there, in a few words. */
  readonly found: string;
  /** What that means for whoever uses Standstill. */
  readonly consequence: string;
  /** What mends it; null where nothing is to be mended. */
  readonly remedy: string | null;
  /** The figures behind it. */
  readonly values?: Readonly<Record<string, number | string | boolean | null>>;
}

export interface Check {
  /** Stable, as in the JSON. */
  readonly id: string;
  readonly title: string;
  /** Whether a maintenance of emulated VMs, the main job, needs it. */
  readonly isRequired: boolean;
  /** Tries it. What it throws is a finding too: 'missing', with the message. */
  readonly look: () => Promise<Finding>;
  /** What it means, and mends it, where `look` throws. */
  readonly whereMissing: Pick<Finding, 'consequence' | 'remedy'>;
}
