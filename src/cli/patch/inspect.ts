import { Command } from 'commander';
import { readBundleHead } from '../../components/bundle.js';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { perform } from '../perform.js';
import { describeHead } from './describe.js';

export const inspectCommand = (leave: Leave): Command =>
  new Command('inspect')
    .summary('show what a bundle says of itself')
    .description('Shows the manifest and who signed it. Nothing is checked; `verify` does that.')
    .argument('<bundle>', 'patch bundle')
    .addHelpText(
      'after',
      closing('0 done; 1 no bundle; 2 usage; 130 Ctrl-C, 143 SIGTERM.', ['standstill patch inspect agent.tar.gz']),
    )
    .action((bundle: string, flags: OutputFlags) =>
      perform(flags, leave, async () => describeHead(bundle, await readBundleHead(bundle))),
    );
