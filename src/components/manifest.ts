import semver from 'semver';
import { z } from 'zod';
import { messageOf, StandstillError } from '../base/errors.js';
import { parseOptions } from '../base/options.js';

/** What applying a patch does to the VMs: nothing, a freeze that preserves their memory, or the loss of their memory. */
export type ImpactClass = 'none' | 'pause' | 'reboot';
export const IMPACT_CLASSES: readonly ImpactClass[] = ['none', 'pause', 'reboot'];

export const FILES_MAX = 10_000;
export const BUNDLE_BYTES_MAX = 4 * 1024 ** 3;
const PATH_CHARACTERS_MAX = 512;
const DURATION_MS_MAX = 24 * 3_600_000;

const EXPECTED_NAME =
  'a name of 1 to 64 letters, digits, dots, dashes and underscores that begins with a letter or digit';
const EXPECTED_PATH = 'a relative path without empty, . and .. parts';
const EXPECTED_VERSION = 'a semantic version';
const EXPECTED_RANGE = 'a range of semantic versions';
const EXPECTED_DURATION = 'milliseconds from 0 to 86400000';
const EXPECTED_SIZE = 'a whole number of bytes';

const isVersion = (text: string) => semver.valid(text) === text;

export const componentNameSchema = z.string(EXPECTED_NAME).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, EXPECTED_NAME);
export const versionSchema = z.string(EXPECTED_VERSION).refine(isVersion, EXPECTED_VERSION);
const rangeSchema = z
  .string(EXPECTED_RANGE)
  .min(1, EXPECTED_RANGE)
  .refine((text) => semver.validRange(text) !== null, EXPECTED_RANGE);

/** What could leave a folder, or be two names of one file, is no path of a bundle. */
export function isSafePath(path: string): boolean {
  if (path === '' || path.length > PATH_CHARACTERS_MAX || /[\\\0]/.test(path) || path !== path.normalize('NFC'))
    return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

const fileSchema = z.strictObject({
  path: z.string(EXPECTED_PATH).refine(isSafePath, EXPECTED_PATH),
  sizeBytes: z.number(EXPECTED_SIZE).int(EXPECTED_SIZE).min(0, EXPECTED_SIZE).max(BUNDLE_BYTES_MAX, EXPECTED_SIZE),
  sha256: z.string('64 hexadecimal digits').regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits'),
  executable: z.boolean('true or false'),
});

/** What the maker of a bundle decides; the rest of a manifest is found by looking at the files. */
export const bundleFields = {
  id: componentNameSchema,
  component: componentNameSchema,
  from: rangeSchema,
  to: versionSchema,
  impact: z.enum(['none', 'pause', 'reboot'], "'none', 'pause' or 'reboot'"),
  expectedDurationMs: z.number(EXPECTED_DURATION).min(0, EXPECTED_DURATION).max(DURATION_MS_MAX, EXPECTED_DURATION),
  dependencies: z.record(componentNameSchema, rangeSchema, 'ranges of versions by component').default({}),
  description: z.string('text').max(1000, 'text of at most 1000 characters').default(''),
};

const manifestSchema = z.strictObject({
  schemaVersion: z.literal(1, '1'),
  ...bundleFields,
  files: z
    .array(fileSchema, 'an array of files')
    .min(1, 'a file at least')
    .max(FILES_MAX, `${FILES_MAX} files at most`),
});

/**
 * One file of a component's version.
 * @interface
 */
export type BundleFile = z.output<typeof fileSchema>;
/**
 * What a bundle says of itself; its signature is over all of it.
 * @interface
 */
export type BundleManifest = z.output<typeof manifestSchema>;

/** Throws ERR_BUNDLE_INVALID. */
export function parseManifest(value: unknown, what: string): BundleManifest {
  let manifest: BundleManifest;
  try {
    manifest = parseOptions(manifestSchema, value, `the manifest of ${what}`);
  } catch (error) {
    throw new StandstillError('ERR_BUNDLE_INVALID', messageOf(error));
  }
  assertDistinctPaths(manifest.files, what);
  return manifest;
}

/** Each path once, and none that another one needs as its folder. */
function assertDistinctPaths(files: readonly BundleFile[], what: string): void {
  const paths = new Set<string>();
  for (const { path } of files) {
    if (paths.has(path))
      throw new StandstillError(
        'ERR_BUNDLE_INVALID',
        `Expected each file once for ${what} but received '${path}' twice`,
      );
    paths.add(path);
  }
  for (const { path } of files) {
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
      if (!paths.has(path.slice(0, at))) continue;
      throw new StandstillError(
        'ERR_BUNDLE_INVALID',
        `Expected a folder at '${path.slice(0, at)}' of ${what} but received a file`,
      );
    }
  }
}

/** JSON with sorted keys and no white space: one text for one value. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${canonicalJson(each)}`).join(',')}}`;
}
