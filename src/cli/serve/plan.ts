import { StandstillError, unexpected } from '../../base/errors.js';
import { didYouMean } from '../../base/suggest.js';
import type { PatchSpec } from '../../maintenance/patch-source.js';
import { DEMO_PATCHES } from '../../scenario/builtin/components.js';
import type { ControlOptions } from '../../scheduled-events/control-server.js';
import { EVENT_TYPES, type EventType } from '../../scheduled-events/event.js';
import type { MetadataOptions } from '../../scheduled-events/options.js';
import type { VmOptions } from '../../vm/options.js';
import type { UiFlag } from '../dashboard.js';
import type { OutputFlags } from '../output-flags.js';
import { memoryOf } from '../run-options.js';
import { readSchedule, type Schedule, type ScheduleEntry } from './schedule.js';

/** The flags of `standstill serve`, as commander hands them over. */
export interface ServeFlags extends OutputFlags {
  vm?: string[];
  program: string;
  memory: string;
  metadata: string;
  spread: 'port' | 'address';
  allowPublic?: true;
  set?: string[];
  raise?: string[];
  notice?: number;
  duration?: number;
  settle?: number;
  enablingDelay?: number;
  timeScale?: number;
  faults?: string[];
  schedule?: string;
  control?: string | true;
  metrics?: string | true;
  ui?: UiFlag;
  patch?: string[];
  trust?: string[];
  logLevel?: string;
}

export interface ServePlan {
  readonly vms: readonly VmOptions[];
  readonly metadata: MetadataOptions;
  readonly faults: Readonly<Record<string, readonly (string | number)[]>>;
  readonly events: readonly ScheduleEntry[];
  readonly control: ControlOptions | undefined;
  readonly metrics: { readonly listen: string; readonly allowPublic: boolean } | undefined;
  readonly ui: UiFlag;
  /** What a maintenance from the dashboard may apply. */
  readonly patches: readonly PatchSpec[];
  readonly trustedKeys: readonly string[];
  /** The built-in patches need the components that they work on. */
  readonly isDemo: boolean;
}

/** The port that exporters of the kind have by default. */
const METRICS_ADDRESS_DEFAULT = '127.0.0.1:9464';
const NO_SCHEDULE: Schedule = { sets: {}, faults: {}, events: [] };

/** What the flags and the schedule file ask for together; a flag counts more. */
export async function planServe(flags: ServeFlags, token: string | undefined): Promise<ServePlan> {
  const schedule = flags.schedule === undefined ? NO_SCHEDULE : await readSchedule(flags.schedule);
  const names = flags.vm ?? ['vm-0'];
  const sets = { ...schedule.sets, ...Object.fromEntries((flags.set ?? []).map((text) => assignment('--set', text))) };
  const faults = Object.fromEntries((flags.faults ?? []).map((text) => assignment('--faults', text)));
  const events = [...(flags.raise ?? []).map((text) => raised(text, flags)), ...schedule.events];
  for (const vm of [...Object.values(sets).flat(), ...Object.keys({ ...schedule.faults, ...faults })]) known(vm, names);
  assertUiFlags(flags);
  for (const { vms } of events) for (const vm of vms ?? []) known(vm, names);
  return {
    vms: names.map((name) => ({ name, program: flags.program, memory: memoryOf(flags.memory) })),
    metadata: {
      listen: flags.metadata,
      spread: flags.spread,
      allowPublic: flags.allowPublic,
      sets,
      noticeMs: flags.notice ?? schedule.notice,
      settleMs: flags.settle ?? schedule.settle,
      enablingDelayMs: flags.enablingDelay ?? schedule.enablingDelay,
      timeScale: flags.timeScale ?? schedule.timeScale,
    },
    faults: { ...schedule.faults, ...faults },
    events,
    control:
      flags.control === undefined ? undefined : { listen: flags.control === true ? undefined : flags.control, token },
    metrics: metricsOf(flags),
    ui: flags.ui,
    patches: flags.patch ?? DEMO_PATCHES,
    trustedKeys: flags.trust ?? [],
    isDemo: flags.patch === undefined,
  };
}

function assertUiFlags(flags: ServeFlags): void {
  const needsUi = (['patch', 'trust'] as const).find((name) => flags[name] !== undefined);
  if (needsUi === undefined || flags.ui !== undefined) return;
  throw new StandstillError('ERR_INVALID_OPTION', `Expected --ui with --${needsUi} but received none`);
}

function known(vm: string, names: readonly string[]): void {
  if (names.includes(vm)) return;
  throw unexpected('ERR_INVALID_OPTION', `the name of a --vm${didYouMean(vm, names)}`, 'a VM', vm);
}

/** 'name=a,b'. */
function assignment(flag: string, text: string): [string, string[]] {
  const [, name, list] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || list === undefined)
    throw unexpected('ERR_INVALID_OPTION', "text such as 'name=a,b'", flag, text);
  return [name, list.split(',').map((part) => part.trim())];
}

/** 'Freeze' of all VMs, or 'Freeze=web-0,web-1'. */
function raised(text: string, { duration }: ServeFlags): ScheduleEntry {
  const [name = '', list] = text.split('=', 2);
  const type = EVENT_TYPES.find((candidate): candidate is EventType => candidate.toLowerCase() === name.toLowerCase());
  if (type === undefined) {
    const expected = `one of ${EVENT_TYPES.join(', ')}${didYouMean(name, EVENT_TYPES)}`;
    throw unexpected('ERR_INVALID_OPTION', expected, '--raise', name);
  }
  return { after: 0, type, vms: list?.split(','), duration };
}

function metricsOf({ metrics, allowPublic }: ServeFlags): ServePlan['metrics'] {
  if (metrics === undefined) return undefined;
  return { listen: metrics === true ? METRICS_ADDRESS_DEFAULT : metrics, allowPublic: allowPublic === true };
}
