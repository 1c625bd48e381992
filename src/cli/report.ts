import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { messageOf, StandstillError } from '../base/errors.js';
import { parseRunRecord } from '../report/record-schema.js';
import { collect } from './flags.js';
import { closing } from './help.js';
import type { Leave } from './leave.js';
import type { OutputFlags } from './output-flags.js';
import { perform } from './perform.js';
import { writablePath, writeReports } from './recording.js';

/** `standstill report`: a saved run, written again. */
export function reportCommand(leave: Leave): Command {
  return new Command('report')
    .summary('write reports of a run again from its record')
    .description(
      'Reads the record of a run, which `--report run.json` has written, and writes reports of it: a page with the ' +
        'timeline of every VM, JUnit XML, or markdown for the summary of a CI job.',
    )
    .argument('<record>', 'JSON file that --report wrote (schemas/run-record.schema.json)')
    .addOption(
      new Option('--out <file>', 'write there, repeatable; of a kind by its end: .html, .json, .xml (JUnit), .md')
        .argParser((path, previous: readonly string[] | undefined) => collect(writablePath(path, '--out'), previous))
        .makeOptionMandatory(),
    )
    .addHelpText(
      'after',
      closing('0 written; 2 usage, or no record; 130 Ctrl-C, 143 SIGTERM.', [
        'standstill report run.json --out run.html',
        'standstill report run.json --out summary.md --out junit.xml',
      ]),
    )
    .action((path: string, { out, ...flags }: OutputFlags & { out: string[] }) =>
      perform(flags, leave, async () => {
        const record = parseRunRecord(read(path), path);
        writeReports(record, out, '--out');
        const { name, result } = record;
        return {
          json: { schemaVersion: 1, name, result, written: out },
          text: () => out.map((file) => `${file}: ${name}, ${result}\n`).join(''),
        };
      }),
    );
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new StandstillError('ERR_RECORD_INVALID', `Expected a record that can be read but: ${messageOf(cause)}`, {
      cause,
    });
  }
}
