import { addon } from '../native/addon.js';
import type { NativeProgress } from '../native/contract.js';
import { elfCorePrefix } from './elf-core.js';
import { type Identified, watchedId } from './identity.js';

export async function writeRaw(path: string, snapshot: Identified, progress: NativeProgress): Promise<void> {
  await addon.exportFlat(path, snapshot.native, new Uint8Array(0), progress);
}

export async function writeElf(path: string, snapshot: Identified, progress: NativeProgress): Promise<void> {
  const id = await watchedId(snapshot, progress);
  const prefix = elfCorePrefix(snapshot.native.state(), { id, digest: await snapshot.native.digest(progress) });
  await addon.exportFlat(path, snapshot.native, prefix, progress);
}
