import { orAborted } from '../../base/abort.js';
import type { EventLog } from '../../base/event-log.js';
import { Fleet } from '../../fleet/fleet.js';
import type { PatchSpec } from '../../maintenance/patch-source.js';
import type { RunEvent } from '../../report/record.js';
import { MetadataServer } from '../../scheduled-events/metadata-server.js';
import type { Vm } from '../../vm/vm.js';
import { builtinPatch, writeComponents } from '../builtin/components.js';
import { installComponent, provideComponents } from '../provide-components.js';
import type { Scenario, ScenarioPatch, ScenarioVm } from '../scenario.js';

/** What a scenario runs on: its hosts with their VMs, and their metadata service. */
export interface Ground extends AsyncDisposable {
  readonly fleet: Fleet;
  readonly metadata: MetadataServer | undefined;
}

export interface GroundWork {
  readonly seed: number;
  readonly log: EventLog<RunEvent>;
  readonly signal: AbortSignal;
  readonly onFleet: (fleet: Fleet) => void;
}

/** Creates everything in the order of the file, and resolves once all guests run and are ready; else nothing is left. */
export async function prepareGround(scenario: Scenario, work: GroundWork): Promise<Ground> {
  const { log, signal } = work;
  const { metadata: timing, hosts, updateDomains, faultDomains, budgetMs } = scenario;
  const metadata = timing === null ? undefined : new MetadataServer({ ...timing });
  let fleet: Fleet | undefined;
  const close = async () => {
    await fleet?.close();
    await metadata?.close();
  };
  try {
    fleet = await Fleet.create({
      hosts: hosts.map(({ name, trust }) => ({ name, trustedKeys: trust })),
      updateDomains,
      faultDomains,
      log: log.branch(),
      host: { metadata, budgetMs },
    });
    work.onFleet(fleet);
    await furnishHosts(scenario, fleet, work.seed);
    for (const set of scenario.sets) fleet.createAvailabilitySet(set);
    for (const [index, vm] of scenario.vms.entries()) {
      signal.throwIfAborted();
      await startVm(fleet, vm, work.seed + index, signal);
    }
    return { fleet, metadata, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The components that the file names; where it names none of a host, those that its patches are for. */
async function furnishHosts({ hosts, patches }: Scenario, fleet: Fleet, seed: number): Promise<void> {
  for (const [index, host] of fleet.hosts.entries()) {
    const components = hosts[index]?.components ?? [];
    for (const component of components) await installComponent(host.components, component);
    if (components.length === 0) await provideComponents(host.components, patches.map(patchSpec));
    if (patches.some(({ kind }) => kind === 'builtin')) await writeComponents(host.directory, seed);
  }
}

async function startVm(fleet: Fleet, vm: ScenarioVm, seed: number, signal: AbortSignal): Promise<void> {
  const { name, guest, pinned } = vm;
  const availabilitySet = vm.set ?? undefined;
  if (guest.kind === 'program') {
    const { program, ramBytes, params, dutyCycle, clockSync } = guest;
    const options = { name, program, params, dutyCycle, clockSync, pinned, availabilitySet };
    (await fleet.createVm({ ...options, memory: ramBytes, seed, prefault: true })).start();
    return;
  }
  const { command, directory, env, ready, readyTimeoutMs, freezer, restart, network, publish } = guest;
  const process_ = await fleet.createProcessVm({
    ...{ name, pinned, availabilitySet, readyTimeoutMs, freezer, restart, network, publish },
    command: '/bin/sh',
    args: ['-c', command],
    cwd: directory,
    env: { ...process.env, ...env },
    ready: ready ?? undefined,
  });
  process_.start();
  await orAborted(process_.ready({ signal }), signal);
}

/** A patch of the file, as maintenances take it; its name is that of the file, where it can have one. */
export function patchSpec(patch: ScenarioPatch): PatchSpec {
  const { name } = patch;
  if (patch.kind === 'bundle') return { bundle: patch.bundle };
  if (patch.kind === 'module') return { name, module: patch.module, options: patch.options };
  return builtinPatch(patch.builtin, name);
}

/** The VMs of these names, in their order. */
export const vmsNamed = ({ fleet }: Ground, names: readonly string[]): Vm[] => names.map((name) => fleet.vm(name));
