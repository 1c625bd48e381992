import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { unexpected } from '../../base/errors.js';
import { generateKeyPair } from '../../components/keys.js';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { type Outcome, perform } from '../perform.js';

interface KeygenFlags extends OutputFlags {
  out: string;
}

export const keygenCommand = (leave: Leave): Command =>
  new Command('keygen')
    .summary('make a pair of Ed25519 keys')
    .description('Writes <name>.key.pem, the private key, for its owner alone, and <name>.pub.pem. Overwrites nothing.')
    .requiredOption('--out <name>', 'the path of the files, without their endings')
    .addHelpText(
      'after',
      closing('0 done; 1 refused by the system; 2 usage; 130 Ctrl-C, 143 SIGTERM.', [
        'standstill patch keygen --out vendor',
      ]),
    )
    .action((flags: KeygenFlags) => perform(flags, leave, () => keygen(flags)));

async function keygen({ out }: KeygenFlags): Promise<Outcome> {
  const { keyId, privateKey, publicKey } = generateKeyPair();
  const paths = { privateKey: `${out}.key.pem`, publicKey: `${out}.pub.pem` };
  const taken = Object.values(paths).find(existsSync);
  if (taken !== undefined) throw unexpected('ERR_INVALID_OPTION', 'a name that no key has yet', '--out', taken);
  await writeFile(paths.privateKey, privateKey, { flag: 'wx', mode: 0o600 });
  await writeFile(paths.publicKey, publicKey, { flag: 'wx', mode: 0o644 });
  const json = { schemaVersion: 1, keyId, ...paths };
  return {
    json,
    text: ({ style }) =>
      `${style.green('✔')} key ${style.bold(keyId)}\n  sign with   ${paths.privateKey}\n  trust with  ${paths.publicKey}\n`,
  };
}
