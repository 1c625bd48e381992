import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { messageOf, StandstillError, unexpected } from '../../base/errors.js';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { type Outcome, perform } from '../perform.js';
import { FIRST_SCENARIO } from './first-scenario.js';

interface InitFlags extends OutputFlags {
  force?: true;
}

const FILE_DEFAULT = 'scenario.yaml';

/** `standstill init`: a first scenario, to be run and changed. */
export const initCommand = (leave: Leave): Command =>
  new Command('init')
    .summary('write a first scenario, with comments')
    .description(`Writes a scenario that can be run as it is: 'standstill run ${FILE_DEFAULT}'. Overwrites nothing.`)
    .argument('[file]', 'where to', FILE_DEFAULT)
    .option('--force', 'replace the file that is there')
    .addHelpText(
      'after',
      closing('0 done; 2 usage; 130 Ctrl-C, 143 SIGTERM.', ['standstill init', 'standstill init ./tests/freeze.yaml']),
    )
    .action((file: string, flags: InitFlags) => perform(flags, leave, () => init(file, flags.force === true)));

async function init(path: string, isForced: boolean): Promise<Outcome> {
  if (!isForced && existsSync(path)) {
    throw unexpected('ERR_INVALID_OPTION', 'a file that is not there yet, or --force,', 'init', path);
  }
  try {
    await writeFile(path, FIRST_SCENARIO, { flag: isForced ? 'w' : 'wx' });
  } catch (cause) {
    const message = `Expected a file to write for 'init' but: ${messageOf(cause)}`;
    throw new StandstillError('ERR_INVALID_OPTION', message, { cause });
  }
  return {
    json: { schemaVersion: 1, path },
    text: ({ style }) => `${style.green('✔')} wrote ${style.bold(path)}\n  run it with  npx standstill run ${path}\n`,
  };
}
