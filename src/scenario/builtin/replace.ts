import { copyFile, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDurable } from '../../components/durable.js';
import { definePatch } from '../../maintenance/patch-module.js';
import { CURRENT_DIRECTORY, STAGED_DIRECTORY } from './components.js';

/** Replaces each current file by its staged one: written beside it, made durable, renamed; never half of one. */
export default definePatch(async (_options: unknown, { port, signal, hostDirectory }) => {
  const current = join(hostDirectory, CURRENT_DIRECTORY);
  const names = await readdir(join(hostDirectory, STAGED_DIRECTORY));
  for (const [index, name] of names.entries()) {
    signal.throwIfAborted();
    const temporary = join(current, `.${name}.new`);
    await copyFile(join(hostDirectory, STAGED_DIRECTORY, name), temporary);
    await makeDurable(temporary);
    await rename(temporary, join(current, name));
    port.postMessage({ progress: (index + 1) / names.length, message: name });
  }
  await makeDurable(current);
  return { files: names.length };
});
