import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KIB } from '../base/units.js';
import type { PatchModule } from '../maintenance/patch-module.js';

/** A small update: a file of 64 KiB is written, flushed and put in the place of the old one. */
const replaceFile: PatchModule = async (_options, { hostDirectory }) => {
  const path = join(hostDirectory, 'agent');
  await writeFile(`${path}.new`, Buffer.alloc(64 * KIB, 0x90), { flush: true });
  await rename(`${path}.new`, path);
};

export default replaceFile;
