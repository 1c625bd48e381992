import { Command, Option } from 'commander';
import { StandstillError } from '../base/errors.js';
import { formatNs, NS_PER_MS } from '../base/units.js';
import { HOSTS_MAX, UPDATE_DOMAINS_MAX } from '../fleet/options.js';
import { Host } from '../host/host.js';
import type { PatchPlan, PlannedMaintenance } from '../maintenance/plan.js';
import { provideComponents } from '../scenario/provide-components.js';
import { type BundleFlags, bundleOptions } from './bundles.js';
import { EXIT_NOT_OK, EXIT_OK } from './exit-codes.js';
import { collect, DAY_MS, durationMs, wholeNumber } from './flags.js';
import { closing } from './help.js';
import type { Leave } from './leave.js';
import type { OutputFlags } from './output-flags.js';
import { type Outcome, perform, type Watch } from './perform.js';
import { type Column, renderTable } from './render/table.js';
import { planFleet } from './rollout/plan.js';
import type { Style } from './terminal.js';

const FLEET_VMS_MAX = 1000;
const FLEET_VMS_DEFAULT = 20;
const ROLLOUT_DEFAULTS = { memory: '16MiB', onFailure: 'stop', duration: 0, seed: 0 } as const;

interface PlanFlags extends OutputFlags, BundleFlags {
  patch: string[];
  budget: number;
  hosts?: number;
  vms?: number;
  set?: string[];
  domains?: number;
}

/** `standstill plan`: what a maintenance would do. */
export function planCommand(leave: Leave): Command {
  const command = new Command('plan')
    .summary('show what a maintenance would do, without doing it')
    .description(
      'Shows which patches a host would apply, in which order and impact class, what they are expected to take of the ' +
        'budget, and why the others are refused. A host that is made for it has the components at the lowest versions ' +
        'that the bundles take. With --hosts, it is a fleet: the placement of its VMs, the order of its update domains, ' +
        'and the plan of each host, as `standstill rollout --plan` shows them.',
    )
    .requiredOption('--patch <file>', 'patch bundle or module, repeatable', collect)
    .addOption(
      new Option('--budget <time>', 'longest freeze').argParser(durationMs('--budget', DAY_MS)).default(30_000, '30s'),
    )
    .addOption(
      new Option('--hosts <number>', 'plan for a fleet of so many').argParser(wholeNumber('--hosts', 1, HOSTS_MAX)),
    )
    .addOption(
      new Option('--vms <number>', 'of the fleet (default: 20)').argParser(wholeNumber('--vms', 0, FLEET_VMS_MAX)),
    )
    .option('--set <name>', 'availability set of the fleet, repeatable (default: web)', collect)
    .addOption(
      new Option('--domains <number>', 'update domains of the fleet (default: 5)').argParser(
        wholeNumber('--domains', 1, UPDATE_DOMAINS_MAX),
      ),
    )
    .addHelpText(
      'after',
      closing('0 every patch qualifies; 1 not so, and why; 2 usage; 130 Ctrl-C, 143 SIGTERM.', [
        'standstill plan --patch agent.tar.gz --trust vendor.pub.pem',
        'standstill plan --hosts 5 --vms 20 --patch ./my-patch.mjs',
      ]),
    )
    .action((flags: PlanFlags) =>
      perform(flags, leave, (watch) =>
        flags.hosts === undefined ? plan(flags) : planOfFleet(flags, flags.hosts, watch),
      ),
    );
  for (const option of bundleOptions()) command.addOption(option);
  return command;
}

/** As of `standstill rollout` with the same flags and its defaults. */
async function planOfFleet(flags: PlanFlags, hosts: number, watch: Watch): Promise<Outcome> {
  if (flags.host !== undefined) {
    throw new StandstillError('ERR_INVALID_OPTION', 'Expected one of --host and --hosts but received both');
  }
  return await planFleet({ ...ROLLOUT_DEFAULTS, ...flags, hosts, vms: flags.vms ?? FLEET_VMS_DEFAULT }, watch);
}

async function plan(flags: PlanFlags): Promise<Outcome> {
  const needsHosts = (['vms', 'set', 'domains'] as const).find((name) => flags[name] !== undefined);
  if (needsHosts !== undefined) {
    throw new StandstillError('ERR_INVALID_OPTION', `Expected --hosts with --${needsHosts} but received none`);
  }
  await using host = await Host.create({ directory: flags.host, trustedKeys: flags.trust ?? [] });
  if (flags.host === undefined) await provideComponents(host.components, flags.patch);
  const planned = await host.planMaintenance({
    patches: flags.patch,
    budgetMs: flags.budget,
    allowReboot: flags.allowReboot,
  });
  return {
    json: planned,
    text: ({ style }) => render(planned, style),
    exitCode: planned.qualifies ? EXIT_OK : EXIT_NOT_OK,
  };
}

function render(planned: PlannedMaintenance, style: Style): string {
  const columns: Column<PatchPlan>[] = [
    { head: 'patch', align: 'left', cell: ({ name }) => name },
    { head: 'component', align: 'left', cell: ({ bundle }) => bundle?.component ?? '–' },
    {
      head: 'version',
      align: 'left',
      cell: ({ bundle }) => (bundle === null ? '–' : `${bundle.currentVersion ?? 'none'} → ${bundle.to}`),
    },
    { head: 'impact', align: 'left', cell: ({ impact }) => impact },
    {
      head: 'expected',
      align: 'right',
      cell: ({ bundle }) => (bundle === null ? '–' : formatNs(bundle.expectedDurationMs * NS_PER_MS)),
    },
    { head: '', align: 'left', cell: ({ qualifies }) => (qualifies ? style.green('applies') : style.red('refused')) },
  ];
  const refusals = planned.patches.flatMap(({ name, refusals: all }) =>
    all.map(({ message, reason }) => `  ${style.red('•')} ${name}: ${message} ${style.dim(reason)}`),
  );
  const [expected, budget] = [planned.expectedBlackoutMs, planned.budgetMs].map((ms) => formatNs(ms * NS_PER_MS));
  const verdict = planned.qualifies
    ? `${style.green('✔')} ${style.bold(`impact: ${planned.impact}`)}, ${expected} of a budget of ${budget} expected`
    : `${style.red('✘')} ${style.bold('refused')}: nothing would be applied`;
  return `\n${renderTable(columns, planned.patches, style)}\n\n${[verdict, ...refusals].join('\n')}\n\n`;
}
