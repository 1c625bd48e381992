import { Command } from 'commander';
import { isStandstillError } from '../../base/errors.js';
import { counted, formatBytes } from '../../base/units.js';
import { checkBundle } from '../../components/bundle.js';
import { assertTrusted, readKey } from '../../components/keys.js';
import { EXIT_NOT_OK } from '../exit-codes.js';
import { collect } from '../flags.js';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { type Outcome, perform } from '../perform.js';

interface VerifyFlags extends OutputFlags {
  key: string[];
}

export const verifyCommand = (leave: Leave): Command =>
  new Command('verify')
    .summary('check the signature and every file of a bundle')
    .description('Checks that a trusted key has signed the manifest, and that every file is the one that it names.')
    .argument('<bundle>', 'patch bundle')
    .requiredOption('--key <file>', 'public key that is trusted, repeatable', collect)
    .addHelpText(
      'after',
      closing('0 it is whole and signed by that key; 1 it is not, and why; 2 usage; 130 Ctrl-C, 143 SIGTERM.', [
        'standstill patch verify agent.tar.gz --key vendor.pub.pem',
      ]),
    )
    .action((bundle: string, flags: VerifyFlags) => perform(flags, leave, () => verify(bundle, flags)));

async function verify(bundle: string, flags: VerifyFlags): Promise<Outcome> {
  const trusted = await Promise.all(flags.key.map((path) => readKey(path, 'public')));
  try {
    let keyId = '';
    const { head, bytesRead } = await checkBundle(bundle, ({ manifest, signature }) => {
      keyId = assertTrusted(manifest, signature, trusted, bundle);
    });
    const { manifest } = head;
    return {
      json: { schemaVersion: 1, ok: true, bundle, keyId, files: manifest.files.length, bytesRead, problem: null },
      text: ({ style }) =>
        `${style.green('✔')} ${bundle}: ${style.bold(manifest.id)} signed by ${keyId}, ` +
        `${counted(manifest.files.length, 'file')} of ${formatBytes(bytesRead)} as they were made\n`,
    };
  } catch (error) {
    if (!isStandstillError(error) || !error.code.startsWith('ERR_BUNDLE_')) throw error;
    const { code, message } = error;
    return {
      json: {
        schemaVersion: 1,
        ok: false,
        bundle,
        keyId: null,
        files: null,
        bytesRead: null,
        problem: { code, message },
      },
      text: ({ style }) => `${style.red('✘')} ${message} (${code})\n`,
      exitCode: EXIT_NOT_OK,
    };
  }
}
