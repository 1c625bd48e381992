import { formatNs } from '../base/units.js';
import type { VmReport } from '../maintenance/report.js';
import { eventLanes } from './event-lanes.js';
import { type Impact, impactsOf, type MaintenanceWindow, maintenancesOf } from './impacts.js';
import { segmentsOf } from './phase-segments.js';
import { probeLanes } from './probe-lanes.js';
import type { RunRecord } from './record.js';

export type SpanKind =
  | 'created'
  | 'running'
  | 'paused'
  | 'faulted'
  | 'frozen'
  | 'halt'
  | 'digest'
  | 'patch'
  | 'resume'
  | 'inspection'
  | 'restart'
  | 'notice'
  | 'impact'
  | 'well'
  | 'ill';

/** A stretch of a lane; times are nanoseconds since the log's begin. */
export interface Span {
  readonly kind: SpanKind;
  readonly fromNs: number;
  readonly toNs: number;
  readonly title: string;
}

export interface Mark {
  readonly kind: 'good' | 'bad' | 'plain';
  readonly atNs: number;
  readonly title: string;
}

export interface Lane {
  readonly name: string;
  readonly spans: readonly Span[];
  readonly marks: readonly Mark[];
}

export interface LaneGroup {
  readonly title: string;
  readonly lanes: readonly Lane[];
}

export interface Timeline {
  readonly beginNs: number;
  readonly endNs: number;
  readonly groups: readonly LaneGroup[];
}

/** What happened to everything in the run, over one axis of time. */
export function timelineOf(record: RunRecord): Timeline {
  const { log } = record;
  const impacts = impactsOf(record);
  const beginNs = log[0]?.atNs ?? 0;
  const lastNs = impacts.reduce((latest, { resumedAtNs }) => Math.max(latest, resumedAtNs), log.at(-1)?.atNs ?? 0);
  const endNs = Math.max(lastNs, beginNs + 1);
  const maintenances = maintenancesOf(record);
  const domains = domainLane(record, endNs);
  const groups = [
    { title: 'Rollout', lanes: domains === undefined ? [] : [domains] },
    ...hostsOf(record).map(({ host, updateDomain }) => {
      const own = maintenances.filter((window) => window.host === host);
      return {
        title: updateDomain === null ? host : `${host} · update domain ${updateDomain}`,
        lanes: [
          ...(own.length === 0 ? [] : [maintenanceLane(own)]),
          ...eventLanes(record, host, endNs),
          ...vmLanes(record, host, impacts, own, endNs),
        ],
      };
    }),
    { title: 'Probes', lanes: probeLanes(record) },
  ];
  return { beginNs, endNs, groups: groups.filter(({ lanes }) => lanes.length > 0) };
}

function hostsOf({ log }: RunRecord): { host: string; updateDomain: number | null }[] {
  const domains = new Map<string, number | null>();
  for (const entry of log) {
    if (!('host' in entry) || entry.host === undefined) continue;
    const updateDomain = 'updateDomain' in entry ? entry.updateDomain : null;
    if (!domains.has(entry.host) || updateDomain !== null) domains.set(entry.host, updateDomain);
  }
  return [...domains].map(([host, updateDomain]) => ({ host, updateDomain }));
}

function domainLane({ log }: RunRecord, endNs: number): Lane | undefined {
  const spans: Span[] = [];
  const marks: Mark[] = [];
  let open: { atNs: number; title: string } | undefined;
  for (const entry of log) {
    if (entry.type === 'domain-begin') {
      const what = entry.direction === 'forward' ? 'patching' : 'taking back';
      open = { atNs: entry.atNs, title: `${what} update domain ${entry.updateDomain}: ${entry.hosts.join(', ')}` };
    } else if (entry.type === 'domain-end' && open !== undefined) {
      spans.push({ kind: entry.ok ? 'well' : 'ill', fromNs: open.atNs, toNs: entry.atNs, title: open.title });
      open = undefined;
    } else if (entry.type === 'rollout-stopped') {
      marks.push({ kind: 'bad', atNs: entry.atNs, title: `the rollout stopped: ${entry.reason}` });
    } else if (entry.type === 'rollback-begin') {
      marks.push({ kind: 'bad', atNs: entry.atNs, title: 'the rollback began' });
    } else if (entry.type === 'rollout-done' || entry.type === 'rollout-rolled-back') {
      const title = entry.type === 'rollout-done' ? 'the rollout was done' : 'the rollout was taken back';
      marks.push({ kind: 'good', atNs: entry.atNs, title });
    }
  }
  if (open !== undefined) spans.push({ kind: 'ill', fromNs: open.atNs, toNs: endNs, title: `${open.title}, not over` });
  return spans.length + marks.length === 0 ? undefined : { name: 'update domains', spans, marks };
}

const maintenanceLane = (windows: readonly MaintenanceWindow[]): Lane => ({
  name: 'maintenance',
  spans: windows.map(({ beganAtNs, endedAtNs, outcome, problems }) => ({
    kind: outcome === 'well' ? 'well' : 'ill',
    fromNs: beganAtNs,
    toNs: endedAtNs,
    title: [`maintenance of ${formatNs(endedAtNs - beganAtNs)}, ${outcome}`, ...problems].join('; '),
  })),
  marks: [],
});

/** How a VM's entries change what it is in, until the next of them. */
const STATES: Readonly<Record<string, SpanKind | null>> = {
  'vm-created': 'created',
  'vm-started': 'running',
  'vm-paused': 'paused',
  'vm-resumed': 'running',
  'vm-rolled-back': 'paused',
  'vm-faulted': 'faulted',
  'vm-closed': null,
};
const STATE_TITLES: Readonly<Partial<Record<SpanKind, string>>> = {
  created: 'created, not started',
  running: 'running',
  paused: 'paused by its user',
  faulted: 'faulted',
};

function vmLanes(
  { log }: RunRecord,
  host: string,
  impacts: readonly Impact[],
  maintenances: readonly MaintenanceWindow[],
  endNs: number,
): Lane[] {
  const lanes = new Map<string, { spans: Span[]; open: { kind: SpanKind; atNs: number } | null }>();
  const change = (vm: string, atNs: number, kind: SpanKind | null) => {
    const lane = lanes.get(vm) ?? { spans: [], open: null };
    if (lane.open !== null) {
      lane.spans.push({
        kind: lane.open.kind,
        fromNs: lane.open.atNs,
        toNs: atNs,
        title: STATE_TITLES[lane.open.kind] ?? lane.open.kind,
      });
    }
    lanes.set(vm, { ...lane, open: kind === null ? null : { kind, atNs } });
  };
  for (const entry of log) {
    if (entry.type === 'fleet-opened') for (const vm of lanes.keys()) change(vm, entry.atNs, null);
    const kind = STATES[entry.type];
    if (kind !== undefined && 'vm' in entry && 'host' in entry && entry.host === host)
      change(entry.vm, entry.atNs, kind);
  }
  for (const vm of lanes.keys()) change(vm, endNs, null);
  return [...lanes].map(([vm, { spans }]) => ({
    name: vm,
    spans: [
      ...spans,
      ...impacts.flatMap((impact) => (isOf(impact, host, vm) ? impactSpans(impact, maintenances) : [])),
    ],
    marks: impacts
      .filter((impact) => isOf(impact, host, vm) && impact.byDeadline && impact.cause === 'maintenance')
      .map(({ resumedAtNs }) => ({ kind: 'bad', atNs: resumedAtNs, title: `${vm}: released by the deadline` })),
  }));
}

const isOf = (impact: Impact, host: string, vm: string): boolean => impact.host === host && impact.vm === vm;

const IMPACT_KINDS = {
  maintenance: ['frozen', 'frozen for a maintenance'],
  freeze: ['frozen', 'frozen'],
  restart: ['restart', 'restarted'],
  inspection: ['inspection', 'its invariants were checked'],
} as const;

function impactSpans(impact: Impact, maintenances: readonly MaintenanceWindow[]): Span[] {
  const [kind, what] = IMPACT_KINDS[impact.cause] ?? ['frozen', impact.cause];
  const title = `${impact.vm}: ${what}, ${formatNs(impact.blackoutNs)}`;
  const whole: Span = { kind, fromNs: impact.haltedAtNs, toNs: impact.resumedAtNs, title };
  const window = maintenances.find(({ impacts }) => impacts.some((each) => isSame(each, impact)));
  // A second impact is a freeze without phases of its own.
  const first = window?.impacts.find((each) => isOf(each, impact.host, impact.vm));
  const vm = window?.report?.vms.find(({ name }) => name === impact.vm);
  if (vm === undefined || first === undefined || !isSame(first, impact)) return [whole];
  return [whole, ...phaseSpans(impact, vm)];
}

const isSame = (a: Impact, b: Impact): boolean => a.vm === b.vm && a.haltedAtNs === b.haltedAtNs;

function phaseSpans(impact: Impact, vm: VmReport): Span[] {
  const requestedAtNs = impact.requestedAtNs - vm.requestedAfterNs;
  return segmentsOf(vm, Number.POSITIVE_INFINITY)
    .filter(({ part, fromNs, toNs }) => part !== 'running' && toNs > fromNs)
    .map(({ part, fromNs, toNs }) => ({
      kind: part as SpanKind,
      fromNs: requestedAtNs + fromNs,
      toNs: requestedAtNs + toNs,
      title: `${impact.vm}: ${part}, ${formatNs(toNs - fromNs)} of a blackout of ${formatNs(impact.blackoutNs)}`,
    }));
}
