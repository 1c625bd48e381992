import { resolve } from 'node:path';
import { z } from 'zod';
import { isStandstillError, StandstillError } from '../base/errors.js';
import { parseOptions } from '../base/options.js';
import { addon } from '../native/addon.js';
import type { NativeFileDamage, NativeSnapshotFile, NativeSnapshotFileInfo } from '../native/snapshot-file-contract.js';
import { identityOf } from './identity.js';

/**
 * What is wrong with a file, and at which of its bytes: the cause of ERR_SNAPSHOT_DAMAGED.
 * @interface
 */
export type SnapshotDamage = NativeFileDamage;

export const CHUNK_PAGES = 64;
/** Of the id in the header: docs/SNAPSHOT_FORMAT.md. */
const ID_OFFSET = 56;

const EXPECTED_PATH = 'the path of a file';
export const pathSchema = z
  .string(EXPECTED_PATH)
  .min(1, EXPECTED_PATH)
  .refine((path) => !path.includes('\0'), EXPECTED_PATH)
  .transform((path) => resolve(path));

/** The absolute path; ERR_INVALID_OPTION. */
export const parsePath = (path: string, what: string): string =>
  parseOptions(z.strictObject({ path: pathSchema }), { path }, what).path;

export interface OpenFile {
  readonly path: string;
  readonly native: NativeSnapshotFile;
  readonly info: NativeSnapshotFileInfo;
  readonly id: string;
  /** Undefined for a file that stands alone. */
  readonly baseId: string | undefined;
}

/** Opens a file and checks all of it but the data. ERR_SNAPSHOT_IO, ERR_SNAPSHOT_DAMAGED, ERR_OUT_OF_MEMORY. */
export const openFile = async (path: string): Promise<OpenFile> => identify(path, await addon.openSnapshotFile(path));

/** Checks the id too, of a file of which all but that and the data is known to be right. */
export function identify(path: string, native: NativeSnapshotFile): OpenFile {
  const info = native.info();
  const id = Buffer.from(info.id).toString('hex');
  if (id !== identityOf(native.stateBytes(), native.pageCrcs())) {
    throw damaged(path, { what: 'an id that is not its own', offset: ID_OFFSET });
  }
  const baseId = info.differential ? Buffer.from(info.baseId).toString('hex') : undefined;
  return { path, native, info, id, baseId };
}

export function damaged(path: string, damage: SnapshotDamage): StandstillError {
  const message = `Expected a whole, unaltered snapshot file for ${path} but received ${damage.what} at byte ${damage.offset}`;
  return new StandstillError('ERR_SNAPSHOT_DAMAGED', message, { cause: damage });
}

/** What is damaged, where that is what an error says. */
export const damageOf = (error: unknown): SnapshotDamage | undefined =>
  isStandstillError(error, 'ERR_SNAPSHOT_DAMAGED') ? (error.cause as SnapshotDamage) : undefined;
