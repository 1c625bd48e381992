import { createHash, type KeyObject } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Header, Pack, ReadEntry } from 'tar';
import { z } from 'zod';
import { StandstillError, show } from '../base/errors.js';
import { parseOptions } from '../base/options.js';
import { type ArchiveEntry, readArchive } from './archive.js';
import { makeDurable } from './durable.js';
import { type BundleSignature, signatureSchema, signManifest } from './keys.js';
import {
  BUNDLE_BYTES_MAX,
  type BundleFile,
  type BundleManifest,
  bundleFields,
  FILES_MAX,
  type ImpactClass,
  isSafePath,
  parseManifest,
} from './manifest.js';

const MANIFEST_ENTRY = 'manifest.json';
const SIGNATURE_ENTRY = 'signature.json';
const FILES_FOLDER = 'files/';
/** 10,000 files with long paths fit. */
const MANIFEST_BYTES_MAX = 8 * 1024 ** 2;
const SIGNATURE_BYTES_MAX = 4096;
const COMPRESSION_RATIO_MAX = 200;

const LIMITS = { entriesMax: FILES_MAX + 2, bytesMax: BUNDLE_BYTES_MAX, ratioMax: COMPRESSION_RATIO_MAX };

/** What a bundle says before its files come. */
export interface BundleHead {
  readonly manifest: BundleManifest;
  /** Undefined for a bundle that is not signed. */
  readonly signature: BundleSignature | undefined;
}

export interface BundleReader {
  /** Called once, before any file is looked at; what it throws ends the reading. */
  onHead?(head: BundleHead): void;
  /** Reads the file's content, or leaves it. */
  onFile?(file: BundleFile, content: AsyncIterable<Buffer>): Promise<void>;
}

/**
 * Reads a bundle once, from its begin to its end, and holds it against its manifest: each file is named there, once, with
 * its size. Rejects with ERR_BUNDLE_INVALID or ERR_PATCH_NOT_FOUND.
 */
export async function readBundle(path: string, reader: BundleReader): Promise<BundleHead> {
  let manifest: BundleManifest | undefined;
  let signature: BundleSignature | undefined;
  let expected: Map<string, BundleFile> | undefined;
  const beginFiles = (entry: string): Map<string, BundleFile> => {
    if (expected !== undefined) return expected;
    if (manifest === undefined) throw invalid(path, `${MANIFEST_ENTRY} as the first entry`, `received ${show(entry)}`);
    expected = new Map(manifest.files.map((file) => [FILES_FOLDER + file.path, file]));
    reader.onHead?.({ manifest, signature });
    return expected;
  };
  await readArchive(path, LIMITS, async (entry) => {
    if (entry.path === MANIFEST_ENTRY && manifest === undefined && expected === undefined) {
      manifest = parseManifest(await jsonOf(entry, MANIFEST_BYTES_MAX, path), path);
    } else if (entry.path === SIGNATURE_ENTRY && manifest !== undefined && expected === undefined) {
      signature = parseSignature(await jsonOf(entry, SIGNATURE_BYTES_MAX, path), path);
    } else {
      const files = beginFiles(entry.path);
      const file = files.get(entry.path);
      if (file === undefined) throw invalid(path, 'only files that its manifest names', `received ${show(entry.path)}`);
      files.delete(entry.path);
      if (entry.sizeBytes !== file.sizeBytes) {
        throw invalid(path, `${file.sizeBytes} bytes of ${show(file.path)}`, `received ${entry.sizeBytes}`);
      }
      await reader.onFile?.(file, entry.content);
    }
  });
  const [missing] = beginFiles('nothing').values();
  if (missing !== undefined) throw invalid(path, `the file ${show(missing.path)} of its manifest`, 'it is not there');
  if (manifest === undefined) throw invalid(path, MANIFEST_ENTRY, 'it is not there');
  return { manifest, signature };
}

/** Manifest and signature alone: the files are not looked at. */
export async function readBundleHead(path: string): Promise<BundleHead> {
  const done = new Error('seen enough');
  let found: BundleHead | undefined;
  try {
    return await readBundle(path, {
      onHead: (head) => {
        found = head;
        throw done;
      },
    });
  } catch (error) {
    if (found !== undefined) return found;
    throw error;
  }
}

/** What was found of a bundle that is whole. */
export interface BundleCheck {
  readonly head: BundleHead;
  readonly bytesRead: number;
}

/** Reads every byte and compares its digests. `onHead` is called first. Rejects with ERR_BUNDLE_DIGEST where one differs. */
export async function checkBundle(path: string, onHead: (head: BundleHead) => void): Promise<BundleCheck> {
  let bytesRead = 0;
  const head = await readBundle(path, {
    onHead,
    onFile: async (file, content) => {
      const hash = createHash('sha256');
      for await (const chunk of content) hash.update(chunk);
      bytesRead += file.sizeBytes;
      assertDigest(file, hash.digest('hex'), path);
    },
  });
  return { head, bytesRead };
}

export function assertDigest(file: BundleFile, sha256: string, what: string): void {
  if (sha256 === file.sha256) return;
  const message = `Expected SHA-256 ${file.sha256} for ${show(file.path)} of ${what} but received ${sha256}`;
  throw new StandstillError('ERR_BUNDLE_DIGEST', message);
}

/** What goes into a bundle besides its files. */
export interface BundleOptions {
  /** Names the patch: 1 to 64 letters, digits, dots, dashes and underscores. */
  id: string;
  component: string;
  /** Versions that it can be applied to, as a range of semantic versions. */
  from: string;
  to: string;
  impact: ImpactClass;
  /** How long its switch takes, in milliseconds: what a plan expects of the blackout. */
  expectedDurationMs: number;
  /** Ranges of versions by component. */
  dependencies?: Record<string, string> | undefined;
  description?: string | undefined;
}

const bundleOptionsSchema = z.strictObject(bundleFields);

/**
 * Makes a bundle of all files of a folder, whole or not at all, and the same bytes for the same files. Rejects with
 * ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION, ERR_BUNDLE_INVALID (links and other things that are no files), or the error of
 * the file system.
 */
export async function createBundle(
  folder: string,
  out: string,
  options: BundleOptions,
  privateKey?: KeyObject,
): Promise<BundleHead> {
  const fields = parseOptions(bundleOptionsSchema, options, 'a patch bundle');
  const files = await describeFolder(folder);
  const manifest = parseManifest({ schemaVersion: 1, ...fields, files }, out);
  const signature = privateKey === undefined ? undefined : signManifest(manifest, privateKey);
  await writeBundle(out, { manifest, signature }, async (add) => {
    for (const file of files) await add(file, createReadStream(join(folder, file.path)));
  });
  return { manifest, signature };
}

/** Gives a bundle a signature, in place of one that it has; whole or not at all. Rejects as `checkBundle` does. */
export async function signBundle(path: string, out: string, privateKey: KeyObject): Promise<BundleHead> {
  const { head } = await checkBundle(path, () => {});
  const signed = { manifest: head.manifest, signature: signManifest(head.manifest, privateKey) };
  await writeBundle(out, signed, async (add) => {
    await readBundle(path, { onFile: add });
  });
  return signed;
}

/** The regular files below a folder, by path. */
export async function describeFolder(folder: string): Promise<BundleFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files: BundleFile[] = [];
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    const absolute = join(entry.parentPath, entry.name);
    const path = relative(folder, absolute);
    if (!entry.isFile()) throw invalid(folder, 'a folder of regular files', `${show(path)} is none`);
    if (!isSafePath(path)) throw invalid(folder, 'plain file names', `received ${show(path)}`);
    const { size, mode } = await stat(absolute);
    files.push({ path, sizeBytes: size, sha256: await sha256Of(absolute), executable: (mode & 0o111) !== 0 });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

type AddFile = (file: BundleFile, content: AsyncIterable<Buffer>) => Promise<void>;

/** Under a temporary name in the same folder, flushed, renamed. */
async function writeBundle(out: string, head: BundleHead, addFiles: (add: AddFile) => Promise<void>): Promise<void> {
  const scratch = await mkdtemp(join(dirname(resolve(out)), '.standstill-bundle-'));
  try {
    const temporary = join(scratch, basename(out));
    const pack = new Pack({ portable: true });
    const written = pipeline(pack as unknown as AsyncIterable<Buffer>, createGzip(), createWriteStream(temporary));
    const filled = (async () => {
      await addEntry(pack, MANIFEST_ENTRY, jsonBytes(head.manifest));
      if (head.signature !== undefined) await addEntry(pack, SIGNATURE_ENTRY, jsonBytes(head.signature));
      await addFiles((file, content) => addStream(pack, FILES_FOLDER + file.path, file, content));
      pack.end();
    })();
    filled.catch((error) => pack.destroy(error));
    await Promise.all([filled, written]);
    await makeDurable(temporary);
    await rename(temporary, out);
    await makeDurable(dirname(resolve(out)));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const jsonBytes = (value: unknown) => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

const addEntry = (pack: Pack, path: string, bytes: Buffer) =>
  addStream(pack, path, { sizeBytes: bytes.length, executable: false }, once(bytes));

async function addStream(
  pack: Pack,
  path: string,
  { sizeBytes, executable }: Pick<BundleFile, 'sizeBytes' | 'executable'>,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  const header = new Header({ path, size: sizeBytes, type: 'File', mode: executable ? 0o755 : 0o644 });
  const entry = new ReadEntry(header);
  pack.add(entry);
  for await (const chunk of content) {
    if (!entry.write(chunk)) await new Promise<void>((done) => entry.once('drain', done));
  }
  entry.end();
}

async function jsonOf(entry: ArchiveEntry, bytesMax: number, path: string): Promise<unknown> {
  if (entry.sizeBytes > bytesMax)
    throw invalid(path, `${bytesMax} bytes of ${entry.path} at most`, `received ${entry.sizeBytes}`);
  const chunks: Buffer[] = [];
  for await (const chunk of entry.content) chunks.push(chunk);
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw invalid(path, `JSON in ${entry.path}`, 'received something else');
  }
}

function parseSignature(value: unknown, path: string): BundleSignature {
  const parsed = signatureSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(path, `an Ed25519 signature in ${SIGNATURE_ENTRY}`, 'received something else');
}

const invalid = (path: string, expected: string, but: string) =>
  new StandstillError('ERR_BUNDLE_INVALID', `Expected ${expected} for ${path} but ${but}`);
