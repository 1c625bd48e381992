import { setTimeout as sleep } from 'node:timers/promises';
import type { MetadataServer } from '../../scheduled-events/metadata-server.js';
import type { RaisedEvent } from '../../scheduled-events/raise.js';
import type { ScheduleEntry } from './schedule.js';

/** Raises the events of a schedule at their times, counted from now and shortened by the time scale, until the signal aborts. */
export async function runSchedule(
  entries: readonly ScheduleEntry[],
  metadata: MetadataServer,
  { timeScale, signal }: { readonly timeScale: number; readonly signal: AbortSignal },
): Promise<void> {
  /** False where the signal came first. */
  const passed = (durationMs: number) =>
    sleep(durationMs / timeScale, undefined, { signal }).then(
      () => true,
      () => false,
    );
  const run = async (entry: ScheduleEntry) => {
    if (!(await passed(entry.after))) return;
    do {
      const raised = raise(entry, metadata);
      if (entry.cancelAfter !== undefined && (await passed(entry.cancelAfter))) metadata.withdraw(raised);
    } while (entry.every !== undefined && (await passed(entry.every)));
  };
  await Promise.all(entries.map(run));
}

function raise(entry: ScheduleEntry, metadata: MetadataServer): RaisedEvent[] {
  const { type, vms, notice, duration, settle, source, description, second } = entry;
  const impact = {
    vms,
    durationMs: duration,
    settleMs: settle,
    second: second && { afterMs: second.after, durationMs: second.duration },
  };
  if (type === undefined) return metadata.failHardware(impact);
  return metadata.raise({ ...impact, type, noticeMs: notice, source, description });
}
