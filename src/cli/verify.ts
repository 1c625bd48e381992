import { randomInt } from 'node:crypto';
import { Command, Option } from 'commander';
import { sleepMs } from '../base/clock.js';
import { formatNs } from '../base/units.js';
import { type DeterminismReport, verifyDeterminism } from '../vm/determinism.js';
import { EmulatedVm } from '../vm/emulated-vm.js';
import type { VmOptions } from '../vm/options.js';
import { findProgram, guestPrograms } from '../vm/programs.js';
import { EXIT_NOT_OK, EXIT_OK } from './exit-codes.js';
import { collect, wholeNumber } from './flags.js';
import { closing } from './help.js';
import { catchInterrupts } from './interrupt.js';
import type { Leave } from './leave.js';
import type { OutputFlags } from './output-flags.js';
import { showProgress } from './progress.js';
import { type Column, renderTable } from './render/table.js';
import { memoryOf, RANDOM_SEED_LIMIT } from './run-options.js';
import { type Style, terminalOf } from './terminal.js';

const CALIBRATION_MS = 300;
const STEPS_MIN = 100;

interface VerifyFlags extends OutputFlags {
  program?: string[];
  memory: string;
  seed?: number;
  steps?: number;
  pauses: number;
}

/** What `standstill verify --json` prints. */
export interface VerifyReport {
  schemaVersion: 1;
  ok: boolean;
  seed: number;
  pauses: number;
  /** Each with the step at which its runs were compared. */
  programs: DeterminismReport[];
}

/** `standstill verify`: the twin-run proof over all programs. */
export function verifyCommand(leave: Leave): Command {
  return new Command('verify')
    .summary('prove that pausing changes nothing: twin runs of every guest program')
    .description(
      'Runs each guest program to the same step three times: uninterrupted, with pauses at seeded random moments, and at ' +
        'another duty cycle, and compares memory, registers and invariants.',
    )
    .option('--program <name>', 'guest program, repeatable (default: all)', collect)
    .option('--memory <size>', "RAM of the VM, bytes or text such as '8MiB'", '8MiB')
    .addOption(
      new Option('--seed <number>', 'decides the guests and the pauses')
        .argParser(wholeNumber('--seed', 0, 2 ** 53 - 1))
        .default(undefined, 'random, printed'),
    )
    .addOption(
      new Option('--steps <number>', 'the step to compare at')
        .argParser(wholeNumber('--steps', 1, 2 ** 53 - 1))
        .default(undefined, `what each program reaches in ${CALIBRATION_MS} ms, printed`),
    )
    .addOption(
      new Option('--pauses <number>', 'pauses of the second run')
        .argParser(wholeNumber('--pauses', 0, 1_000_000))
        .default(50),
    )
    .addHelpText(
      'after',
      closing('0 all runs agree; 1 not so; 2 usage; 130 Ctrl-C, 143 SIGTERM.', [
        'standstill verify',
        'standstill verify --program kv-store --seed 7 --pauses 500',
      ]),
    )
    .action((flags: VerifyFlags) => verify(flags, leave));
}

async function verify(flags: VerifyFlags, leave: Leave): Promise<void> {
  const seed = flags.seed ?? randomInt(RANDOM_SEED_LIMIT);
  const names = flags.program ?? guestPrograms().map((program) => program.name);
  for (const name of names) findProgram(name);
  using interrupt = catchInterrupts(() => {});
  const programs: DeterminismReport[] = [];
  {
    using progress = showProgress(flags);
    for (const program of names) {
      progress.say(`twin runs of ${program}`);
      const guest = { program, memory: memoryOf(flags.memory), seed };
      const steps = flags.steps ?? (await stepsReached(guest));
      programs.push(await verifyDeterminism({ ...guest, steps, pauses: flags.pauses }));
      if (interrupt.exitCode !== undefined) return await leave(interrupt.exitCode, 0);
    }
  }
  const ok = programs.every((program) => program.ok);
  const report: VerifyReport = { schemaVersion: 1, ok, seed, pauses: flags.pauses, programs };
  const { style } = terminalOf(process.stdout, flags.color);
  process.stdout.write(
    flags.json === true ? `${JSON.stringify(report, null, 2)}\n` : render(report, style, flags.quiet === true),
  );
  await leave(ok ? EXIT_OK : EXIT_NOT_OK, 0);
}

/** A program that sleeps takes few steps, one that computes takes many: no one number fits all. */
async function stepsReached(options: VmOptions): Promise<number> {
  using vm = await EmulatedVm.create(options);
  vm.start();
  await sleepMs(CALIBRATION_MS);
  // On a machine that is loaded, its thread may have got no processor yet.
  while (vm.stats().steps < STEPS_MIN && vm.state !== 'faulted') await sleepMs(1);
  vm.pause();
  return vm.stats().steps;
}

function render({ programs, ok, seed }: VerifyReport, style: Style, isQuiet: boolean): string {
  const columns: Column<DeterminismReport>[] = [
    { head: 'program', align: 'left', cell: ({ program }) => program },
    { head: 'at step', align: 'right', cell: ({ steps }) => steps.toLocaleString('en') },
    { head: 'digest of the uninterrupted run', align: 'left', cell: ({ runs }) => runs[0]?.digest ?? '' },
    { head: 'pauses', align: 'right', cell: ({ runs }) => String(runs[1]?.pausesTaken ?? 0) },
    { head: 'time', align: 'right', cell: ({ runs }) => formatNs(runs.reduce((sum, run) => sum + run.elapsedNs, 0)) },
    {
      head: 'runs',
      align: 'left',
      cell: (program) => (program.ok ? style.green('equal') : style.red(difference(program))),
    },
  ];
  const verdict = ok
    ? `${style.green('✔')} ${style.bold('Deterministic')}: memory, registers and invariants agree in every run`
    : `${style.red('✘')} ${style.bold('Not deterministic')}: repeat it with --seed ${seed}`;
  if (isQuiet) return `${verdict}\n`;
  const title = `${style.bold('Twin runs')} ${style.dim(`seed ${seed}`)}`;
  return `\n${title}\n\n${renderTable(columns, programs, style)}\n\n${verdict}\n\n`;
}

function difference({ runs }: DeterminismReport): string {
  const [first, ...others] = runs;
  const violated = runs.find((run) => !run.invariantsOk);
  if (violated !== undefined) return `${violated.name}: ${violated.violation}`;
  const other = others.find((run) => run.digest !== first?.digest);
  return other === undefined ? 'registers differ' : `${other.name}: ${other.digest}`;
}
