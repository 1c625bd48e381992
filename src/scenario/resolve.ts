import { basename, dirname, extname, resolve } from 'node:path';
import { actionKind, afterOf, entryIds, hostNames, patchName, probeNames, vmNames } from './names.js';
import type {
  Action,
  EmulatedGuest,
  ProcessGuest,
  Scenario,
  ScenarioFault,
  ScenarioHost,
  ScenarioPatch,
  ScenarioProbe,
  ScenarioSet,
  ScenarioVm,
  ScheduleEntry,
  SecondImpact,
  Start,
} from './scenario.js';
import type { ScenarioFile } from './schema.js';

const UPDATE_DOMAINS_DEFAULT = 5;
const FAULT_DOMAINS_DEFAULT = 2;
const METADATA_DEFAULT = { notice: 2000, settle: 1000, enablingDelay: 0, timeScale: 1 };

type Entry = ScenarioFile['schedule'][number];

/** What the fleet has where a file says nothing: at most one domain for each host. */
export function domainsOf({
  hosts,
  updateDomains,
  faultDomains,
}: Pick<ScenarioFile, 'hosts' | 'updateDomains' | 'faultDomains'>) {
  const count = hostNames(hosts).length;
  return {
    updateDomains: updateDomains ?? Math.min(UPDATE_DOMAINS_DEFAULT, count),
    faultDomains: faultDomains ?? Math.min(FAULT_DOMAINS_DEFAULT, count),
  };
}

/** How often an entry happens: with `every` and no `times`, until the scenario's duration. */
export function timesOf(entry: Entry, durationMs: number | undefined): number {
  if (entry.every === undefined) return 1;
  if (entry.times !== undefined || durationMs === undefined) return entry.times ?? 1;
  return Math.max(1, Math.floor((durationMs - startMs(entry)) / entry.every) + 1);
}

/** When an entry happens first, unless it is after something. */
export const startMs = (entry: Entry): number => entry.at ?? entry.every ?? 0;

/** The scenario that a file without mistakes means; its paths are relative to it. */
export function resolveScenario(file: ScenarioFile, path: string): Scenario {
  const folder = dirname(path);
  const domains = domainsOf(file);
  const metadata = file.metadata === true ? METADATA_DEFAULT : file.metadata;
  return {
    name: file.name ?? basename(path, extname(path)),
    path,
    seed: file.seed ?? null,
    budgetMs: file.budget,
    proof: file.proof,
    durationMs: file.duration ?? null,
    hosts: hostsOf(file, folder),
    ...domains,
    sets: file.sets.map(
      (set): ScenarioSet => ({ ...domains, ...(typeof set === 'string' ? { name: set } : defined(set)) }),
    ),
    vms: file.vms.flatMap((vm) => vmsOf(vm, folder)),
    metadata:
      metadata === false
        ? null
        : {
            noticeMs: metadata.notice,
            settleMs: metadata.settle,
            enablingDelayMs: metadata.enablingDelay,
            timeScale: metadata.timeScale,
          },
    patches: file.patches.map((patch) => patchOf(patch, folder)),
    schedule: scheduleOf(file),
    faults: file.faults.map((fault) => faultOf(fault, file)),
    probes: probesOf(file, folder),
    expect: file.expect,
  };
}

const defined = <Value extends object>(value: Value): { [Key in keyof Value]: Exclude<Value[Key], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as never;

function hostsOf({ hosts }: ScenarioFile, folder: string): ScenarioHost[] {
  return hostNames(hosts).map((name, index) => {
    const given = typeof hosts === 'number' ? undefined : hosts[index];
    return {
      name,
      components: Object.entries(given?.components ?? {}).map(([component, { version, files }]) => ({
        component,
        version,
        files: files === undefined ? null : resolve(folder, files),
      })),
      trust: (given?.trust ?? []).map((key) => resolve(folder, key)),
    };
  });
}

function vmsOf(vm: ScenarioFile['vms'][number], folder: string): ScenarioVm[] {
  const guest = guestOf(vm.guest, folder);
  return vmNames(vm).map((name) => ({ name, group: vm.name, set: vm.set ?? null, pinned: vm.pinned, guest }));
}

function guestOf(guest: ScenarioFile['vms'][number]['guest'], folder: string): EmulatedGuest | ProcessGuest {
  if ('program' in guest) {
    const { program, memory: ramBytes, params, dutyCycle, clockSync } = guest;
    const { mode, delay: delayMs, slewPpm } = clockSync;
    return { kind: 'program', program, ramBytes, params, dutyCycle, clockSync: { mode, delayMs, slewPpm } };
  }
  return {
    kind: 'process',
    command: guest.process,
    directory: resolve(folder, guest.directory ?? '.'),
    env: guest.env,
    ready: guest.ready ?? null,
    readyTimeoutMs: guest.readyTimeout,
    freezer: guest.freezer,
    restart: guest.restart,
    network: guest.network,
    publish: guest.publish,
  };
}

function patchOf(patch: ScenarioFile['patches'][number], folder: string): ScenarioPatch {
  const name = patchName(patch);
  if ('builtin' in patch) return { name, kind: 'builtin', builtin: patch.builtin };
  if ('bundle' in patch) return { name, kind: 'bundle', bundle: resolve(folder, patch.bundle) };
  return { name, kind: 'module', module: resolve(folder, patch.module), options: patch.options };
}

function scheduleOf(file: ScenarioFile): ScheduleEntry[] {
  const ids = entryIds(file.schedule);
  return file.schedule.map((entry, index) => ({
    id: ids[index] ?? '',
    start: startOf(entry, file.schedule, ids),
    everyMs: entry.every ?? null,
    times: timesOf(entry, file.duration),
    jitterMs: entry.jitter,
    action: actionOf(entry, file),
  }));
}

function startOf(entry: Entry, schedule: readonly Entry[], ids: readonly string[]): Start {
  if (entry.after === undefined) return { kind: 'at', atMs: startMs(entry) };
  const delayMs = entry.delay ?? 0;
  const after = afterOf(entry.after, schedule);
  if (after.kind === 'entry') return { kind: 'after-entry', entry: ids[after.index] ?? '', delayMs };
  return { kind: 'after-event', type: entry.after, delayMs };
}

function actionOf(entry: Entry, file: ScenarioFile): Action {
  const kind = actionKind(entry);
  const patches = file.patches.map(patchName);
  if (kind === 'maintenance' && entry.maintenance !== undefined) {
    const { host, vms, budget, second, allowReboot, ...own } = entry.maintenance;
    return {
      kind,
      host: host ?? hostNames(file.hosts)[0] ?? '',
      vms: vms === undefined ? null : expand(vms, file),
      patches: own.patches ?? patches,
      budgetMs: budget ?? file.budget,
      secondImpact: secondOf(second),
      allowReboot,
    };
  }
  if (kind === 'rollout' && entry.rollout !== undefined) {
    const { sets, rollbackPatches, order, pauseBetween, hostsAtOnce, onFailure, budget, allowReboot, ...own } =
      entry.rollout;
    return {
      kind,
      sets: sets ?? null,
      patches: own.patches ?? patches.filter((name) => rollbackPatches?.includes(name) !== true),
      rollbackPatches: rollbackPatches ?? [],
      order: order ?? null,
      pauseBetweenMs: pauseBetween,
      hostsAtOnce: hostsAtOnce ?? null,
      onFailure,
      budgetMs: budget ?? file.budget,
      allowReboot,
    };
  }
  if (kind === 'freeze' && entry.freeze !== undefined) {
    return { kind, vms: expand(entry.freeze.vms, file), durationMs: entry.freeze.duration };
  }
  if (kind === 'pause' || kind === 'resume') return { kind, vms: expand(entry[kind]?.vms ?? [], file) };
  if (entry.event === undefined) throw new Error('an entry has an action');
  const { type, vms, notice, duration, settle, source, description, second, cancelAfter } = entry.event;
  return {
    kind: 'event',
    type: type ?? null,
    vms: vms === undefined ? null : expand(vms, file),
    noticeMs: notice ?? null,
    durationMs: duration ?? null,
    settleMs: settle ?? null,
    source: source ?? null,
    description: description ?? null,
    second: secondOf(second),
    cancelAfterMs: cancelAfter ?? null,
  };
}

const secondOf = (second: { after: number; duration: number } | undefined): SecondImpact | null =>
  second === undefined ? null : { afterMs: second.after, durationMs: second.duration };

/** Names of VMs, where that of an entry with a count means all of it; each once. */
export function expand(names: readonly string[], { vms }: Pick<ScenarioFile, 'vms'>): string[] {
  const all = names.flatMap((name) => {
    const group = vms.find((vm) => vm.name === name);
    return group === undefined ? [name] : vmNames(group);
  });
  return [...new Set(all)];
}

function faultOf(fault: ScenarioFile['faults'][number], file: ScenarioFile): ScenarioFault {
  switch (fault.kind) {
    case 'patch-hang':
    case 'patch-fail':
      return { kind: fault.kind, patch: fault.patch, host: fault.host ?? null };
    case 'health-fail':
      return { kind: fault.kind, vms: expand([fault.vm], file) };
    case 'metadata':
      return { kind: fault.kind, vms: expand(fault.vms, file), steps: fault.steps };
    case 'late-resume':
      return { kind: fault.kind, byMs: fault.by, host: fault.host ?? null };
    case 'flip-bit':
      return { kind: fault.kind, vm: expand([fault.vm], file)[0] ?? '' };
  }
}

function probesOf(file: ScenarioFile, folder: string): ScenarioProbe[] {
  const names = probeNames(file.probes);
  return file.probes.map((probe, index) => {
    const { kind, every: everyMs, timeout: timeoutMs, abortBelow: okShareMin, abortWindow: windowMs } = probe;
    const abort = okShareMin === undefined ? null : { okShareMin, windowMs };
    return { name: names[index] ?? '', kind, everyMs, timeoutMs, target: targetOf(probe, file, folder), abort };
  });
}

function targetOf(probe: ScenarioFile['probes'][number], file: ScenarioFile, folder: string): ScenarioProbe['target'] {
  const { http, tcp, command, module, check, send, expectText, options } = probe;
  if (http !== undefined) return { http, expectText };
  if (tcp !== undefined) return { tcp, send, expectText };
  if (command !== undefined) return { command };
  if (module !== undefined) return { module: resolve(folder, module), options };
  return { check: expand([check ?? ''], file)[0] ?? '' };
}
