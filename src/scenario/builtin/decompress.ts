import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { MIB } from '../../base/units.js';
import { definePatch } from '../../maintenance/patch-module.js';
import { ARCHIVE, IMAGE, STAGED_DIRECTORY } from './components.js';

/** Unpacks the image of the update into the staged folder. */
export default definePatch(async (_options: unknown, { port, signal, hostDirectory }) => {
  const archive = join(hostDirectory, ARCHIVE);
  const { size } = await stat(archive);
  const source = createReadStream(archive, { highWaterMark: MIB });
  source.on('data', () => port.postMessage({ progress: source.bytesRead / size }));
  const target = createWriteStream(join(hostDirectory, STAGED_DIRECTORY, IMAGE), { highWaterMark: MIB });
  await pipeline(source, createGunzip({ chunkSize: MIB }), target, { signal });
  return { compressedBytes: size, bytes: target.bytesWritten };
});
