import { Command, Option } from 'commander';
import { unexpected } from '../../base/errors.js';
import { createBundle } from '../../components/bundle.js';
import { readKey } from '../../components/keys.js';
import type { ImpactClass } from '../../components/manifest.js';
import { collect, DAY_MS, durationMs } from '../flags.js';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { type Outcome, perform } from '../perform.js';
import { describeHead } from './describe.js';

interface CreateFlags extends OutputFlags {
  id: string;
  component: string;
  from: string;
  to: string;
  impact: ImpactClass;
  expected: number;
  dependency?: string[];
  description?: string;
  files: string;
  key?: string;
  out: string;
}

export const createCommand = (leave: Leave): Command =>
  new Command('create')
    .summary('make a bundle of a folder of files')
    .description('Packs all files of a folder into a patch bundle, the same bytes for the same files.')
    .requiredOption('--id <name>', 'names the patch')
    .requiredOption('--component <name>', 'the component that it updates')
    .requiredOption('--from <range>', "versions that it can be applied to, as '>=1.0.0 <2.0.0'")
    .requiredOption('--to <version>', 'the version that it brings')
    .addOption(
      new Option('--impact <class>', 'none: VMs run on; pause: VMs are frozen; reboot: VMs are restarted')
        .choices(['none', 'pause', 'reboot'])
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--expected <time>', 'how long its switch takes')
        .argParser(durationMs('--expected', DAY_MS))
        .default(100, '100ms'),
    )
    .option('--dependency <component@range>', 'what must be installed, repeatable', collect)
    .option('--description <text>', 'for people')
    .requiredOption('--files <folder>', 'the files of the new version')
    .option('--key <file>', 'private key to sign it with')
    .requiredOption('--out <file>', 'the bundle, as patch.tar.gz')
    .addHelpText(
      'after',
      closing('0 done; 1 refused by the system; 2 usage; 130 Ctrl-C, 143 SIGTERM.', [
        "standstill patch create --id agent-1.1 --component agent --from '^1.0.0' --to 1.1.0 --impact pause --files ./new-agent --key vendor.key.pem --out agent.tar.gz",
      ]),
    )
    .action((flags: CreateFlags) => perform(flags, leave, () => create(flags)));

async function create(flags: CreateFlags): Promise<Outcome> {
  const { id, component, from, to, impact, expected, description } = flags;
  const dependencies = Object.fromEntries((flags.dependency ?? []).map(dependencyOf));
  const key = flags.key === undefined ? undefined : await readKey(flags.key, 'private');
  const options = { id, component, from, to, impact, expectedDurationMs: expected, dependencies, description };
  return describeHead(flags.out, await createBundle(flags.files, flags.out, options, key));
}

function dependencyOf(text: string): [string, string] {
  const at = text.indexOf('@');
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
  throw unexpected('ERR_INVALID_OPTION', '<component>@<range>', '--dependency', text);
}
