import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { isStandstillError, messageOf, StandstillError, unexpected } from '../../base/errors.js';
import type { DashboardServer } from '../../dashboard/dashboard-server.js';
import { Fleet } from '../../fleet/fleet.js';
import { FAULT_DOMAINS_MAX, HOSTS_MAX, UPDATE_DOMAINS_MAX } from '../../fleet/options.js';
import type { RolloutReport } from '../../fleet/rollout-report.js';
import type { Host } from '../../host/host.js';
import type { MaintenanceOptions } from '../../maintenance/options.js';
import { writeComponents } from '../../scenario/builtin/components.js';
import { serveOn, startDashboard, tellDashboard, uiOption } from '../dashboard.js';
import { EXIT_NOT_OK, EXIT_OK } from '../exit-codes.js';
import { collect, DAY_MS, durationMs, wholeNumber } from '../flags.js';
import { closing } from '../help.js';
import { catchInterrupts } from '../interrupt.js';
import type { Leave } from '../leave.js';
import { perform } from '../perform.js';
import { showProgress } from '../progress.js';
import { Recording, reportOption } from '../recording.js';
import { terminalOf } from '../terminal.js';
import { planRolloutRun, type RolloutFlags, type RolloutRun } from './options.js';
import { planFleet } from './plan.js';
import { populate } from './populate.js';
import { placementOf, renderPlacement, renderRollout, renderVerdict } from './render.js';
import { watchRollout } from './watch.js';

const VMS_MAX = 1000;

/** `standstill rollout`: a fleet, patched one update domain at a time. */
export function rolloutCommand(leave: Leave): Command {
  return new Command('rollout')
    .summary('patch a fleet of hosts, one update domain at a time')
    .description(
      'Creates hosts with VMs in availability sets, shows where they are, patches one update domain after the other, ' +
        'checks the health of the VMs in between, and proves from the event log that never two domains of a set were ' +
        'impacted at once. With --state, one that was stopped or killed goes on where it was.',
    )
    .addOption(flag('--hosts <number>', 'how many hosts', wholeNumber('--hosts', 1, HOSTS_MAX)).default(5))
    .addOption(flag('--vms <number>', 'how many VMs', wholeNumber('--vms', 0, VMS_MAX)).default(20))
    .option('--set <name>', 'availability set, repeatable; the VMs are dealt out in turn (default: web)', collect)
    .addOption(
      flag('--domains <number>', 'update domains', wholeNumber('--domains', 1, UPDATE_DOMAINS_MAX)).default(
        undefined,
        '5',
      ),
    )
    .addOption(
      flag('--fault-domains <number>', 'fault domains', wholeNumber('--fault-domains', 1, FAULT_DOMAINS_MAX)).default(
        undefined,
        '2',
      ),
    )
    .option('--memory <size>', "RAM of each VM, bytes or text such as '16MiB'", '16MiB')
    .option('--program <name>', 'guest program, repeatable; dealt out in turn', collect)
    .option('--patch <file>', 'patch module or bundle, repeatable; in order (default: three built-in ones)', collect)
    .option('--trust <file>', 'public key whose bundles are applied, repeatable', collect)
    .option('--allow-reboot', 'let a bundle of class reboot restart the VMs; their memory is lost')
    .option('--rollback-patch <module>', 'what takes modules back, repeatable; applied in order', collect)
    .addOption(new Option('--order <domains>', "order of the update domains, as '2,0,1'").argParser(orderOf))
    .addOption(
      flag('--hosts-at-once <number>', 'of a domain', wholeNumber('--hosts-at-once', 1, HOSTS_MAX)).default(
        undefined,
        'all',
      ),
    )
    .addOption(flag('--pause-between <time>', 'between two domains', durationMs('--pause-between', DAY_MS)))
    .option('--on-failure <policy>', 'what follows a failure: stop, rollback', 'stop')
    .addOption(flag('--budget <time>', 'longest freeze', durationMs('--budget', DAY_MS)).default(30_000, '30s'))
    .addOption(
      flag('--duration <time>', 'how long the VMs run before', durationMs('--duration', DAY_MS)).default(200, '200ms'),
    )
    .addOption(flag('--seed <number>', 'decides the guests', wholeNumber('--seed', 0, 2 ** 53 - 1)).default(0))
    .option('--state <folder>', 'keep the log, the rollout and the hosts there; needs --patch')
    .option('--resume', 'go on with the rollout in --state that was stopped or killed; the other flags as before')
    .option('--roll-back', 'take back what the rollout in --state has patched')
    .option('--in-doubt <answer>', 'where a kill has left it open whether a host is patched: applied, not-applied')
    .option('--plan', 'show the placement, the order and what each host would do; nothing is applied')
    .addOption(uiOption('a dashboard in the browser; when the rollout is over it serves on until Ctrl-C'))
    .option('--log <file>', 'write the event log there, an object a line')
    .addOption(reportOption())
    .addHelpText(
      'after',
      closing('0 all hosts patched, all VMs well, invariants proved; 1 not so; 2 usage; 130 Ctrl-C, 143 SIGTERM.', [
        'standstill rollout --hosts 5 --vms 20',
        'standstill rollout --patch agent.tar.gz --trust vendor.pub.pem --state ./fleet',
        'standstill rollout --patch agent.tar.gz --trust vendor.pub.pem --state ./fleet --resume',
      ]),
    )
    .action((flags: RolloutFlags) =>
      flags.plan ? perform(flags, leave, (watch) => planFleet(flags, watch)) : run(flags, leave),
    );
}

const flag = (names: string, text: string, parse: (text: string) => number): Option =>
  new Option(names, text).argParser(parse);

function orderOf(text: string): number[] {
  const domains = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (domains.every((domain) => Number.isInteger(domain) && domain >= 0)) return domains;
  throw unexpected('ERR_INVALID_OPTION', "update domains such as '2,0,1'", '--order', text);
}

async function run(flags: RolloutFlags, leave: Leave): Promise<void> {
  const plan = planRolloutRun(flags);
  let fleet: Fleet | undefined;
  const recording = new Recording(`rollout over ${flags.hosts} hosts`, flags.seed);
  // A second signal does not wait: the temporary folders of the hosts go, a state folder stays.
  using interrupt = catchInterrupts(() => {
    for (const host of fleet?.hosts ?? []) host[Symbol.dispose]();
  });
  let dashboard: DashboardServer | undefined;
  let exitCode: number = EXIT_NOT_OK;
  try {
    fleet = await Fleet.create(plan.fleet);
    dashboard = await startDashboard(flags.ui, fleet, { patches: plan.rollout.patches });
    tellDashboard(dashboard);
    const report = await rollOut(fleet, plan, flags, recording, interrupt.signal);
    recording.rollouts.push(report);
    if (report.stoppedBy !== 'aborted') recording.ended(report.ok);
    exitCode = interrupt.exitCode ?? (report.ok ? EXIT_OK : EXIT_NOT_OK);
    process.stderr.write(advice(report, flags));
    await serveOn(dashboard, interrupt.signal);
  } catch (error) {
    recording.failed(error);
    if (interrupt.exitCode === undefined || !isStandstillError(error, 'ERR_ABORTED')) throw error;
    process.stderr.write('Interrupted before the rollout began: no host was patched.\n');
    exitCode = interrupt.exitCode;
  } finally {
    await dashboard?.close();
    await fleet?.close();
    if (flags.log !== undefined && fleet !== undefined) writeLog(flags.log, fleet);
    recording.write(fleet?.log.entries ?? [], flags.report);
  }
  await leave(
    exitCode,
    (fleet?.hosts ?? []).reduce((sum, host) => sum + host.abandonedThreads, 0),
  );
}

async function rollOut(
  fleet: Fleet,
  plan: RolloutRun,
  flags: RolloutFlags,
  { maintenances }: Recording,
  signal: AbortSignal,
): Promise<RolloutReport> {
  const terminal = terminalOf(process.stdout, flags.color);
  const report = await (async () => {
    using progress = showProgress(flags);
    progress.say(`creating ${plan.vms.length} VMs`);
    await populate(fleet, plan, signal);
    const placement = placementOf(fleet, fleet.planSteps(plan.rollout));
    if (!flags.json && !flags.quiet) process.stdout.write(`\n${renderPlacement(placement, terminal)}\n\n`);
    if (plan.isDemo) await Promise.all(fleet.hosts.map((host) => writeComponents(host.directory, flags.seed)));
    progress.say('the VMs run');
    await sleep(plan.durationMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    using _watch = watchRollout(fleet, progress);
    const maintain = async (host: Host, options: MaintenanceOptions) => {
      const report = await host.applyMaintenance(options);
      maintenances.push({ host: host.name, report });
      return report;
    };
    const control = { signal, isApplied: plan.isApplied, maintain };
    if (plan.resume === null) return await fleet.rollout({ ...plan.rollout, ...control });
    return await fleet.resumeRollout({ ...control, direction: plan.resume === 'as it was' ? undefined : plan.resume });
  })();
  const json = { placement: fleet.placement, report };
  process.stdout.write(
    flags.json
      ? `${JSON.stringify(json, null, 2)}\n`
      : `\n${flags.quiet ? renderVerdict(report, terminal.style) : renderRollout(report, terminal)}\n\n`,
  );
  return report;
}

/** How to go on with a rollout that is not over. */
function advice({ status, stoppedBy }: RolloutReport, flags: RolloutFlags): string {
  if (status !== 'stopped') return '';
  if (flags.state === undefined) return 'The rollout is not over; without --state, nothing of it is kept.\n';
  const doubt = stoppedBy === 'in-doubt' ? ' --in-doubt applied|not-applied' : '';
  return (
    `The rollout is not over. The same command with --resume${doubt} goes on with it, ` +
    'with --roll-back takes it back.\n'
  );
}

function writeLog(path: string, fleet: Fleet): void {
  try {
    writeFileSync(path, fleet.log.toNdjson());
  } catch (cause) {
    throw new StandstillError('ERR_INVALID_OPTION', `Expected a file to write for --log but: ${messageOf(cause)}`, {
      cause,
    });
  }
}
