import { formatNs } from '../base/units.js';
import type { RunRecord } from './record.js';
import type { Lane, Mark, Span } from './timeline.js';

interface EventLife {
  readonly title: string;
  readonly spans: Span[];
  readonly marks: Mark[];
  readonly scheduledAtNs: number;
  startedAtNs: number | undefined;
  impactAtNs: number | undefined;
  endNs: number | undefined;
}

/** The lives of a host's scheduled events; those that overlap lie in lanes of their own. */
export function eventLanes(record: RunRecord, host: string, endNs: number): Lane[] {
  const lanes: { lives: EventLife[]; endNs: number }[] = [];
  for (const life of livesOf(record, host, endNs)) {
    const free = lanes.find((lane) => lane.endNs <= life.scheduledAtNs);
    if (free === undefined) lanes.push({ lives: [life], endNs: life.endNs ?? endNs });
    else {
      free.lives.push(life);
      free.endNs = life.endNs ?? endNs;
    }
  }
  return lanes.map(({ lives }) => ({
    name: 'scheduled events',
    spans: lives.flatMap(({ spans }) => spans),
    marks: lives.flatMap(({ marks }) => marks),
  }));
}

function livesOf({ log }: RunRecord, host: string, endNs: number): EventLife[] {
  const lives = new Map<string, EventLife>();
  for (const entry of log) {
    if (!('host' in entry) || entry.host !== host) continue;
    if (entry.type === 'event-scheduled' || entry.type === 'event-started') {
      const { id, type, resources } = entry.event;
      const title = `${type} of ${resources.join(', ')}`;
      const life = lives.get(id) ?? emptyLife(title, entry.atNs);
      if (entry.type === 'event-started') life.startedAtNs = entry.atNs;
      lives.set(id, life);
      continue;
    }
    const life = 'eventId' in entry ? lives.get(entry.eventId) : undefined;
    if (life === undefined) continue;
    if (entry.type === 'event-acknowledged') {
      life.marks.push({ kind: 'good', atNs: entry.atNs, title: `${life.title}: acknowledged by ${entry.vm}` });
    } else if (entry.type === 'event-notice-passed') {
      life.marks.push({ kind: 'plain', atNs: entry.atNs, title: `${life.title}: its notice has passed` });
    } else if (entry.type === 'event-impact-begin') {
      life.impactAtNs = entry.atNs;
    } else if (entry.type === 'event-impact-end') {
      endImpact(life, entry.atNs);
    } else if (entry.type === 'event-impact-failed') {
      life.marks.push({ kind: 'bad', atNs: entry.atNs, title: `${life.title}: ${entry.message}` });
    } else if (entry.type === 'event-removed') {
      endImpact(life, entry.atNs);
      life.endNs = entry.atNs;
      const kind = entry.reason === 'failed' ? 'bad' : 'plain';
      life.marks.push({ kind, atNs: entry.atNs, title: `${life.title}: removed, ${entry.reason}` });
    }
  }
  for (const life of lives.values()) addNotice(life, endNs);
  return [...lives.values()];
}

const emptyLife = (title: string, scheduledAtNs: number): EventLife => ({
  title,
  spans: [],
  marks: [],
  scheduledAtNs,
  startedAtNs: undefined,
  impactAtNs: undefined,
  endNs: undefined,
});

function endImpact(life: EventLife, toNs: number): void {
  if (life.impactAtNs === undefined) return;
  const fromNs = life.impactAtNs;
  life.spans.push({ kind: 'impact', fromNs, toNs, title: `${life.title}: its impact, ${formatNs(toNs - fromNs)}` });
  life.impactAtNs = undefined;
}

/** Behind its impact, from the first word of it to its removal. */
function addNotice(life: EventLife, logEndNs: number): void {
  endImpact(life, life.endNs ?? logEndNs);
  const { scheduledAtNs: fromNs, startedAtNs } = life;
  const toNs = life.endNs ?? logEndNs;
  const notice = startedAtNs === undefined ? 'never started' : `started after ${formatNs(startedAtNs - fromNs)}`;
  life.spans.unshift({ kind: 'notice', fromNs, toNs, title: `${life.title}: ${notice}` });
}
