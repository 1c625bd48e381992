import { createCipheriv, createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { KIB, MIB } from '../../base/units.js';
import type { PatchSpec } from '../../maintenance/patch-source.js';
import { BUILTIN_PATCHES } from '../schema.js';

/** What the three built-in patches agree on: where the host's components lie in its folder. */
export const ARCHIVE = 'update/hypervisor.img.gz';
export const MANIFEST = 'update/manifest.json';
export const STAGED_DIRECTORY = 'staged';
export const CURRENT_DIRECTORY = 'current';
export const IMAGE = 'hypervisor.img';

/** SHA-256, as hexadecimal digits, by path under the staged folder. */
export type Manifest = Record<string, string>;

const IMAGE_BYTES = 32 * MIB;
const DRIVER_COUNT = 24;
const DRIVER_BYTES = 512 * KIB;

/**
 * Writes the components of a host, and an update for them, from a seed: an image that is compressed and a tree of
 * drivers, with a manifest of what they are to be.
 */
export async function writeComponents(hostDirectory: string, seed: number): Promise<void> {
  const image = contentOf(seed, IMAGE, IMAGE_BYTES);
  const manifest: Manifest = { [IMAGE]: sha256(image) };
  for (const folder of ['update', STAGED_DIRECTORY, CURRENT_DIRECTORY]) await mkdir(join(hostDirectory, folder));
  await writeFile(join(hostDirectory, CURRENT_DIRECTORY, IMAGE), contentOf(seed, `old ${IMAGE}`, IMAGE_BYTES));
  for (let index = 0; index < DRIVER_COUNT; index += 1) {
    const name = `driver-${String(index).padStart(2, '0')}.bin`;
    const driver = contentOf(seed, name, DRIVER_BYTES);
    manifest[name] = sha256(driver);
    await writeFile(join(hostDirectory, STAGED_DIRECTORY, name), driver);
    await writeFile(join(hostDirectory, CURRENT_DIRECTORY, name), contentOf(seed, `old ${name}`, DRIVER_BYTES));
  }
  await writeFile(join(hostDirectory, ARCHIVE), await promisify(gzip)(image, { level: 1 }));
  await writeFile(join(hostDirectory, MANIFEST), JSON.stringify(manifest));
}

/** A built-in patch; `name` is what reports call it. */
export const builtinPatch = (builtin: (typeof BUILTIN_PATCHES)[number], name: string = builtin): PatchSpec => ({
  name,
  module: new URL(`./${builtin}.js`, import.meta.url),
});

/** The built-in patches, in their order. */
export const DEMO_PATCHES: readonly PatchSpec[] = BUILTIN_PATCHES.map((builtin) => builtinPatch(builtin));

/** Bytes that depend on the seed and the name alone; three quarters of them compress, as those of a program do. */
function contentOf(seed: number, name: string, bytes: number): Buffer {
  const key = createHash('sha256').update(`${seed}/${name}`).digest();
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16, 32));
  const content = cipher.update(Buffer.alloc(bytes));
  const block = 4 * KIB;
  for (let at = 0; at < bytes; at += 4 * block) content.fill(0x90, at + block, at + 4 * block);
  return content;
}

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
