import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { Readable, Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { Parser, type ReadEntry } from 'tar';
import { orAborted } from '../base/abort.js';
import { messageOf, StandstillError, show } from '../base/errors.js';
import { formatBytes } from '../base/units.js';

export interface ArchiveLimits {
  /** Entries, and bytes of the archive when it is decompressed. */
  readonly entriesMax: number;
  readonly bytesMax: number;
  /** Decompressed to compressed bytes; not applied to the first 16 MiB. */
  readonly ratioMax: number;
}

/** One regular file of an archive. Its content is read once, in order, and before the next entry comes. */
export interface ArchiveEntry {
  readonly path: string;
  readonly sizeBytes: number;
  readonly content: AsyncIterable<Buffer>;
}

const RATIO_FREE_BYTES = 16 * 1024 ** 2;
/** Long names and the like, beside the entries. */
const META_BYTES_MAX = 64 * 1024;
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);
const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/**
 * Hands over the regular files of a tar archive, one after the other; gzip and, where Node has it, zstd are seen by
 * their first bytes. Rejects with ERR_PATCH_NOT_FOUND, and with ERR_BUNDLE_INVALID for whatever is no plain, modest
 * archive of regular files: links, devices, folders, duplicates, bombs, damage.
 */
export async function readArchive(
  path: string,
  limits: ArchiveLimits,
  onEntry: (entry: ArchiveEntry) => Promise<void>,
): Promise<void> {
  const compressedBytes = await sizeOf(path);
  const parser = new Parser({ strict: true, maxMetaEntrySize: META_BYTES_MAX, brotli: false });
  const seen = new Set<string>();
  let worked = Promise.resolve();
  const failure = new AbortController();
  const fail = (error: unknown) => failure.abort(error);
  const ended = new Promise<void>((resolve) => parser.once('end', resolve));
  parser.on('error', fail);
  parser.on('ignoredEntry', (entry: ReadEntry) => fail(refusal(entry, path)));
  parser.on('entry', (entry: ReadEntry) => {
    if (entry.type !== 'File' && entry.type !== 'OldFile') return fail(refusal(entry, path));
    if (seen.has(entry.path)) return fail(invalid(path, 'each entry once', `received ${show(entry.path)} twice`));
    seen.add(entry.path);
    if (seen.size > limits.entriesMax)
      return fail(invalid(path, `${limits.entriesMax} entries at most`, 'it has more'));
    const content = entry as unknown as AsyncIterable<Buffer>;
    // An entry is announced as soon as the one before it was read, which may still be worked on.
    worked = worked
      .then(() => onEntry({ path: entry.path, sizeBytes: entry.size, content }))
      .then(() => void entry.resume());
    worked.catch(fail);
  });

  const { source, stream } = await decompressed(path);
  const feed = async () => {
    let readBytes = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (readBytes === 0 && isCompressed(chunk)) throw invalid(path, 'one compression', 'it is compressed twice');
      readBytes += chunk.length;
      assertModest(path, readBytes, compressedBytes, limits);
      if (!parser.write(chunk)) await new Promise<void>((resolve) => parser.once('drain', resolve));
    }
    parser.end();
    await ended;
    await worked;
  };
  try {
    await orAborted(feed(), failure.signal);
  } catch (error) {
    throw asInvalid(error, path);
  } finally {
    source.destroy();
    stream.destroy();
  }
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined)
    throw new StandstillError('ERR_PATCH_NOT_FOUND', `Expected a patch bundle at ${path} but there is no such file`);
  // A pipe or a device might never end.
  if (!found.isFile()) throw invalid(path, 'a regular file', 'it is none');
  return found.size;
}

function assertModest(path: string, readBytes: number, compressedBytes: number, limits: ArchiveLimits): void {
  if (readBytes > limits.bytesMax) throw invalid(path, `${formatBytes(limits.bytesMax)} at most`, 'it has more');
  if (readBytes <= RATIO_FREE_BYTES || readBytes <= compressedBytes * limits.ratioMax) return;
  throw invalid(
    path,
    `a compression of ${limits.ratioMax} to 1 at most`,
    `its ${formatBytes(compressedBytes)} hold more`,
  );
}

async function decompressed(path: string): Promise<{ source: Readable; stream: Readable }> {
  const head = Buffer.alloc(ZSTD_MAGIC.length);
  const file = await open(path);
  try {
    await file.read(head, 0, head.length, 0);
  } finally {
    await file.close();
  }
  const source = createReadStream(path);
  const decompressor = decompressorFor(head, path);
  if (decompressor === undefined) return { source, stream: source };
  source.on('error', (error) => decompressor.destroy(error));
  return { source, stream: source.pipe(decompressor) };
}

function decompressorFor(head: Buffer, path: string): Transform | undefined {
  if (startsWith(head, GZIP_MAGIC)) return zlib.createGunzip();
  if (!startsWith(head, ZSTD_MAGIC)) return undefined;
  const create: unknown = Reflect.get(zlib, 'createZstdDecompress');
  if (typeof create === 'function') return create();
  throw invalid(path, 'a tar or tar.gz file', `it is compressed by zstd, which Node ${process.version} does not read`);
}

const startsWith = (bytes: Buffer, magic: Buffer) => bytes.subarray(0, magic.length).equals(magic);
const isCompressed = (bytes: Buffer) => startsWith(bytes, GZIP_MAGIC) || startsWith(bytes, ZSTD_MAGIC);

const invalid = (path: string, expected: string, but: string) =>
  new StandstillError('ERR_BUNDLE_INVALID', `Expected ${expected} for ${path} but ${but}`);

const refusal = (entry: ReadEntry, path: string) =>
  invalid(path, 'an archive of regular files', `${show(entry.path)} is of type ${entry.type}`);

/** What the readers of an archive throw on damage, as one kind of error. Those of the operating system stay themselves. */
function asInvalid(error: unknown, path: string): unknown {
  if (error instanceof StandstillError) return error;
  const isSystem = error instanceof Error && 'syscall' in error;
  return isSystem ? error : invalid(path, 'a whole archive', `it is not: ${messageOf(error)}`);
}
