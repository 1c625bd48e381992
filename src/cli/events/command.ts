import { Command, Option } from 'commander';
import { EVENT_TYPES } from '../../scheduled-events/event.js';
import type { RaisedEvent } from '../../scheduled-events/raise.js';
import type { EventState, GuestState, MetadataState } from '../../scheduled-events/state.js';
import { DURATION_MS_MAX } from '../../scheduled-events/timing.js';
import { collect, waitMs } from '../flags.js';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { perform } from '../perform.js';
import { type Column, renderTable } from '../render/table.js';
import type { Style, Terminal } from '../terminal.js';
import { control } from './client.js';
import { watchCommand } from './watch.js';

interface ControlFlags extends OutputFlags {
  control?: string;
  token?: string;
}

interface RaiseFlags extends ControlFlags {
  vm?: string[];
  notice?: number;
  duration?: number;
  settle?: number;
  hardwareFailure?: true;
}

/** `standstill events`: a client of metadata services, and of the control endpoint of `standstill serve`. */
export function eventsCommand(leave: Leave): Command {
  const commands = [watchCommand, raiseCommand, cancelCommand, faultsCommand, stateCommand];
  const group = new Command('events')
    .summary('watch and acknowledge Scheduled Events; raise and cancel them through a control endpoint')
    .description('Scheduled Events from the command line. docs/SCHEDULED_EVENTS.md');
  for (const command of commands) group.addCommand(command(leave));
  return group;
}

const HELP_EXIT_CODES = '0 done; 1 the endpoint refuses, or does not answer; 2 usage; 130 Ctrl-C, 143 SIGTERM.';

const controlled = (name: string, summary: string, example: string): Command =>
  new Command(name)
    .summary(summary)
    .description(
      `${summary[0]?.toUpperCase()}${summary.slice(1)}, through the control endpoint of \`standstill serve\`.`,
    )
    .requiredOption('--control <url>', 'the control endpoint')
    .option('--token <text>', 'its token (default: STANDSTILL_TOKEN)')
    .addHelpText(
      'after',
      closing(HELP_EXIT_CODES, [`standstill events ${name} ${example}--control http://127.0.0.1:9000`]),
    );

const duration = (flag: string, text: string): Option =>
  new Option(`${flag} <time>`, text).argParser(waitMs(flag, DURATION_MS_MAX));

/** What was done, in one line. */
const done =
  (text: string) =>
  ({ style }: Terminal): string =>
    `${style.green('✔')} ${text}\n`;

const raiseCommand = (leave: Leave): Command =>
  controlled('raise', 'raise an event, or fail the hardware', 'Freeze --vm web-0 --notice 10s ')
    .argument('[type]', EVENT_TYPES.join(', '))
    .option('--vm <name>', 'a VM that it hits, repeatable (default: all)', collect)
    .addOption(duration('--notice', 'from now to NotBefore'))
    .addOption(duration('--duration', 'how long the impact lasts'))
    .addOption(duration('--settle', 'from the end of the impact to the removal'))
    .option('--hardware-failure', 'instead of a type: a Reboot that is Started at once')
    .action((type: string | undefined, flags: RaiseFlags) =>
      perform(flags, leave, async () => {
        const impact = { vms: flags.vm, durationMs: flags.duration, settleMs: flags.settle };
        const answer = flags.hardwareFailure
          ? await control(flags, 'POST', '/failures', impact)
          : await control(flags, 'POST', '/events', { ...impact, type, noticeMs: flags.notice });
        const events = answer as readonly Pick<RaisedEvent, 'id' | 'type' | 'vms'>[];
        const lines = events.map((event) => done(`${event.id}  ${event.type}: ${event.vms.join(', ')}`));
        return { json: events, text: (terminal) => lines.map((line) => line(terminal)).join('') };
      }),
    );

const cancelCommand = (leave: Leave): Command =>
  controlled('cancel', 'withdraw an event that has not started', '7B3D5C1E-… ')
    .argument('<id>', 'its EventId')
    .action((id: string, flags: ControlFlags) =>
      perform(flags, leave, async () => {
        await control(flags, 'DELETE', `/events/${encodeURIComponent(id)}`);
        return { json: { cancelled: id }, text: done(`${id}  cancelled`) };
      }),
    );

const faultsCommand = (leave: Leave): Command =>
  controlled('faults', "set what goes wrong with a VM's next replies", "web-0 '500 x2' 'delay 5s' ")
    .argument('<vm>', 'its name')
    .argument('<steps...>', "such as '500 x2' 'delay 5s' 404 truncated malformed reset ok")
    .action((vm: string, steps: string[], flags: ControlFlags) =>
      perform(flags, leave, async () => {
        await control(flags, 'PUT', `/vms/${encodeURIComponent(vm)}/faults`, steps);
        return { json: { vm, steps }, text: done(`${vm}  ${steps.join(', ')}`) };
      }),
    );

const stateCommand = (leave: Leave): Command =>
  controlled('state', 'print documents, incarnations, acknowledgements, and who asked when', '').action(
    (flags: ControlFlags) =>
      perform(flags, leave, async () => {
        const state = (await control(flags, 'GET', '/state')) as MetadataState;
        return { json: state, text: ({ style }) => renderState(state, style) };
      }),
  );

function renderState({ vms, events }: MetadataState, style: Style): string {
  const guests: Column<GuestState>[] = [
    { head: 'VM', align: 'left', cell: ({ name }) => name },
    { head: 'set', align: 'left', cell: ({ set }) => set ?? '–' },
    { head: 'incarnation', align: 'right', cell: ({ incarnation }) => String(incarnation) },
    { head: 'requests', align: 'right', cell: ({ requests }) => String(requests) },
    { head: 'faults to come', align: 'right', cell: ({ faultsRemaining }) => String(faultsRemaining) },
    { head: 'service', align: 'left', cell: ({ url }) => url },
  ];
  const open: Column<EventState>[] = [
    { head: 'event', align: 'left', cell: ({ id }) => id },
    { head: 'type', align: 'left', cell: ({ type }) => type },
    { head: 'status', align: 'left', cell: ({ status }) => status },
    { head: 'VMs', align: 'left', cell: ({ resources }) => resources.join(' ') },
    {
      head: 'acknowledged by',
      align: 'left',
      cell: ({ acknowledgements }) => acknowledgements.map(({ vm }) => vm).join(' '),
    },
  ];
  const tables = [renderTable(guests, vms, style), ...(events.length === 0 ? [] : [renderTable(open, events, style)])];
  return `${tables.join('\n\n')}\n`;
}
