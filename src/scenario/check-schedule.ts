import { show } from '../base/errors.js';
import { formatNs, NS_PER_MS } from '../base/units.js';
import type { Sections } from './check.js';
import { type Named, referTo, unique } from './check-names.js';
import { checkResumes } from './check-resumes.js';
import { meantOrKnown } from './hints.js';
import { type Finding, placeOf } from './issues.js';
import { actionKind, afterOf, entryIds, LOG_EVENTS } from './names.js';
import { domainsOf, startMs, timesOf } from './resolve.js';
import type { ScenarioFile } from './schema.js';
import { ACTIONS } from './schema-schedule.js';

type Entry = ScenarioFile['schedule'][number];

/** What is wrong with the schedule: moments that never come, references to nothing, what an action lacks. */
export function checkSchedule(sections: Sections, names: Named): Finding[] {
  const { schedule } = sections;
  if (schedule === undefined) return [];
  const ids = entryIds(schedule).map((name, index) => ({ name, path: ['schedule', index, 'id'] }));
  return [
    ...unique('entry of the schedule', ids),
    ...schedule.flatMap((entry, index) => [
      ...checkMoment(entry, ['schedule', index], sections),
      ...checkAfter(entry, ['schedule', index, 'after'], schedule),
      ...checkAction(entry, ['schedule', index], sections, names),
    ]),
    ...checkCircles(schedule),
    ...checkResumes(schedule, sections),
  ];
}

function checkMoment(entry: Entry, path: Finding['path'], sections: Sections): Finding[] {
  const { at, every, times, after, delay } = entry;
  const place = placeOf(path);
  const wrong = (message: string, key?: string): Finding => ({ path, key, message, hint: null });
  if (at !== undefined && after !== undefined) {
    return [wrong(`Expected one of at, after for '${place}' but received at and after`, 'after')];
  }
  if (at === undefined && after === undefined && every === undefined) {
    return [wrong(`Expected one of at, every, after for '${place}' but received none`)];
  }
  const findings: Finding[] = [];
  if (delay !== undefined && after === undefined) {
    findings.push(wrong(`Expected 'after' beside 'delay' for '${place}' but received none`, 'delay'));
  }
  if (times !== undefined && every === undefined) {
    findings.push(wrong(`Expected 'every' beside 'times' for '${place}' but received none`, 'times'));
  }
  if (every !== undefined && times === undefined && (after !== undefined || isUnbounded(sections))) {
    const instead = after === undefined ? ", or a 'duration' of the scenario," : '';
    findings.push(wrong(`Expected 'times' beside 'every'${instead} for '${place}' but received none`, 'every'));
  }
  return [...findings, ...checkEnd(entry, path, sections.duration)];
}

/** It is known that the scenario has no end of its own. */
const isUnbounded = (sections: Sections): boolean => 'duration' in sections && sections.duration === undefined;

function checkEnd(entry: Entry, path: Finding['path'], durationMs: number | undefined): Finding[] {
  if (durationMs === undefined || entry.after !== undefined) return [];
  const lastMs = startMs(entry) + (timesOf(entry, durationMs) - 1) * (entry.every ?? 0);
  if (lastMs <= durationMs) return [];
  const key =
    entry.times !== undefined && startMs(entry) <= durationMs ? 'times' : entry.at === undefined ? 'every' : 'at';
  const end = formatNs(durationMs * NS_PER_MS);
  const message = `Expected a time before the scenario's end at ${end} for '${placeOf([...path, key])}' but it is ${formatNs(lastMs * NS_PER_MS)}`;
  return [{ path: [...path, key], message, hint: null }];
}

function checkAfter({ after }: Entry, path: Finding['path'], schedule: readonly Entry[]): Finding[] {
  if (after === undefined) return [];
  const meant = afterOf(after, schedule);
  if (meant.kind === 'ambiguous') {
    const message = `Expected the id of an entry for '${placeOf(path)}' but received ${show(after)}, of which there are ${meant.ids.length}`;
    return [{ path, message, hint: `one of ${meant.ids.join(', ')}` }];
  }
  if (meant.kind !== 'unknown') return [];
  const known = [...entryIds(schedule), ...ACTIONS, ...LOG_EVENTS];
  const message = `Expected the id or kind of an entry, or an event of the log, for '${placeOf(path)}' but received ${show(after)}`;
  return [{ path, message, hint: meantOrKnown(after, known) }];
}

/** Each circle of entries that wait for each other, told at its first entry. */
function checkCircles(schedule: readonly Entry[]): Finding[] {
  const ids = entryIds(schedule);
  const next = schedule.map(({ after }) => {
    const meant = after === undefined ? undefined : afterOf(after, schedule);
    return meant?.kind === 'entry' ? meant.index : undefined;
  });
  const told = new Set<number>();
  return schedule.flatMap((_, start): Finding[] => {
    const way: number[] = [];
    for (let at: number | undefined = start; at !== undefined && !told.has(at); at = next[at]) {
      if (at === start && way.length > 0) {
        for (const each of way) told.add(each);
        const path = ['schedule', start, 'after'];
        const circle = [...way, start].map((index) => ids[index]).join(' after ');
        const message = `Expected another entry than those that wait for this one for '${placeOf(path)}' but received ${show(schedule[start]?.after)}`;
        return [{ path, message, hint: circle }];
      }
      if (way.includes(at)) return [];
      way.push(at);
    }
    return [];
  });
}

function checkAction(entry: Entry, path: Finding['path'], sections: Sections, names: Named): Finding[] {
  const kind = actionKind(entry);
  const own = [...path, kind];
  const { vms, patches, rollbackPatches, sets, host, order } = { ...NOTHING, ...entry[kind] };
  const all = (of: 'vm' | 'patch' | 'set', key: string, given: readonly string[] = []) =>
    given.flatMap((name, index) => referTo(of, names, [...own, key, index], name));
  return [
    ...(host === undefined ? [] : referTo('host', names, [...own, 'host'], host)),
    ...all('vm', 'vms', vms),
    ...all('patch', 'patches', patches),
    ...all('patch', 'rollbackPatches', rollbackPatches),
    ...all('set', 'sets', sets),
    ...checkOrder(order, [...own, 'order'], sections),
    ...checkNeeds(kind, entry, own, sections, names),
  ];
}

/** What an action of some kind may name, so that they can be looked at as one. */
const NOTHING: {
  vms?: string[] | undefined;
  patches?: string[] | undefined;
  rollbackPatches?: string[] | undefined;
  sets?: string[] | undefined;
  host?: string | undefined;
  order?: number[] | undefined;
} = {};

function checkOrder(order: readonly number[] | undefined, path: Finding['path'], sections: Sections): Finding[] {
  const { hosts } = sections;
  if (order === undefined || hosts === undefined) return [];
  const { updateDomains } = domainsOf({ ...sections, hosts });
  return order.flatMap((domain, index): Finding[] => {
    const isTwice = order.indexOf(domain) < index;
    if (domain < updateDomains && !isTwice) return [];
    const expected = isTwice ? 'each update domain once' : `an update domain from 0 to ${updateDomains - 1}`;
    const at = [...path, index];
    return [{ path: at, message: `Expected ${expected} for '${placeOf(at)}' but received ${domain}`, hint: null }];
  });
}

function checkNeeds(
  kind: ReturnType<typeof actionKind>,
  entry: Entry,
  path: Finding['path'],
  { metadata, patches }: Sections,
  names: Named,
): Finding[] {
  const lacks = (what: string, hint: string): Finding[] => [
    { path: path.slice(0, -1), key: kind, message: `Expected ${what} for '${placeOf(path)}' but received none`, hint },
  ];
  if (kind === 'event' && metadata === false) return lacks("'metadata' of the scenario", "add 'metadata: true'");
  if (kind === 'rollout' && patches?.length === 0) {
    return lacks("'patches' of the scenario", "add 'patches: [{ builtin: decompress }]'");
  }
  if (kind === 'maintenance' && entry.maintenance?.host === undefined && (names.host?.length ?? 1) > 1) {
    return lacks("'host'", meantOrKnown('', names.host ?? []));
  }
  return [];
}
