import { once } from 'node:events';
import { Command, Option } from 'commander';
import pino from 'pino';
import { isStandstillError, unexpected } from '../../base/errors.js';
import type { DashboardServer } from '../../dashboard/dashboard-server.js';
import { Host } from '../../host/host.js';
import { hostMetrics } from '../../metrics/host-metrics.js';
import { MetricsServer } from '../../metrics/server.js';
import { writeComponents } from '../../scenario/builtin/components.js';
import { provideComponents } from '../../scenario/provide-components.js';
import { ControlServer } from '../../scheduled-events/control-server.js';
import { MetadataServer } from '../../scheduled-events/metadata-server.js';
import { DURATION_MS_MAX } from '../../scheduled-events/timing.js';
import { startDashboard, uiOption } from '../dashboard.js';
import { EXIT_OK } from '../exit-codes.js';
import { collect, waitMs } from '../flags.js';
import { closing } from '../help.js';
import { catchInterrupts } from '../interrupt.js';
import type { Leave } from '../leave.js';
import { terminalOf } from '../terminal.js';
import { planServe, type ServeFlags, type ServePlan } from './plan.js';
import { renderEntry, renderReady } from './render.js';
import { runSchedule } from './scheduler.js';

const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'];

const duration = (flag: string, text: string): Option =>
  new Option(`${flag} <time>`, text).argParser(waitMs(flag, DURATION_MS_MAX));

/** `standstill serve`: VMs with their metadata services, in the foreground. */
export function serveCommand(leave: Leave): Command {
  return new Command('serve')
    .summary('VMs with their metadata services, for agents that react to Scheduled Events')
    .description(
      'Runs VMs, each with a metadata service that answers as the cloud’s does, raises events, and does to the VMs what the ' +
        'events say. It serves until it is interrupted. docs/SCHEDULED_EVENTS.md',
    )
    .option('--vm <name>', 'a VM of that name, repeatable (default: vm-0)', collect)
    .option('--program <name>', 'guest program of the VMs', 'ticker')
    .option('--memory <size>', 'RAM of each VM, bytes or text such as 64MiB', '16MiB')
    .option(
      '--metadata <address>',
      "where the first VM's service listens, such as 127.0.0.1:8080; port 0: a free one",
      '127.0.0.1:0',
    )
    .addOption(
      new Option('--spread <what>', 'what is counted up for each VM more').choices(['port', 'address']).default('port'),
    )
    .option('--allow-public', 'listen at public addresses too')
    .option('--set <name=vm,…>', 'an availability set, repeatable: its VMs see the events of all', collect)
    .option(
      '--raise <type[=vm,…]>',
      'raise an event when ready, repeatable: Freeze, Reboot, Redeploy, Preempt, Terminate',
      collect,
    )
    .addOption(duration('--notice', 'from the schedule of an event to its NotBefore (default: as in the cloud)'))
    .addOption(duration('--duration', 'how long the impact of --raise lasts (default: 9s for a Freeze)'))
    .addOption(duration('--settle', 'from the end of an impact to the removal of its event (default: 5s)'))
    .addOption(duration('--enabling-delay', 'how long the first reply to a VM waits (default: 0s)'))
    .addOption(
      new Option('--time-scale <number>', 'how much faster time passes: every duration is divided by it').argParser(
        Number,
      ),
    )
    .option(
      '--faults <vm=step,…>',
      "what goes wrong with a VM's next replies, repeatable: web-0=500 x2,delay 5s,404",
      collect,
    )
    .option('--schedule <file>', 'YAML file of events, sets, faults and times')
    .option('--control [address]', 'a control endpoint on loopback, with a token: STANDSTILL_TOKEN, or a random one')
    .option('--metrics [address]', 'Prometheus metrics at http://<address>/metrics (default: 127.0.0.1:9464)')
    .addOption(uiOption('a dashboard in the browser'))
    .option(
      '--patch <file>',
      'what a maintenance from the dashboard may apply, repeatable (default: three built-in modules)',
      collect,
    )
    .option('--trust <file>', 'public key whose bundles are applied, repeatable', collect)
    .option('--log-level <level>', `pino log on standard error: ${LOG_LEVELS.join(', ')}; requests are at debug`)
    .addHelpText(
      'after',
      closing('0 ended by Ctrl-C or SIGTERM; 1 it could not serve; 2 usage.', [
        'standstill serve --vm web-0 --metadata 127.0.0.1:8080 --raise Freeze --notice 10s',
        'standstill serve --vm web-0 --vm web-1 --set web=web-0,web-1 --control',
      ]),
    )
    .action((flags: ServeFlags) => serve(flags, leave));
}

async function serve(flags: ServeFlags, leave: Leave): Promise<void> {
  const logger = loggerOf(flags.logLevel);
  const plan = await planServe(flags, process.env.STANDSTILL_TOKEN);
  const metadata = new MetadataServer({ ...plan.metadata, logger });
  let host: Host | undefined;
  using interrupt = catchInterrupts(() => host?.[Symbol.dispose]());
  let control: ControlServer | undefined;
  let metrics: MetricsServer | undefined;
  let dashboard: DashboardServer | undefined;
  try {
    host = await Host.create({ metadata, trustedKeys: plan.trustedKeys });
    using counted = hostMetrics(host);
    await startVms(host, plan, metadata, interrupt.signal);
    if (plan.control !== undefined) control = await ControlServer.start(metadata, plan.control);
    if (plan.metrics !== undefined) metrics = await MetricsServer.start(counted, plan.metrics);
    if (plan.ui !== undefined) {
      if (plan.isDemo) await writeComponents(host.directory, 0);
      await provideComponents(host.components, plan.patches);
      dashboard = await startDashboard(plan.ui, host, { metadata, patches: plan.patches });
    }
    using _told = tell(flags, metadata, host, { control, metrics, dashboard });
    const { timeScale } = metadata.state();
    const scheduled = runSchedule(plan.events, metadata, { timeScale, signal: interrupt.signal });
    await Promise.all([scheduled, untilAborted(interrupt.signal)]);
  } catch (error) {
    if (interrupt.exitCode === undefined || !isStandstillError(error, 'ERR_ABORTED')) throw error;
  } finally {
    await dashboard?.close();
    await metrics?.close();
    await control?.close();
    await metadata.close();
    await host?.close();
  }
  await leave(EXIT_OK, 0);
}

async function startVms(host: Host, plan: ServePlan, metadata: MetadataServer, signal: AbortSignal): Promise<void> {
  for (const options of plan.vms) {
    signal.throwIfAborted();
    const vm = await host.createVm(options);
    vm.start();
  }
  for (const [vm, steps] of Object.entries(plan.faults)) metadata.playFaults(vm, steps);
}

interface Endpoints {
  readonly control: ControlServer | undefined;
  readonly metrics: MetricsServer | undefined;
  readonly dashboard: DashboardServer | undefined;
}

/** Prints the addresses, and from then on what happens. */
function tell(
  flags: ServeFlags,
  { log }: MetadataServer,
  host: Host,
  { control, metrics, dashboard }: Endpoints,
): Disposable {
  const { style } = terminalOf(process.stdout, flags.color);
  const ready = {
    vms: host.vms.map(({ name, metadataUrl = '' }) => ({ name, url: metadataUrl })),
    control: control === undefined ? null : { url: control.url, token: control.token },
    metrics: metrics?.url ?? null,
    ui: dashboard === undefined ? null : { url: dashboard.url, token: dashboard.token, page: dashboard.pageUrl },
  };
  process.stdout.write(
    flags.json ? `${JSON.stringify({ type: 'ready', pid: process.pid, ...ready })}\n` : renderReady(ready, style),
  );
  if (flags.quiet) return { [Symbol.dispose]() {} };
  return log.subscribe((entry) => {
    process.stdout.write(flags.json ? `${JSON.stringify(entry)}\n` : renderEntry(entry, style));
  });
}

const untilAborted = async (signal: AbortSignal): Promise<void> => {
  if (!signal.aborted) await once(signal, 'abort');
};

function loggerOf(level: string | undefined) {
  if (level === undefined) return undefined;
  if (!LOG_LEVELS.includes(level)) throw unexpected('ERR_INVALID_OPTION', LOG_LEVELS.join(', '), '--log-level', level);
  return pino({ level }, pino.destination({ dest: 2, sync: true }));
}
