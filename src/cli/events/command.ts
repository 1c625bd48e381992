import { Command, Option } from 'commander';
import { EVENT_TYPES } from '../../scheduled-events/event.js';
import { DURATION_MS_MAX } from '../../scheduled-events/timing.js';
import { EXIT_OK } from '../exit-codes.js';
import { collect, waitMs } from '../flags.js';
import type { Leave } from '../leave.js';
import { control } from './client.js';
import { watchCommand } from './watch.js';

interface ControlFlags {
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

const HELP_EXIT_CODES = '\nExit codes: 0 done; 1 the endpoint refuses, or does not answer; 2 usage.';

const controlled = (name: string, summary: string): Command =>
  new Command(name)
    .summary(summary)
    .description(
      `${summary[0]?.toUpperCase()}${summary.slice(1)}, through the control endpoint of \`standstill serve\`. Prints JSON.`,
    )
    .requiredOption('--control <url>', 'the control endpoint')
    .option('--token <text>', 'its token (default: STANDSTILL_TOKEN)')
    .addHelpText('after', HELP_EXIT_CODES);

const duration = (flag: string, text: string): Option =>
  new Option(`${flag} <time>`, text).argParser(waitMs(flag, DURATION_MS_MAX));

const print = async (answer: unknown, leave: Leave): Promise<void> => {
  if (answer !== undefined) process.stdout.write(`${JSON.stringify(answer)}\n`);
  await leave(EXIT_OK, 0);
};

const raiseCommand = (leave: Leave): Command =>
  controlled('raise', 'raise an event, or fail the hardware')
    .argument('[type]', EVENT_TYPES.join(', '))
    .option('--vm <name>', 'a VM that it hits, repeatable (default: all)', collect)
    .addOption(duration('--notice', 'from now to NotBefore'))
    .addOption(duration('--duration', 'how long the impact lasts'))
    .addOption(duration('--settle', 'from the end of the impact to the removal'))
    .option('--hardware-failure', 'instead of a type: a Reboot that is Started at once')
    .action(async (type: string | undefined, flags: RaiseFlags) => {
      const impact = { vms: flags.vm, durationMs: flags.duration, settleMs: flags.settle };
      const answer = flags.hardwareFailure
        ? await control(flags, 'POST', '/failures', impact)
        : await control(flags, 'POST', '/events', { ...impact, type, noticeMs: flags.notice });
      await print(answer, leave);
    });

const cancelCommand = (leave: Leave): Command =>
  controlled('cancel', 'withdraw an event that has not started')
    .argument('<id>', 'its EventId')
    .action(async (id: string, flags: ControlFlags) =>
      print(await control(flags, 'DELETE', `/events/${encodeURIComponent(id)}`), leave),
    );

const faultsCommand = (leave: Leave): Command =>
  controlled('faults', "set what goes wrong with a VM's next replies")
    .argument('<vm>', 'its name')
    .argument('<steps...>', "such as '500 x2' 'delay 5s' 404 truncated malformed reset ok")
    .action(async (vm: string, steps: string[], flags: ControlFlags) =>
      print(await control(flags, 'PUT', `/vms/${encodeURIComponent(vm)}/faults`, steps), leave),
    );

const stateCommand = (leave: Leave): Command =>
  controlled('state', 'print documents, incarnations, acknowledgements, and who asked when').action(
    async (flags: ControlFlags) => print(await control(flags, 'GET', '/state'), leave),
  );
