// A rollout over 5 update domains of 20 VMs each: how long it takes, what each VM feels of it, and what it costs.
import { MIB } from '../../base/units.js';
import { Fleet } from '../../fleet/fleet.js';
import type { RolloutReport } from '../../fleet/rollout-report.js';
import type { BenchCase } from '../case.js';

const DOMAINS = 5;
const VMS_PER_DOMAIN = 20;
/** All guests together keep one CPU busy, so that the figures are those of the rollout. */
const CPUS_OF_GUESTS = 1;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const PATCH = new URL('../rollout-patch.js', import.meta.url);
const MAINTENANCE = { patches: [PATCH], handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS };

async function createFleet(vms: number, memoryBytes: number, program: string): Promise<Fleet> {
  const fleet = await Fleet.create({ hosts: DOMAINS });
  fleet.createAvailabilitySet({ name: 'web' });
  const dutyCycle = Math.min(1, CPUS_OF_GUESTS / vms);
  for (let index = 0; index < vms; index += 1) {
    const options = { program, memory: memoryBytes, seed: index, dutyCycle, availabilitySet: 'web' };
    (await fleet.createVm(options)).start();
  }
  return fleet;
}

/** CPU time of this process, guests and patch workers included. */
async function cpuNsOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

function blackoutsOf(report: RolloutReport): number[] {
  if (!report.ok) throw new Error(`Expected a good rollout but it says: ${report.problems.join('; ')}`);
  return report.vms.flatMap(({ blackoutNs }) => (blackoutNs === null ? [] : [blackoutNs]));
}

export const rollout: BenchCase = {
  name: 'rollout',
  promise: null,
  summary: 'rollout over 5 update domains × 20 VMs: time, blackout of each VM, CPU; baseline: one host alone',
  params: ['memoryBytes', 'vms', 'program'],
  seconds: 40,
  async run({ quick, params, latencies, figures, inTurns }) {
    const { memoryBytes = 4 * MIB, vms = DOMAINS * VMS_PER_DOMAIN, program = 'kv-store' } = params;
    const whole = figures();
    const cpu = figures();
    const blackout = latencies();
    const alone = latencies();
    await using fleet = await createFleet(vms, memoryBytes, program);
    const [host] = fleet.hosts;
    await inTurns(quick ? 1 : 10, [
      async ({ warmUp }) => {
        const report: RolloutReport[] = [];
        const cpuNs = await cpuNsOf(async () => report.push(await fleet.rollout(MAINTENANCE)));
        if (warmUp) return;
        cpu.record(cpuNs);
        for (const each of report) {
          whole.record(each.durationNs);
          blackout.recordAll(blackoutsOf(each));
        }
      },
      async ({ warmUp }) => {
        const report = await host?.applyMaintenance(MAINTENANCE);
        if (!warmUp) alone.recordAll(report?.vms.map(({ blackoutNs }) => blackoutNs) ?? []);
      },
    ]);
    const shape = { updateDomains: DOMAINS, vms, ramBytes: memoryBytes, program };
    return [
      { title: 'rollout time', params: shape, ours: whole },
      {
        title: 'rollout blackout',
        params: shape,
        ours: blackout,
        baseline: { name: 'the same maintenance of one host alone', series: alone },
      },
      {
        title: 'rollout CPU',
        params: shape,
        ours: cpu,
        notes: ['CPU time of the process, the running guests included'],
      },
    ];
  },
};
