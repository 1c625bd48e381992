import { Command } from 'commander';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { perform } from '../perform.js';
import { describeFile } from './info.js';

export const inspectCommand = (leave: Leave): Command =>
  new Command('inspect')
    .summary('tell what is in a snapshot file')
    .description(
      'Tells what is in a snapshot file, with a map of its RAM: pages of zeroes, pages shared with the base, pages that ' +
        'the file has of its own (private), and those that differ from the base (dirty). Checks header and tables.',
    )
    .argument('<file>', 'snapshot file')
    .addHelpText(
      'after',
      closing('0 done; 1 damaged, or not to be read; 2 usage.', ['standstill snapshot inspect a.snap']),
    )
    .action((file: string, flags: OutputFlags) => perform(flags, leave, () => describeFile(file)));
