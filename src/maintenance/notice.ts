import { orAborted } from '../base/abort.js';
import { monotonicNs } from '../base/clock.js';
import type { ImpactClass } from '../components/manifest.js';
import type { AnnouncedImpact, ImpactNotifier } from './notifier.js';

/** How guests were told, and what came of it. */
export interface NoticeReport {
  /** Why the impact could begin. */
  dueBy: 'acknowledged' | 'not-before';
  /** From the announcement until then. */
  waitedNs: number;
}

/** The life of one announced impact: leaving the scope ends it where it had started, and cancels it where it had not. */
export class Notice implements Disposable {
  readonly #impact: AnnouncedImpact;
  readonly #announcedAtNs = monotonicNs();
  #life: 'announced' | 'started' | 'over' = 'announced';
  #report: NoticeReport | null = null;

  private constructor(impact: AnnouncedImpact) {
    this.#impact = impact;
  }

  /** Undefined where nobody is to be told, or there is nothing to tell. */
  static announce(
    notifier: ImpactNotifier | undefined,
    impact: ImpactClass,
    vms: readonly string[],
    expectedSeconds: number | null,
  ): Notice | undefined {
    if (notifier === undefined || impact === 'none' || vms.length === 0) return undefined;
    return new Notice(notifier.announce({ vms, impact, expectedSeconds }));
  }

  get report(): NoticeReport | null {
    return this.#report;
  }

  async due(stop: AbortSignal): Promise<void> {
    const dueBy = await orAborted(this.#impact.due(stop), stop);
    this.#report = { dueBy, waitedNs: Number(monotonicNs() - this.#announcedAtNs) };
  }

  /** Throws where it was cancelled since it was due: then the impact does not happen. */
  started(): void {
    this.#impact.started();
    this.#life = 'started';
  }

  /** No VM stands still for it any more, whatever else there is to do. Of one that has not started, nothing. */
  ended(): void {
    if (this.#life !== 'started') return;
    this.#life = 'over';
    this.#impact.ended();
  }

  [Symbol.dispose](): void {
    if (this.#life === 'announced') this.#impact.cancelled();
    else this.ended();
  }
}
