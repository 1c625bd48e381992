import { Option } from 'commander';
import { headOf, openAll } from '../../snapshot/load.js';
import { VmSnapshot } from '../../snapshot/snapshot.js';
import { collect } from '../flags.js';
import type { Watch } from '../perform.js';

export const baseOption = (text: string): Option => new Option('--base <file>', text).argParser(collect);

/** The newest of the files that --base names; the others are what it builds on. */
export async function loadBase(paths: readonly string[], { signal, onProgress, say }: Watch): Promise<VmSnapshot> {
  say('loading the base');
  const head = headOf(await openAll(paths), '--base');
  return await VmSnapshot.load(head.path, { bases: paths, signal, onProgress });
}
