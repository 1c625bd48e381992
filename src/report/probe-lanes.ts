import { counted, formatNs } from '../base/units.js';
import { probeEntries } from '../probe/events.js';
import { groupBy } from './group-by.js';
import type { RunRecord } from './record.js';
import type { Lane, Mark, Span } from './timeline.js';

/** Each probe's answers, those in a row that say the same as one stretch. */
export function probeLanes({ log }: RunRecord): Lane[] {
  return [...groupBy(probeEntries(log), ({ probe }) => probe)].map(([name, entries]) => {
    const spans: (Span & { answers: number; toNs: number })[] = [];
    const marks: Mark[] = [];
    for (const entry of entries) {
      if (entry.type === 'probe-unhealthy') {
        marks.push({ kind: 'bad', atNs: entry.atNs, title: entry.message });
        continue;
      }
      const kind = entry.ok ? 'well' : 'ill';
      const last = spans.at(-1);
      if (last?.kind === kind) {
        last.answers += 1;
        last.toNs = entry.atNs;
      } else {
        const title = entry.error?.message ?? '';
        spans.push({ kind, fromNs: entry.atNs - entry.latencyNs, toNs: entry.atNs, answers: 1, title });
      }
    }
    return {
      name,
      marks,
      spans: spans.map(({ answers, ...span }) => ({ ...span, title: titleOf(span, answers, name) })),
    };
  });
}

function titleOf({ kind, fromNs, toNs, title }: Span, answers: number, probe: string): string {
  const count = `${probe}: ${counted(answers, 'answer')} ${kind === 'well' ? 'well' : 'not well'}`;
  return `${count} in ${formatNs(toNs - fromNs)}${title === '' ? '' : `; the first: ${title}`}`;
}
