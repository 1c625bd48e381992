import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { isStandstillError } from '../base/errors.js';
import type { DashboardServer } from '../dashboard/dashboard-server.js';
import { Host } from '../host/host.js';
import type { MaintenanceReport } from '../maintenance/report.js';
import { writeComponents } from '../scenario/builtin/components.js';
import { provideComponents } from '../scenario/provide-components.js';
import { bundleOptions } from './bundles.js';
import { serveOn, startDashboard, tellDashboard, uiOption } from './dashboard.js';
import { EXIT_NOT_OK, EXIT_OK } from './exit-codes.js';
import { collect, DAY_MS, durationMs, wholeNumber } from './flags.js';
import { closing } from './help.js';
import { catchInterrupts, type Interrupt } from './interrupt.js';
import type { Leave } from './leave.js';
import { type Progress, showProgress } from './progress.js';
import { Recording, reportOption } from './recording.js';
import { renderTimeline } from './render/timeline.js';
import { renderTickers, renderUpdate, renderVerdict } from './render/verdict.js';
import { renderVms } from './render/vm-tables.js';
import { PROGRAMS_DEFAULT, planRun, type RunFlags, type RunPlan } from './run-options.js';
import { assertFlagsFit, processOptions, type RunProcessFlags, runProcess } from './run-process.js';
import { runScenarioFile } from './scenario/run.js';
import { terminalOf } from './terminal.js';

const VMS_MAX = 1000;

/** `standstill run`: the main job, end to end. */
export function runCommand(leave: Leave): Command {
  const command = new Command('run')
    .summary('freeze VMs, patch the host behind them, resume them, prove their memory; or run a scenario file')
    .argument('[scenario]', 'a scenario file (YAML): hosts, guests, a schedule, faults, probes and what is expected')
    .description(
      'Runs a scenario file. Without one it creates a host with VMs and lets them run, freezes them, applies patches to ' +
        'the host behind them, resumes them ' +
        'within the budget, synchronises their clocks, and proves that nothing in their memory moved.',
    )
    .addOption(flag('--vms <number>', 'how many VMs', wholeNumber('--vms', 1, VMS_MAX)).default(4))
    .option('--memory <size>', "RAM of each VM, bytes or text such as '64MiB'", '64MiB')
    .option(
      '--program <name>',
      `guest program, repeatable; dealt out in turn (default: ${PROGRAMS_DEFAULT.join(', ')})`,
      collect,
    )
    .option(
      '--patch <file>',
      'patch module or bundle (.tar.gz), repeatable; applied in order (default: three built-in modules)',
      collect,
    )
    .addOption(flag('--budget <time>', 'longest freeze', durationMs('--budget', DAY_MS)).default(30_000, '30s'))
    .option('--proof <kind>', 'how memory is proved: deferred, full, sampled, none', 'deferred')
    .addOption(
      flag(
        '--seed <number>',
        'decides the guests, the components, the fault',
        wholeNumber('--seed', 0, 2 ** 53 - 1),
      ).default(undefined, 'random, printed'),
    )
    .addOption(
      flag('--duration <time>', 'how long the VMs run before', durationMs('--duration', DAY_MS)).default(1000, '1s'),
    )
    .option('--fault <kind>', 'negative control: flip-bit or flip-bit=<vm> flips a bit of frozen RAM')
    .addOption(uiOption('a dashboard in the browser; when the run is over it serves on until Ctrl-C'))
    .addHelpText(
      'after',
      closing('0 all is well, or as the scenario expects it; 1 not so; 2 usage; 130 Ctrl-C, 143 SIGTERM.', [
        'standstill run',
        'standstill run scenario.yaml --seed 7',
        'standstill run --vms 8 --memory 256MiB --patch ./my-patch.mjs --json',
        "standstill run --process 'redis-server --port 6379' --ready-port 6379 --freeze 2s",
      ]),
    )
    .action(async (scenario: string | undefined, flags: RunFlags & RunProcessFlags) => {
      assertFlagsFit(command, scenario, flags.process !== undefined);
      if (scenario !== undefined) return await runScenarioFile(scenario, flags, leave);
      if (flags.process === undefined) return await run(flags, leave);
      const isProofGiven = command.getOptionValueSource('proof') === 'cli';
      return await runProcess(flags.process, flags, isProofGiven, leave);
    });
  for (const option of [...bundleOptions(), ...processOptions, reportOption()]) command.addOption(option);
  return command;
}

const flag = (names: string, text: string, parse: (text: string) => number): Option =>
  new Option(names, text).argParser(parse);

async function run(flags: RunFlags, leave: Leave): Promise<void> {
  const plan = planRun(flags);
  // Before the host, whose temporary folder a signal must not leave behind.
  let host: Host | undefined;
  const recording = new Recording(`maintenance of ${plan.vms.length} VMs`, plan.seed);
  using interrupt = catchInterrupts(() => host?.[Symbol.dispose]());
  let dashboard: DashboardServer | undefined;
  let exitCode: number = EXIT_NOT_OK;
  try {
    host = await Host.create({ directory: flags.host, trustedKeys: plan.trustedKeys });
    dashboard = await startDashboard(flags.ui, host, { patches: plan.patches });
    tellDashboard(dashboard);
    const report = await maintain(host, plan, interrupt, flags);
    recording.maintenances.push({ host: host.name, report });
    recording.ended(report.ok);
    process.stdout.write(flags.json === true ? `${JSON.stringify(report, null, 2)}\n` : render(report, flags));
    exitCode = report.ok ? EXIT_OK : EXIT_NOT_OK;
    await serveOn(dashboard, interrupt.signal);
  } catch (error) {
    recording.failed(error);
    if (interrupt.exitCode === undefined || !isStandstillError(error, 'ERR_ABORTED')) throw error;
    process.stderr.write('Interrupted: the VMs were resumed and closed, the temporary folder is removed.\n');
    exitCode = interrupt.exitCode;
  } finally {
    await dashboard?.close();
    await host?.close();
    recording.write(host?.log.entries ?? [], flags.report);
  }
  await leave(exitCode, host?.abandonedThreads ?? 0);
}

async function maintain(host: Host, plan: RunPlan, { signal }: Interrupt, flags: RunFlags): Promise<MaintenanceReport> {
  using progress: Progress = showProgress(flags);
  progress.say(`creating ${plan.vms.length} VMs`);
  signal.throwIfAborted();
  for (const options of plan.vms) {
    const vm = await host.createVm(options);
    signal.throwIfAborted();
    vm.start();
  }
  progress.say('the VMs run');
  await Promise.all([
    plan.isDemo ? writeComponents(host.directory, plan.seed) : undefined,
    plan.isHostKept ? undefined : provideComponents(host.components, plan.patches),
    sleep(plan.durationMs, undefined, { signal }).catch(() => signal.throwIfAborted()),
  ]);
  signal.throwIfAborted();
  return await host.applyMaintenance({
    patches: plan.patches,
    budgetMs: plan.budgetMs,
    allowReboot: plan.allowReboot,
    proof: plan.proof,
    seed: plan.seed,
    faults: plan.faults,
    signal,
    onEvent: (event) => progress.onEvent(event),
  });
}

function render(report: MaintenanceReport, flags: RunFlags): string {
  const terminal = terminalOf(process.stdout, flags.color);
  const { style } = terminal;
  const title = `${style.bold('Memory-preserving maintenance')} ${style.dim(`seed ${report.seed}`)}`;
  const result = [renderUpdate(report, style), renderVerdict(report, style)];
  const whole = [
    title,
    renderTimeline(report, terminal),
    renderVms(report.vms, terminal),
    renderTickers(report, style),
  ];
  const sections = flags.quiet ? result : [...whole, ...result];
  return `\n${sections.filter((section) => section !== '').join('\n\n')}\n\n`;
}
