import { writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { isStandstillError } from '../base/errors.js';
import { parseBytes } from '../base/units.js';
import type { BenchParams } from '../bench/case.js';
import { CASES } from '../bench/cases/index.js';
import { assertTaken, chooseCases } from '../bench/choose.js';
import { loadBenches } from '../bench/define.js';
import { toHtml } from '../bench/formats/html.js';
import { BENCH_FORMATS } from '../bench/formats/index.js';
import { type BenchResult, benchResultJsonSchema } from '../bench/result-schema.js';
import { runBench } from '../bench/run.js';
import { findProgram } from '../vm/programs.js';
import { EXIT_NOT_OK, EXIT_OK } from './exit-codes.js';
import { collect, DAY_MS, durationMs, wholeNumber } from './flags.js';
import { closing, itemList } from './help.js';
import { catchInterrupts, type Interrupt } from './interrupt.js';
import type { Leave } from './leave.js';
import type { OutputFlags } from './output-flags.js';
import { showProgress } from './progress.js';
import { renderBench } from './render/bench.js';
import { memoryOf } from './run-options.js';
import { terminalOf } from './terminal.js';

const VMS_MAX = 1000;

interface BenchFlags extends OutputFlags {
  case?: string[];
  only?: string;
  quick?: true;
  memory?: string;
  vms?: number;
  program?: string;
  dirty?: string;
  duration?: number;
  out?: string;
  html?: string;
  format?: string;
  schema?: true;
}

/** `standstill bench`: the promises as figures, each beside its limit in the same run. */
export function benchCommand(leave: Leave): Command {
  return new Command('bench')
    .summary('measure what Standstill promises, beside the limits of this machine')
    .description(
      'Measures in turns with what this machine can do at best and with what a user would pick instead, so that what ' +
        'disturbs one disturbs all. It prints figures and never fails on a time; `standstill gate` is what compares.',
    )
    .option('--only <names>', 'these cases, separated by commas (default: all)')
    .option('--case <file>', 'a module whose default export defineBench made, repeatable; --only names it too', collect)
    .option('--quick', 'fewer samples: says that all of it works, not how fast it is')
    .option('--memory <size>', "RAM of a VM, where a case takes it; bytes or text such as '1GiB'")
    .addOption(
      new Option('--vms <number>', 'how many VMs, where a case takes it').argParser(wholeNumber('--vms', 1, VMS_MAX)),
    )
    .option('--program <name>', 'guest program, where a case takes it')
    .option('--dirty <size>', 'written between two snapshots, digests or rollbacks, where a case takes it')
    .addOption(
      new Option('--duration <time>', 'how long each comparison takes turns, instead of a number of rounds').argParser(
        durationMs('--duration', DAY_MS),
      ),
    )
    .option('--out <file>', 'write the result as JSON to a file as well')
    .option('--html <file>', 'write a page with plots to a file as well, which needs nothing besides itself')
    .addOption(
      new Option('--format <name>', 'print it in the format of another tool')
        .choices(Object.keys(BENCH_FORMATS))
        .conflicts('json'),
    )
    .option('--schema', 'print the JSON Schema of the result and measure nothing')
    .addHelpText(
      'after',
      closing(
        '0 measured; 1 not; 2 usage; 130 Ctrl-C, 143 SIGTERM.',
        [
          'standstill bench --quick',
          'standstill bench --only pause,resume --html bench.html',
          'standstill bench --case ./my.bench.mjs --json',
        ],
        (help) =>
          itemList(
            'Cases:',
            CASES.map(({ name, promise, summary }) => [name, `${summary}${promise === null ? '' : ` (${promise})`}`]),
            help,
          ),
      ),
    )
    .action((flags: BenchFlags) => bench(flags, leave));
}

async function bench(flags: BenchFlags, leave: Leave): Promise<void> {
  if (flags.schema === true) {
    process.stdout.write(`${JSON.stringify(benchResultJsonSchema(), null, 2)}\n`);
    return;
  }
  const own = (await Promise.all((flags.case ?? []).map(loadBenches))).flat();
  const cases = chooseCases(
    // Those that are given, unless others are named.
    own.length > 0 && flags.only === undefined ? own : [...CASES, ...own],
    flags.only?.split(',').map((name) => name.trim()),
  );
  const params = paramsOf(flags);
  assertTaken(cases, params, {
    memoryBytes: '--memory',
    vms: '--vms',
    program: '--program',
    dirtyBytes: '--dirty',
  });
  using interrupt = catchInterrupts(() => {});
  let exitCode: number = EXIT_NOT_OK;
  const begun: string[] = [];
  try {
    const result = await measure(flags, cases, params, interrupt, begun);
    if (flags.out !== undefined) await writeFile(flags.out, `${JSON.stringify(result, null, 2)}\n`);
    if (flags.html !== undefined) await writeFile(flags.html, toHtml(result));
    process.stdout.write(print(result, flags));
    exitCode = EXIT_OK;
  } catch (error) {
    if (interrupt.exitCode === undefined || !isStandstillError(error, 'ERR_ABORTED')) throw error;
    process.stderr.write(`${interruptedIn(begun.filter((name) => cases.some((one) => one.name === name)))}\n`);
    exitCode = interrupt.exitCode;
  }
  await leave(exitCode, 0);
}

function print(result: BenchResult, { json, format, color }: BenchFlags): string {
  if (format !== undefined) return BENCH_FORMATS[format]?.(result) ?? '';
  return json === true ? `${JSON.stringify(result)}\n` : renderBench(result, terminalOf(process.stdout, color));
}

async function measure(
  flags: BenchFlags,
  cases: ReturnType<typeof chooseCases>,
  params: BenchParams,
  { signal }: Interrupt,
  begun: string[],
): Promise<BenchResult> {
  using progress = showProgress(flags, 'lines');
  return await runBench({
    cases,
    params,
    quick: flags.quick === true,
    durationMs: flags.duration,
    signal,
    onProgress({ name, share, secondsLeft }) {
      if (name !== begun.at(-1)) {
        progress.say(name);
        begun.push(name);
      }
      progress.showShare(share, secondsLeft === null ? '' : `about ${timeLeft(secondsLeft)} left`);
    },
  });
}

function paramsOf({ memory, vms, program, dirty }: BenchFlags): BenchParams {
  if (program !== undefined) findProgram(program);
  const bytes = (text: string | undefined, flag: string) =>
    text === undefined ? undefined : parseBytes(memoryOf(text), flag);
  return { memoryBytes: bytes(memory, '--memory'), vms, program, dirtyBytes: bytes(dirty, '--dirty') };
}

/** What is lost: the cases that were measured, and the one under way. */
function interruptedIn(begun: readonly string[]): string {
  const [current, measured] = [begun.at(-1), begun.slice(0, -1)];
  const during = current === undefined ? '' : ` during ${current}`;
  const before = measured.length === 0 ? '' : ` ${measured.join(', ')} had been measured.`;
  return `Interrupted${during}: nothing was written.${before}`;
}

const timeLeft = (seconds: number): string =>
  seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
