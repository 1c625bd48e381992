import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { MIB } from '../../base/units.js';
import { definePatch } from '../../maintenance/patch-module.js';
import { MANIFEST, type Manifest, STAGED_DIRECTORY } from './components.js';

/** Hashes every staged file and holds it against the manifest of the update. */
export default definePatch(async (_options: unknown, { port, signal, hostDirectory }) => {
  const manifest: Manifest = JSON.parse(await readFile(join(hostDirectory, MANIFEST), 'utf8'));
  const files = Object.entries(manifest);
  for (const [index, [path, expected]] of files.entries()) {
    const hash = createHash('sha256');
    const file = join(hostDirectory, STAGED_DIRECTORY, path);
    await pipeline(createReadStream(file, { highWaterMark: MIB }), hash, { signal });
    const actual = hash.digest('hex');
    if (actual !== expected) throw new Error(`Expected SHA-256 ${expected} for ${path} but received ${actual}`);
    port.postMessage({ progress: (index + 1) / files.length, message: path });
  }
  return { files: files.length };
});
