import { Command } from 'commander';
import { readBundleHead } from '../../components/bundle.js';
import type { Leave } from '../leave.js';
import { type OutputFlags, perform, withOutputFlags } from '../perform.js';
import { describeHead } from './describe.js';

export const inspectCommand = (leave: Leave): Command =>
  withOutputFlags(new Command('inspect'))
    .summary('show what a bundle says of itself')
    .description('Shows the manifest and who signed it. Nothing is checked; `verify` does that.')
    .argument('<bundle>')
    .addHelpText('after', '\nExit codes: 0 done; 1 no bundle; 2 usage.')
    .action((bundle: string, flags: OutputFlags) =>
      perform(flags, leave, async () => describeHead(bundle, await readBundleHead(bundle))),
    );
