import { formatNs } from '../../base/units.js';
import { blackoutsOf } from '../impacts.js';
import type { RunRecord } from '../record.js';
import type { Lane, Mark, Span, SpanKind, Timeline } from '../timeline.js';
import { type Html, html, name, section } from './html.js';

/** Of a lane with more stretches the longest are drawn. */
const SPANS_MAX = 1000;

/** Where a kind lies in its lane of 24 pixels: what lasts is thin, what disturbs is tall. */
const BANDS: Readonly<Record<SpanKind, readonly [y: number, height: number]>> = {
  created: [11, 2],
  running: [9, 6],
  paused: [5, 14],
  faulted: [2, 20],
  frozen: [2, 20],
  halt: [2, 20],
  digest: [2, 20],
  patch: [2, 20],
  resume: [2, 20],
  inspection: [5, 14],
  restart: [2, 20],
  notice: [8, 8],
  impact: [3, 18],
  well: [6, 12],
  ill: [2, 20],
};

const LEGEND: readonly (readonly [SpanKind, string])[] = [
  ['running', 'running'],
  ['halt', 'halting, resuming'],
  ['digest', 'digest'],
  ['patch', 'patching'],
  ['frozen', 'frozen'],
  ['inspection', 'inspected'],
  ['paused', 'paused by its user'],
  ['restart', 'restarted'],
  ['faulted', 'faulted'],
  ['notice', 'event announced'],
  ['impact', 'event impact'],
  ['well', 'well'],
  ['ill', 'not well'],
];

export function timelineSection(record: RunRecord, timeline: Timeline): Html | null {
  if (timeline.groups.length === 0) return null;
  const { beginNs, endNs, groups } = timeline;
  const kinds = new Set(groups.flatMap(({ lanes }) => lanes.flatMap(({ spans }) => spans.map(({ kind }) => kind))));
  const stops = blackoutsOf(record).length;
  return section(
    'timeline',
    'Timeline',
    html`<div class="controls" role="group" aria-label="Part of the time that is shown" hidden>
<button type="button" data-do="out" aria-label="Zoom out">−</button>
<button type="button" data-do="in" aria-label="Zoom in">+</button>
<button type="button" data-do="earlier" aria-label="Earlier">←</button>
<button type="button" data-do="later" aria-label="Later">→</button>
<button type="button" data-do="all">Whole run</button>
${
  stops === 0
    ? null
    : html`<button type="button" data-do="previous">Previous freeze</button><button type="button" data-do="next">Next freeze</button>`
}
</div>
<p class="hint" hidden>Drag over the lanes to zoom in; with the keyboard: + − ← → 0, and n, p for the next and the previous freeze.</p>
<ul class="legend" aria-label="Colours">${LEGEND.filter(([kind]) => kinds.has(kind)).map(
      ([kind, text]) =>
        html`<li><svg class="swatch" width="16" height="12" aria-hidden="true"><rect class="k-${kind}" width="16" height="12"/></svg>${text}</li>`,
    )}</ul>
<div class="lanes" id="lanes" tabindex="0" role="group" aria-label="Timeline, ${formatNs(endNs - beginNs)} in all" data-begin="${beginNs}" data-end="${endNs}">
<div class="lane axis"><span></span><div class="ticks"><span>0</span><span>${formatNs(endNs - beginNs)}</span></div></div>
${groups.map(
  ({ title, lanes }) => html`<h3>${name(title)}</h3>
${lanes.map((lane) => laneRow(lane, timeline))}`,
)}</div>
<p class="readout" id="readout" role="status"></p>`,
  );
}

const laneRow = (
  lane: Lane,
  timeline: Timeline,
): Html => html`<div class="lane"><span class="lane-name">${name(lane.name)}</span>
${laneBar(lane, timeline.beginNs, timeline.endNs, describe(lane))}</div>
`;

/** A lane as a picture whose stretches keep their share of the width. */
export function laneBar({ spans, marks }: Lane, beginNs: number, endNs: number, label: string): Html {
  const shown = spans.length <= SPANS_MAX ? spans : longest(spans);
  const x = (atNs: number) => Number(((100 * (atNs - beginNs)) / (endNs - beginNs)).toFixed(4));
  const rectangle = ({ kind, fromNs, toNs, title }: Span) => {
    const [y, height] = BANDS[kind];
    const [from, to] = [Math.max(0, x(fromNs)), Math.min(100, x(toNs))];
    const width = Number(Math.max(0, to - from).toFixed(4));
    return html`<rect class="k-${kind}" x="${from}%" width="${width}%" y="${y}" height="${height}" data-f="${fromNs}" data-t="${toNs}"><title>${title}</title></rect>`;
  };
  const mark = ({ kind, atNs, title }: Mark) =>
    html`<svg class="mark m-${kind}" x="${x(atNs)}%" data-f="${atNs}"><path d="M0 13l5 9h-10z"><title>${title}</title></path></svg>`;
  return html`<svg class="bar" height="24" role="img" aria-label="${label}">${shown.map(rectangle)}${marks.map(mark)}</svg>`;
}

function longest(spans: readonly Span[]): Span[] {
  const kept = new Set(spans.toSorted((a, b) => b.toNs - b.fromNs - (a.toNs - a.fromNs)).slice(0, SPANS_MAX));
  return spans.filter((span) => kept.has(span));
}

/** What a lane shows, for those who do not see it. */
function describe({ name: lane, spans, marks }: Lane): string {
  const disturbing = spans.filter(({ kind }) => kind !== 'running' && kind !== 'created' && kind !== 'well');
  const titles = [...disturbing, ...marks].slice(0, 6).map(({ title }) => title);
  const more = disturbing.length + marks.length - titles.length;
  return `${lane}: ${titles.length === 0 ? 'undisturbed' : titles.join('. ')}${more > 0 ? `, and ${more} more` : ''}`;
}
