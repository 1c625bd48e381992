import { Command } from 'commander';
import { signBundle } from '../../components/bundle.js';
import { readKey } from '../../components/keys.js';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { type Outcome, perform } from '../perform.js';
import { describeHead } from './describe.js';

interface SignFlags extends OutputFlags {
  key: string;
  out?: string;
}

export const signCommand = (leave: Leave): Command =>
  new Command('sign')
    .summary('sign a bundle')
    .description('Checks every file of a bundle and gives it a signature, in place of one that it has.')
    .argument('<bundle>', 'patch bundle')
    .requiredOption('--key <file>', 'private key')
    .option('--out <file>', 'where to write it (default: in its place)')
    .addHelpText(
      'after',
      closing('0 done; 1 no bundle, or refused by the system; 2 usage; 130 Ctrl-C, 143 SIGTERM.', [
        'standstill patch sign agent.tar.gz --key vendor.key.pem',
      ]),
    )
    .action((bundle: string, flags: SignFlags) => perform(flags, leave, () => sign(bundle, flags)));

async function sign(bundle: string, { key, out = bundle }: SignFlags): Promise<Outcome> {
  return describeHead(out, await signBundle(bundle, out, await readKey(key, 'private')));
}
