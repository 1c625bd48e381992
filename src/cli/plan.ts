import { Command, Option } from 'commander';
import { formatNs, NS_PER_MS } from '../base/units.js';
import { Host } from '../host/host.js';
import type { PatchPlan, PlannedMaintenance } from '../maintenance/plan.js';
import { type BundleFlags, bundleOptions, provideComponents } from './bundles.js';
import { EXIT_NOT_OK, EXIT_OK } from './exit-codes.js';
import { collect, DAY_MS, durationMs } from './flags.js';
import type { Leave } from './leave.js';
import { type Outcome, type OutputFlags, perform, withOutputFlags } from './perform.js';
import { type Column, renderTable } from './render/table.js';
import type { Style } from './terminal.js';

interface PlanFlags extends OutputFlags, BundleFlags {
  patch: string[];
  budget: number;
}

/** `standstill plan`: what a maintenance would do. */
export function planCommand(leave: Leave): Command {
  const command = withOutputFlags(new Command('plan'))
    .summary('show what a maintenance would do, without doing it')
    .description(
      'Shows which patches a host would apply, in which order and impact class, what they are expected to take of the ' +
        'budget, and why the others are refused. A host that is made for it has the components at the lowest versions ' +
        'that the bundles take.',
    )
    .requiredOption('--patch <file>', 'patch bundle or module, repeatable', collect)
    .addOption(
      new Option('--budget <time>', 'longest freeze').argParser(durationMs('--budget', DAY_MS)).default(30_000, '30s'),
    )
    .addHelpText('after', '\nExit codes: 0 every patch qualifies; 1 not so, and why; 2 usage.')
    .action((flags: PlanFlags) => perform(flags, leave, () => plan(flags)));
  for (const option of bundleOptions()) command.addOption(option);
  return command;
}

async function plan(flags: PlanFlags): Promise<Outcome> {
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
