import type { EventLog } from '../../base/event-log.js';
import type { Prng } from '../../base/prng.js';
import type { Host } from '../../host/host.js';
import type { FlipBitFault, MaintenanceOptions } from '../../maintenance/options.js';
import type { PatchSpec, RollbackSpec } from '../../maintenance/patch-source.js';
import type { RunEvent } from '../../report/record.js';
import type { MetadataServer } from '../../scheduled-events/metadata-server.js';
import type { Scenario, ScenarioFault } from '../scenario.js';

type Patch = PatchSpec | RollbackSpec;
type FaultKind = ScenarioFault['kind'];

const HANG = new URL('./sabotage/hang.js', import.meta.url);
const FAIL = new URL('./sabotage/fail.js', import.meta.url);
const DELAY = new URL('./sabotage/delay.js', import.meta.url);

/** What goes wrong on purpose in a run. Each fault that strikes is an entry of the log. */
export class Faults {
  readonly #scenario: Scenario;
  readonly #flips: readonly FlipBitFault[];
  readonly #log: EventLog<RunEvent>;

  constructor(scenario: Scenario, prng: Prng, log: EventLog<RunEvent>) {
    this.#scenario = scenario;
    this.#log = log;
    this.#flips = scenario.faults.flatMap((fault) => {
      const guest = fault.kind === 'flip-bit' ? scenario.vms.find(({ name }) => name === fault.vm)?.guest : undefined;
      if (fault.kind !== 'flip-bit' || guest?.kind !== 'program') return [];
      return [{ kind: 'flip-bit', vm: fault.vm, gpa: prng.nextBelow(guest.ramBytes), bit: prng.nextBelow(8) }];
    });
  }

  /** The options of a host's maintenance, with what is to go wrong in it. */
  inMaintenance(host: Host, options: MaintenanceOptions): MaintenanceOptions {
    const vms = (options.vms ?? host.vms).map(({ name }) => name);
    return {
      ...options,
      patches: [...(options.patches ?? []).map((patch) => this.#sabotaged(patch, host)), ...this.#delays(host)],
      faults: this.flipsOf(vms),
      probes: [...(options.probes ?? []), ...this.#illnesses(vms)],
    };
  }

  /** The bits that flip while these VMs stand still. */
  flipsOf(vms: readonly string[]): readonly FlipBitFault[] {
    const flips = this.#flips.filter(({ vm }) => vms.includes(vm));
    for (const { vm } of flips) this.#tell('flip-bit', vm);
    return flips;
  }

  /** From now on, the replies of the metadata service. */
  inMetadata(metadata: MetadataServer): void {
    for (const fault of this.#scenario.faults) {
      if (fault.kind !== 'metadata') continue;
      for (const vm of fault.vms) {
        metadata.playFaults(vm, fault.steps);
        this.#tell('metadata', vm);
      }
    }
  }

  #sabotaged(patch: Patch, host: Host): Patch {
    const name = this.#nameOf(patch);
    const fault = this.#scenario.faults.find(
      (each) =>
        (each.kind === 'patch-hang' || each.kind === 'patch-fail') && each.patch === name && isOn(each.host, host),
    );
    if (fault === undefined || name === undefined) return patch;
    this.#tell(fault.kind, `${name} on ${host.name}`);
    return { module: fault.kind === 'patch-hang' ? HANG : FAIL, name };
  }

  /** That of the scenario. */
  #nameOf(patch: Patch): string | undefined {
    if (typeof patch !== 'object' || patch instanceof URL || 'rollback' in patch) return undefined;
    if ('module' in patch) return patch.name;
    return this.#scenario.patches.find((each) => each.kind === 'bundle' && each.bundle === String(patch.bundle))?.name;
  }

  #delays(host: Host): Patch[] {
    return this.#scenario.faults.flatMap((fault) => {
      if (fault.kind !== 'late-resume' || !isOn(fault.host, host)) return [];
      this.#tell('late-resume', host.name);
      return [{ module: DELAY, name: 'late-resume', options: { byMs: fault.byMs } }];
    });
  }

  #illnesses(vms: readonly string[]): { name: string; probe: () => boolean }[] {
    const ill = this.#scenario.faults.flatMap((fault) => (fault.kind === 'health-fail' ? fault.vms : []));
    return ill
      .filter((vm) => vms.includes(vm))
      .map((vm) => {
        this.#tell('health-fail', vm);
        return { name: `health of ${vm}`, probe: () => false };
      });
  }

  #tell(fault: FaultKind, target: string): void {
    this.#log.append({ type: 'fault-injected', fault, target });
  }
}

const isOn = (named: string | null, host: Host): boolean => named === null || named === host.name;
