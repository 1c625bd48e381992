import { Command } from 'commander';
import type { CheckReport, DoctorReport } from '../doctor/doctor.js';
import { examine } from '../doctor/doctor.js';
import { EXIT_NOT_OK, EXIT_OK } from './exit-codes.js';
import { closing } from './help.js';
import type { Leave } from './leave.js';
import type { OutputFlags } from './output-flags.js';
import { perform } from './perform.js';
import type { Style, Terminal } from './terminal.js';

const MARKS = { ok: '✔', limited: '!', missing: '✘' } as const;

/** `standstill doctor`: what this machine offers, and what it costs. */
export function doctorCommand(leave: Leave): Command {
  return new Command('doctor')
    .summary('what this machine offers: each thing tried, with its consequence and its remedy')
    .description(
      'Tries what Standstill can use: cores, memory, the kernel’s files in memory, huge pages, freezers, the memory of ' +
        'processes, timers, compilers; freezes a VM and proves its memory; and measures how noisy the machine is.',
    )
    .addHelpText(
      'after',
      closing('0 maintenances of VMs work here; 1 not so; 2 usage; 130 Ctrl-C, 143 SIGTERM.', [
        'standstill doctor',
        'standstill doctor --json',
      ]),
    )
    .action((flags: OutputFlags) =>
      perform(flags, leave, async ({ signal, say, onProgress }) => {
        const report = await examine(signal, (title, done, total) => {
          say(title);
          onProgress({ done, total });
        });
        return {
          json: report,
          text: (terminal) => render(report, terminal),
          exitCode: report.ok ? EXIT_OK : EXIT_NOT_OK,
        };
      }),
    );
}

function render({ ok, checks }: DoctorReport, { style }: Terminal): string {
  const width = Math.max(...checks.map(({ title }) => title.length));
  const lines = checks.flatMap((check) => renderCheck(check, width, style));
  const notOk = checks.filter(({ status }) => status !== 'ok').length;
  const verdict = ok
    ? `${style.green('✔')} ${style.bold('Maintenances of VMs work here')}${notOk === 0 ? '' : `; ${notOk} of ${checks.length} things are limited or missing`}`
    : `${style.red('✘')} ${style.bold('Maintenances of VMs do not work here')}`;
  return `\n${lines.join('\n')}\n\n${verdict}\n\n`;
}

function renderCheck(
  { title, status, found, consequence, remedy }: CheckReport,
  width: number,
  style: Style,
): string[] {
  const colour = { ok: style.green, limited: style.yellow, missing: style.red }[status];
  const indent = ' '.repeat(width + 4);
  return [
    `${colour(MARKS[status])} ${title.padEnd(width)}  ${found}`,
    `${indent}${style.dim(consequence)}`,
    ...(remedy === null ? [] : [`${indent}${colour('→')} ${remedy}`]),
  ];
}
