import { unexpected } from '../base/errors.js';
import type { RunRecord } from '../index.js';
import { type Check, nothingToAssert, type Outcome, overall } from './check.js';
import { entriesOf, type LogEvidence } from './evidence.js';

const ASSERTION = 'an assertion on acknowledgements';

/** That a guest acknowledged each Scheduled Event within its notice; what was withdrawn before needs none. */
export function checkEventsAcknowledged(evidence: LogEvidence | RunRecord): Check {
  const entries = entriesOf(evidence);
  if (entries === undefined) {
    throw unexpected('ERR_INVALID_OPTION', 'a Host, a Fleet, a RunRecord or an event log', ASSERTION, evidence);
  }
  const events = new Map<string, { outcome: Outcome; line: string }>();
  for (const entry of entries) {
    if (entry.type === 'event-scheduled') {
      const { id, type } = entry.event;
      if (!events.has(id)) events.set(id, { outcome: 'undecided', line: `${type} ${id} still has its notice` });
    }
    const id = 'eventId' in entry ? entry.eventId : entry.type === 'event-started' ? entry.event.id : '';
    // What came first decides; an event that was never Scheduled came without notice, and nobody could acknowledge it.
    if (events.get(id)?.outcome !== 'undecided') continue;
    if (entry.type === 'event-acknowledged') {
      events.set(id, { outcome: 'holds', line: `${id} was acknowledged by ${entry.vm}` });
    } else if (entry.type === 'event-notice-passed' || entry.type === 'event-started') {
      events.set(id, { outcome: 'fails', line: `${id} began with nobody's acknowledgement` });
    } else if (entry.type === 'event-removed') events.delete(id);
  }
  const found = [...events.values()];
  if (found.length === 0) throw nothingToAssert(`a Scheduled Event with notice for ${ASSERTION} but received none`);
  const isLogWhole = entries[0]?.seq === 1;
  const outcome = overall([...found.map((each) => each.outcome), ...(isLogWhole ? [] : ['undecided' as const])]);
  const shown = found.filter((each) => each.outcome === outcome);
  const observed = shown.length === 0 ? 'the log has lost its first entries' : `of ${found.length} ${shown.length}`;
  const what = { holds: ' were', fails: ' were not', undecided: ' still have their notice' }[outcome];
  return {
    outcome,
    expected: 'every Scheduled Event to be acknowledged',
    contrary: 'a Scheduled Event not to be acknowledged',
    observed: shown.length === 0 ? observed : `${observed}${what}`,
    lines: shown.map(({ line }) => line),
  };
}
