import { monotonicNs } from '../base/clock.js';
import { isStandstillError, messageOf } from '../base/errors.js';
import type { EventLog } from '../base/event-log.js';
import type { MaintenanceEvent } from '../maintenance/events.js';
import type { FreezeCause, ImpactRecord } from '../maintenance/freeze-scope.js';
import { untilNow } from '../maintenance/phases.js';
import type { MaintenanceReport } from '../maintenance/report.js';
import type { HostEvent, HostHappening } from './events.js';

/** What a host writes to its event log. */
export class HostJournal {
  readonly #log: EventLog<HostEvent>;
  readonly #host: string;
  readonly #updateDomain: number | null;

  constructor(log: EventLog<HostEvent>, host: string, updateDomain: number | null) {
    this.#log = log;
    this.#host = host;
    this.#updateDomain = updateDomain;
  }

  tell(happening: HostHappening): void {
    this.#log.append({ host: this.#host, ...happening });
  }

  /** The records of a freeze, or of a restart, whose VMs run again; those that stood still before felt nothing. */
  impactEnded(cause: FreezeCause, records: readonly ImpactRecord[]): void {
    const nowNs = monotonicNs();
    for (const record of records.filter(({ wasRunning }) => wasRunning).map((each) => untilNow(each, nowNs))) {
      const impact = { vm: record.name, cause, updateDomain: this.#updateDomain };
      const requestedAtNs = this.#log.sinceBeginNs(record.requestedAtNs);
      const haltedAtNs = this.#log.sinceBeginNs(record.haltedAtNs);
      this.tell({ type: 'impact-begin', ...impact, requestedAtNs, haltedAtNs });
      this.tell({
        type: 'impact-end',
        ...impact,
        haltedAtNs,
        releasedAtNs: this.#log.sinceBeginNs(record.releasedAtNs),
        resumedAtNs: this.#log.sinceBeginNs(record.resumedAtNs),
        resumedBy: record.resumedBy,
      });
    }
  }

  maintenanceEvent(event: MaintenanceEvent): void {
    if (event.type === 'phase') this.tell({ type: 'maintenance-phase', phase: event.phase });
    if (event.type === 'patch-end') this.tell(event);
  }

  maintenanceEnded({ ok, problems }: MaintenanceReport): void {
    this.tell({ type: 'maintenance-end', ok, problems });
  }

  maintenanceRejected(error: unknown): void {
    const code = isStandstillError(error) ? error.code : null;
    this.tell({ type: 'maintenance-rejected', code, message: messageOf(error) });
  }
}
