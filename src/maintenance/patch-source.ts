import { stat } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import { StandstillError, show, unexpected } from '../base/errors.js';
import { componentNameSchema } from '../components/manifest.js';

const EXPECTED_MODULE = 'a path or a file URL of a patch module';

const moduleSchema = z.union([z.string().min(1), z.instanceof(URL)], EXPECTED_MODULE);
const EXPECTED_PATCH = `${EXPECTED_MODULE}, an object with one as its module, or one with a patch bundle`;
/** What a path ends in where it names a bundle. */
const BUNDLE_PATH = /\.(tar|tgz|tar\.gz|tar\.zst)$/;

export const patchSchema = z.union(
  [
    moduleSchema,
    z.strictObject({
      module: moduleSchema,
      name: z.string('text').min(1, 'text').optional(),
      options: z.unknown().optional(),
    }),
    z.strictObject({ bundle: moduleSchema }),
  ],
  EXPECTED_PATCH,
);

/**
 * A patch as a user names it: a module or a bundle (a path that ends in .tar, .tgz, .tar.gz or .tar.zst) alone, or a
 * module with a name for the report and with options.
 */
export type PatchSpec =
  | string
  | URL
  | {
      /** The path of a patch bundle, whatever it ends in, or its file URL. */
      bundle: string | URL;
    }
  | {
      /** A path, relative to the working directory, or a file URL. */
      module: string | URL;
      /** In the report; default: the module's file name. */
      name?: string | undefined;
      /** Handed to the module; anything that can be cloned to another thread. */
      options?: unknown;
    };

/** Takes the newest update of a component back: a patch of the class that the update was of. */
export interface RollbackSpec {
  /** The component's name. */
  rollback: string;
}

export const hostPatchSchema = z.union(
  [patchSchema, z.strictObject({ rollback: componentNameSchema })],
  `${EXPECTED_PATCH} or one with the component of a rollback`,
);

export type ModuleSpec = Exclude<PatchSpec, { bundle: unknown }>;

/** Which kind of patch is meant: the path of a bundle, or a module. */
export function kindOf(spec: PatchSpec): { readonly bundle: string } | { readonly module: ModuleSpec } {
  if (typeof spec === 'object' && 'bundle' in spec) return { bundle: modulePath(spec.bundle) };
  const isPath = typeof spec === 'string' || spec instanceof URL;
  return isPath && BUNDLE_PATH.test(String(spec)) ? { bundle: modulePath(spec) } : { module: spec };
}

/** A patch whose module is known to be a file. */
export interface PatchSource {
  readonly name: string;
  readonly url: string;
  readonly options: unknown;
}

/** Rejects with ERR_PATCH_NOT_FOUND where the module is no file, ERR_INVALID_OPTION where its options cannot be cloned. */
export async function locatePatch(spec: ModuleSpec): Promise<PatchSource> {
  const detailed = typeof spec === 'string' || spec instanceof URL ? { module: spec } : spec;
  const path = modulePath(detailed.module);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) {
    throw new StandstillError('ERR_PATCH_NOT_FOUND', `Expected a patch module at ${path} but there is no such file`);
  }
  const name = ('name' in detailed ? detailed.name : undefined) ?? basename(path, extname(path));
  const options = 'options' in detailed ? detailed.options : undefined;
  assertCloneable(options, name);
  return { name, url: pathToFileURL(path).href, options };
}

function modulePath(module: string | URL): string {
  const isUrl = module instanceof URL || module.startsWith('file:');
  if (!isUrl) return resolve(module);
  try {
    return fileURLToPath(module);
  } catch (cause) {
    const expected = `Expected ${EXPECTED_MODULE} but received ${show(String(module))}`;
    throw new StandstillError('ERR_INVALID_OPTION', expected, { cause });
  }
}

function assertCloneable(options: unknown, name: string): void {
  try {
    structuredClone(options);
  } catch {
    throw unexpected('ERR_INVALID_OPTION', 'options that can be cloned to a thread', `patch '${name}'`, options);
  }
}
