import { Command } from 'commander';
import { type SnapshotVerification, verifySnapshotFile } from '../../snapshot/verify.js';
import { EXIT_NOT_OK, EXIT_OK } from '../exit-codes.js';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { type Outcome, perform, type Watch } from '../perform.js';
import type { Style } from '../terminal.js';

export const verifyCommand = (leave: Leave): Command =>
  new Command('verify')
    .summary('check every byte of a snapshot file')
    .description('Reads every byte of a snapshot file and says whether it is as it was written, and if not, where.')
    .argument('<file>', 'snapshot file')
    .addHelpText(
      'after',
      closing('0 whole; 1 damaged, or not to be read; 2 usage; 130 Ctrl-C, 143 SIGTERM.', [
        'standstill snapshot verify a.snap',
      ]),
    )
    .action((file: string, flags: OutputFlags) => perform(flags, leave, (watch) => verify(file, watch)));

async function verify(path: string, { signal, onProgress, say }: Watch): Promise<Outcome> {
  say(`reading ${path}`);
  const found = await verifySnapshotFile(path, { signal, onProgress });
  return {
    json: { schemaVersion: 1, ok: found.ok, path, damage: found.damage ?? null },
    text: ({ style }) => render(path, found, style),
    exitCode: found.ok ? EXIT_OK : EXIT_NOT_OK,
  };
}

function render(path: string, { damage }: SnapshotVerification, style: Style): string {
  if (damage === undefined)
    return `${style.green('✔')} ${style.bold('Whole')}: every byte of ${path} is as it was written\n`;
  const place = `byte ${damage.offset.toLocaleString('en')} (0x${damage.offset.toString(16)})`;
  return `${style.red('✘')} ${style.bold('Damaged')}: ${damage.what} at ${place} of ${path}\n`;
}
