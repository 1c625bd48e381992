import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import { isStandstillError, StandstillError, unexpected } from '../base/errors.js';
import { EventLog } from '../base/event-log.js';
import { formatBytes, formatNs } from '../base/units.js';
import type { HostEvent } from '../host/events.js';
import { Host } from '../host/host.js';
import { HostJournal } from '../host/journal.js';
import { type ProcessFreezeReport, type ProcessRunReport, runProcessFreezes } from '../process/freeze-run.js';
import {
  FREEZERS,
  type Freezer,
  type GuestNetwork,
  NETWORKS,
  type ProcessVmOptions,
  type Readiness,
} from '../process/options.js';
import { ProcessVm } from '../process/process-vm.js';
import { MetadataServer } from '../scheduled-events/metadata-server.js';
import { vmObserver } from '../vm/emulated-vm.js';
import { EXIT_NOT_OK, EXIT_OK } from './exit-codes.js';
import { collect, durationMs, wholeNumber } from './flags.js';
import { catchInterrupts } from './interrupt.js';
import type { Leave } from './leave.js';
import type { OutputFlags } from './output-flags.js';
import { showProgress } from './progress.js';
import { Recording } from './recording.js';
import { type Column, renderTable } from './render/table.js';
import { type Style, terminalOf } from './terminal.js';

const TIMES_MAX = 1_000_000;
const FREEZE_MS_MAX = 24 * 3_600_000;

/** The flags of `standstill run` with `--process`, as commander hands them over. */
export interface RunProcessFlags extends OutputFlags {
  process?: string;
  readyPort?: number;
  readyHttp?: string;
  readyLine?: string;
  freezer?: string;
  network?: string;
  publish?: string[];
  freeze: number;
  times: number;
  duration: number;
  budget: number;
  proof: string;
  report?: string[];
}

const OF_PROCESS = ['readyPort', 'readyHttp', 'readyLine', 'freezer', 'freeze', 'times', 'network', 'publish'];
const OF_EMULATED = ['trust', 'host', 'allowReboot', 'vms', 'memory', 'program', 'patch', 'seed', 'fault', 'ui'];

export const processOptions: readonly Option[] = [
  new Option('--process <command>', 'freeze a real program instead, by a shell; all of its descendants with it'),
  new Option('--ready-port <port>', 'the program is ready when it accepts there').argParser(
    wholeNumber('--ready-port', 1, 65_535),
  ),
  new Option('--ready-http <url>', 'the program is ready when it answers below 400 there'),
  new Option('--ready-line <text>', 'the program is ready when it has written a line with this text'),
  new Option('--freeze <time>', 'how long each freeze of the program lasts')
    .argParser(durationMs('--freeze', FREEZE_MS_MAX))
    .default(2000, '2s'),
  new Option('--times <number>', 'how often the program is frozen')
    .argParser(wholeNumber('--times', 1, TIMES_MAX))
    .default(1),
  new Option('--freezer <kind>', 'by what: auto, cgroup2, cgroup1, signal (default: auto)'),
  new Option(
    '--network <kind>',
    'host, or own: a network namespace with a metadata service at 169.254.169.254 (default: host)',
  ),
  new Option(
    '--publish <[host:]guest>',
    "a port of the program's own network, at 127.0.0.1 of the host; repeatable",
  ).argParser(collect),
];

/** What a scenario file says itself. */
const OF_FILE = [
  ...OF_PROCESS,
  ...OF_EMULATED.filter((name) => name !== 'seed' && name !== 'ui'),
  'process',
  'budget',
  'proof',
  'duration',
];

/** Throws ERR_INVALID_OPTION where a flag was given that is of another kind of run. */
export function assertFlagsFit(command: Command, scenario: string | undefined, isProcess: boolean): void {
  if (scenario !== undefined) {
    const said = OF_FILE.find((name) => command.getOptionValueSource(name) === 'cli');
    if (said === undefined) return;
    const message = `Expected no ${flagOf(said)} beside the scenario ${scenario} but received it`;
    throw new StandstillError('ERR_INVALID_OPTION', message);
  }
  const wrong = (isProcess ? OF_EMULATED : OF_PROCESS).find((name) => command.getOptionValueSource(name) === 'cli');
  if (wrong === undefined) return;
  const expected = isProcess ? 'flags of a process guest' : '--process';
  throw new StandstillError(
    'ERR_INVALID_OPTION',
    `Expected ${expected} beside ${flagOf(wrong)} but received ${isProcess ? '--process' : 'none'}`,
  );
}

const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** `standstill run --process`: freezes a real program. */
export async function runProcess(
  command: string,
  flags: RunProcessFlags,
  isProofGiven: boolean,
  leave: Leave,
): Promise<void> {
  const options = vmOptionsOf(command, flags);
  const provesMemory = provesMemoryOf(flags.proof, isProofGiven);
  let vm: ProcessVm | undefined;
  const recording = new Recording(`freezes of ${options.name}`, null);
  const log = new EventLog<HostEvent>();
  const journal = new HostJournal(log, hostname(), null);
  let host: Host | undefined;
  const metadata = options.network === 'own' ? new MetadataServer() : undefined;
  using interrupt = catchInterrupts(() => {
    vm?.close();
    host?.[Symbol.dispose]();
  });
  let exitCode: number = EXIT_NOT_OK;
  try {
    const report = await withProgress(flags, async (say) => {
      if (metadata !== undefined) host = await Host.create({ metadata });
      vm = await (host?.createProcessVm(options) ?? ProcessVm.create(options));
      journal.tell({ type: 'vm-created', vm: vm.name, program: vm.program, ramBytes: vm.ramBytes });
      const told = vm[vmObserver];
      vm[vmObserver] = (event) => {
        told?.(event);
        journal.tell(event);
      };
      interrupt.signal.throwIfAborted();
      vm.start();
      say('waiting until the guest is ready');
      await vm.ready({ signal: interrupt.signal });
      return await runProcessFreezes(vm, {
        times: flags.times,
        freezeMs: flags.freeze,
        runMs: flags.duration,
        budgetMs: flags.budget,
        provesMemory,
        signal: interrupt.signal,
        onFreeze: (record) => journal.impactEnded('freeze', [record]),
        onPhase: (phase, freeze) =>
          say(`${phase === 'running' ? 'the guest runs' : 'frozen'}: ${freeze} of ${flags.times}`),
      });
    });
    recording.processes.push(report);
    recording.ended(report.ok);
    process.stdout.write(flags.json === true ? `${JSON.stringify(report, null, 2)}\n` : render(report, flags));
    exitCode = report.ok ? EXIT_OK : EXIT_NOT_OK;
  } catch (error) {
    recording.failed(error);
    if (interrupt.exitCode === undefined || !isStandstillError(error, 'ERR_ABORTED')) throw error;
    process.stderr.write('Interrupted: the guest was thawed and ended.\n');
    exitCode = interrupt.exitCode;
  } finally {
    // That it ends now is no fault of its own.
    if (vm !== undefined) vm[vmObserver] = undefined;
    await vm?.terminate();
    await host?.close();
    await metadata?.close();
    recording.write(log.entries, flags.report);
  }
  await leave(exitCode, 0);
}

async function withProgress<T>(flags: RunProcessFlags, work: (say: (text: string) => void) => Promise<T>): Promise<T> {
  using progress = showProgress(flags);
  progress.say('starting the guest');
  return await work((text) => progress.say(text));
}

function vmOptionsOf(command: string, flags: RunProcessFlags): ProcessVmOptions {
  const ready = readinessOf(flags);
  return {
    name: command.trim().split(/\s+/, 1)[0]?.split('/').at(-1)?.slice(0, 64) || 'guest',
    command: '/bin/sh',
    args: ['-c', command],
    ready,
    freezer: freezerOf(flags.freezer),
    network: networkOf(flags.network),
    publish: flags.publish?.map(publishedOf),
  };
}

function freezerOf(text: string | undefined): Freezer {
  const freezer = FREEZERS.find((candidate) => candidate === (text ?? 'auto'));
  if (freezer !== undefined) return freezer;
  throw unexpected('ERR_INVALID_OPTION', FREEZERS.join(', '), '--freezer', text);
}

function networkOf(text: string | undefined): GuestNetwork {
  const network = NETWORKS.find((candidate) => candidate === (text ?? 'host'));
  if (network !== undefined) return network;
  throw unexpected('ERR_INVALID_OPTION', NETWORKS.join(' or '), '--network', text);
}

function publishedOf(text: string): { host: number; guest: number } {
  const [, host, guest] = /^(?:(\d{1,5}):)?(\d{1,5})$/.exec(text) ?? [];
  if (guest !== undefined) return { host: Number(host ?? guest), guest: Number(guest) };
  throw unexpected('ERR_INVALID_OPTION', 'a port, or two as 16379:6379,', '--publish', text);
}

function readinessOf({ readyPort, readyHttp, readyLine }: RunProcessFlags): Readiness | undefined {
  const given: Readiness[] = [];
  if (readyPort !== undefined) given.push({ port: readyPort });
  if (readyHttp !== undefined) given.push({ http: readyHttp });
  if (readyLine !== undefined) given.push({ line: readyLine });
  if (given.length <= 1) return given[0];
  throw new StandstillError('ERR_INVALID_OPTION', `Expected one --ready flag at most but received ${given.length}`);
}

/** All of the guest's memory is read at both ends of each freeze, unless that is not wanted. */
function provesMemoryOf(proof: string, isGiven: boolean): boolean {
  if (!isGiven || proof === 'full') return true;
  if (proof === 'none') return false;
  throw unexpected('ERR_INVALID_OPTION', 'full or none', '--proof beside --process', proof);
}

const COLUMNS: Column<[number, ProcessFreezeReport]>[] = [
  { head: 'freeze', align: 'right', cell: ([index]) => `${index + 1}` },
  { head: 'all frozen after', align: 'right', cell: ([, freeze]) => formatNs(freeze.haltNs) },
  { head: 'blackout', align: 'right', cell: ([, freeze]) => formatNs(freeze.blackoutNs) },
  { head: 'running after', align: 'right', cell: ([, freeze]) => formatNs(freeze.resumeNs) },
  { head: 'memory', align: 'left', cell: ([, freeze]) => freeze.memory },
  { head: 'read', align: 'right', cell: ([, freeze]) => formatBytes(freeze.bytesRead) },
  { head: 'tasks', align: 'right', cell: ([, freeze]) => (freeze.tasks === 0 ? '' : `${freeze.tasks}`) },
];

function render(report: ProcessRunReport, flags: RunProcessFlags): string {
  const { style } = terminalOf(process.stdout, flags.color);
  const sections = [
    `${style.bold(`Freezes of ${report.vm}`)} ${style.dim(`by ${report.freezer.kind}: ${report.freezer.why}`)}`,
    report.freezes.length === 0 ? '' : renderTable(COLUMNS, [...report.freezes.entries()], style),
    style.dim(report.clocks.summary),
    verdict(report, style),
  ].slice(flags.quiet ? -1 : 0);
  return `\n${sections.filter((section) => section !== '').join('\n\n')}\n\n`;
}

function verdict(report: ProcessRunReport, style: Style): string {
  if (report.ok) return style.green(`✔ ${report.freezes.length} freezes, each within its budget; the guest runs`);
  const log = report.log.map(({ text }) => style.dim(`  ${text}`));
  return [...report.problems.map((problem) => style.red(`✘ ${problem}`)), ...log].join('\n');
}
