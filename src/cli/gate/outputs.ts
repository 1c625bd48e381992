import { appendFile, writeFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { isStandstillError, messageOf, StandstillError, unexpected } from '../../base/errors.js';
import { renderAnnotations } from '../../gate/report/annotations.js';
import { renderJunit } from '../../gate/report/junit.js';
import { renderMarkdown } from '../../gate/report/markdown.js';
import type { GateReport } from '../../gate/verdict.js';
import { EXIT_NOT_OK, EXIT_OK, EXIT_UNDECIDED } from '../exit-codes.js';
import { collect } from '../flags.js';
import { closing } from '../help.js';
import { catchInterrupts } from '../interrupt.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { terminalOf } from '../terminal.js';
import { renderReport } from './render.js';

export interface ReportFlags extends OutputFlags {
  format?: string[];
  undecided?: 'fail' | 'pass';
}

const RENDERERS = {
  text: (report: GateReport, color: boolean) => renderReport(report, terminalOf(process.stdout, color).style),
  json: (report: GateReport) => `${JSON.stringify(report, null, 2)}\n`,
  junit: renderJunit,
  markdown: renderMarkdown,
  github: renderAnnotations,
};
type FormatName = keyof typeof RENDERERS;

/** One form of the report, and where it goes: standard output where there is no path. */
interface Output {
  readonly format: FormatName;
  readonly path: string | undefined;
}

export const withGateFlags = (command: Command, minEffect: number, examples: readonly string[]): Command =>
  command
    .option('--metric <pattern>', "only the metrics that fit, repeatable; '*' stands for any text", collect)
    .option('--higher-is-better <pattern>', 'metrics of which more is better, where the unit does not tell', collect)
    .option(
      '--min-effect <share>',
      `changes below it do not count: '5%', or 'name=3%'; repeatable (default: ${minEffect * 100}%)`,
      collect,
    )
    .addOption(
      new Option('--undecided <as>', 'what an undecided comparison ends as')
        .choices(['fail', 'pass'])
        .default(undefined, 'exit code 3'),
    )
    .option(
      '--format <format[=file]>',
      `${Object.keys(RENDERERS).join(', ')}; repeatable (default: text, and in GitHub Actions annotations and the job summary)`,
      collect,
    )
    .addHelpText(
      'after',
      closing(EXIT_CODES, examples, () => 'docs/GATE.md explains the method.\n\n'),
    );

const EXIT_CODES =
  '0 pass or improvement; 1 regression; 2 usage, unreadable input or a command that failed; 3 undecided; ' +
  '130 Ctrl-C, 143 SIGTERM.';

/** Judges, writes the report in the forms that are asked for, and leaves with the exit code of the verdict. */
export async function decideAndReport(
  flags: ReportFlags,
  leave: Leave,
  judge: (signal: AbortSignal) => Promise<GateReport>,
): Promise<void> {
  const outputs = plannedOutputs(flags);
  using interrupt = catchInterrupts(() => {});
  try {
    const report = await judge(interrupt.signal);
    await writeReport(report, outputs, flags.color);
    await leave(exitCodeFor(report, flags.undecided), 0);
  } catch (error) {
    if (interrupt.exitCode === undefined || !isStandstillError(error, 'ERR_ABORTED')) throw error;
    process.stderr.write('Interrupted: the command under way was killed, and nothing was decided.\n');
    await leave(interrupt.exitCode, 0);
  }
}

/** Which forms of the report are asked for. ERR_INVALID_OPTION before any work is done. */
function plannedOutputs({ format = [], json }: ReportFlags): Output[] {
  const outputs = [...format, ...(json ? ['json'] : [])].map(parseOutput);
  if (outputs.filter(({ path }) => path === undefined).length > 1) {
    throw new StandstillError(
      'ERR_INVALID_OPTION',
      'Expected one --format at most without =file, for standard output, but received several',
    );
  }
  return outputs.length === 0 ? [{ format: 'text', path: undefined }] : outputs;
}

function parseOutput(text: string): Output {
  const [name = '', ...rest] = text.split('=');
  if (!Object.hasOwn(RENDERERS, name) || (rest.length > 0 && rest.join('=') === '')) {
    throw unexpected(
      'ERR_INVALID_OPTION',
      `one of ${Object.keys(RENDERERS).join(', ')}, with =file or without,`,
      '--format',
      text,
    );
  }
  return { format: name as FormatName, path: rest.length === 0 ? undefined : rest.join('=') };
}

/** Writes the report in all its forms. In GitHub Actions also annotations and the job summary, where none is asked for. */
async function writeReport(report: GateReport, outputs: readonly Output[], color: boolean): Promise<void> {
  for (const { format, path } of outputs) {
    const text = RENDERERS[format](report, color);
    if (path === undefined) process.stdout.write(text);
    else await write(path, text, writeFile);
  }
  if (process.env.GITHUB_ACTIONS !== 'true') return;
  // The runner reads workflow commands from both streams; standard output may be read as JSON.
  if (!outputs.some(({ format }) => format === 'github')) process.stderr.write(renderAnnotations(report));
  const summary = process.env.GITHUB_STEP_SUMMARY;
  if (summary && !outputs.some(({ format }) => format === 'markdown')) {
    await write(summary, renderMarkdown(report), appendFile);
  }
}

async function write(path: string, text: string, by: typeof writeFile | typeof appendFile): Promise<void> {
  try {
    await by(path, text);
  } catch (error) {
    throw new StandstillError('ERR_INVALID_OPTION', `Expected a file that can be written but: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function exitCodeFor({ verdict }: GateReport, undecided: ReportFlags['undecided']): number {
  if (verdict === 'regression') return EXIT_NOT_OK;
  if (verdict !== 'undecided') return EXIT_OK;
  return undecided === undefined ? EXIT_UNDECIDED : undecided === 'fail' ? EXIT_NOT_OK : EXIT_OK;
}
