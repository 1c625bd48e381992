import { Command } from 'commander';
import { compactSnapshotFiles } from '../../snapshot/compact.js';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { type Outcome, perform, type Watch } from '../perform.js';
import { describeFile } from './info.js';

interface CompactFlags extends OutputFlags {
  out: string;
  compress?: true;
}

export const compactCommand = (leave: Leave): Command =>
  new Command('compact')
    .summary('fold a chain of differential files into one')
    .description(
      'Folds a chain of differential files, given in any order, into one that stands alone: the snapshot of the newest.',
    )
    .argument('<files...>', 'snapshot files')
    .requiredOption('--out <file>', 'where to write it; may be one of the files')
    .option('--compress', 'deflate it')
    .addHelpText(
      'after',
      closing('0 done; 1 damaged, no one chain, or refused by the system; 2 usage; 130 Ctrl-C, 143 SIGTERM.', [
        'standstill snapshot compact a.snap b.snap c.snap --out c-alone.snap',
      ]),
    )
    .action((files: string[], flags: CompactFlags) => perform(flags, leave, (watch) => compact(files, flags, watch)));

async function compact(files: string[], { out, compress }: CompactFlags, watch: Watch): Promise<Outcome> {
  const { signal, onProgress } = watch;
  watch.say(`folding ${files.length} files`);
  await compactSnapshotFiles(files, out, { compress, signal, onProgress });
  return await describeFile(out);
}
