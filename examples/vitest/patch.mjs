/** A patch of the host: it writes a file there, in a worker thread, while the VMs stand still. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export default async function patch(_options, { hostDirectory }) {
  await writeFile(join(hostDirectory, 'patched'), 'version 2\n');
}
