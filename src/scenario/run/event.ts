import { setTimeout as sleep } from 'node:timers/promises';
import { orAborted } from '../../base/abort.js';
import { messageOf } from '../../base/errors.js';
import type { MetadataServer } from '../../scheduled-events/metadata-server.js';
import type { RaisedEvent } from '../../scheduled-events/raise.js';
import type { EventAction } from '../scenario.js';

/** Raises a Scheduled Event and waits until it is gone. Resolves with what went wrong, a sentence each. */
export async function raiseEvent(
  { cancelAfterMs, ...action }: EventAction,
  metadata: MetadataServer,
  signal: AbortSignal,
): Promise<string[]> {
  const raised = raise(action, metadata);
  if (cancelAfterMs !== null) {
    await sleep(cancelAfterMs / metadata.state().timeScale, undefined, { signal }).catch(() => {});
    metadata.withdraw(raised);
  }
  const ends = await orAborted(Promise.all(raised.map(({ done }) => done)), signal);
  return ends.flatMap(({ reason, error }) => (reason === 'failed' ? [messageOf(error)] : []));
}

function raise(action: Omit<EventAction, 'cancelAfterMs'>, metadata: MetadataServer): RaisedEvent[] {
  const { type, vms, noticeMs, durationMs, settleMs, source, description, second } = action;
  const impact = {
    vms: vms ?? undefined,
    durationMs: durationMs ?? undefined,
    settleMs: settleMs ?? undefined,
    second: second ?? undefined,
  };
  if (type === null) return metadata.failHardware(impact);
  const words = { source: source ?? undefined, description: description ?? undefined };
  return metadata.raise({ ...impact, ...words, type, noticeMs: noticeMs ?? undefined });
}
