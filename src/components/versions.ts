import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assertDigest, sha256Of } from './bundle.js';
import { makeDurableSync, prepareLink, switchLink } from './durable.js';
import { writeAll } from './journal.js';
import { layout, versionFolder } from './layout.js';
import type { BundleFile } from './manifest.js';

/** What lies in a version's folder, beside its files. */
export interface VersionRecord {
  readonly schemaVersion: 1;
  readonly version: string;
  readonly files: readonly BundleFile[];
}

interface NewVersion {
  readonly version: string;
  readonly files: readonly BundleFile[];
  /** The folder with the files. */
  readonly source: string;
}

/** Copies a version into a component's folder and makes it the current one. */
export async function placeVersion(
  root: string,
  component: string,
  { version, files, source }: NewVersion,
): Promise<void> {
  const folder = versionFolder(version, files);
  const target = join(layout.component(root, component), folder);
  for (const file of files) {
    const from = await open(join(source, file.path));
    await writeDurably(join(layout.files(target), file.path), file, from.createReadStream());
  }
  writeVersion(target, version, files);
  makeTreeDurable(target);
  const next = layout.nextLink(root, component);
  prepareLink(folder, next);
  switchLink(next, layout.current(root, component));
}

export const readVersion = (folder: string): VersionRecord =>
  JSON.parse(readFileSync(layout.versionRecord(folder), 'utf8'));

export const writeVersion = (folder: string, version: string, files: readonly BundleFile[]): void =>
  writeJson(layout.versionRecord(folder), { schemaVersion: 1, version, files } satisfies VersionRecord);

/** Reads every byte. Rejects with ERR_BUNDLE_DIGEST. */
export async function verifyFiles(folder: string, files: readonly BundleFile[], what: string): Promise<void> {
  for (const file of files) assertDigest(file, await sha256Of(join(folder, file.path)), what);
}

/** A new file with that content, its folders made, flushed. */
export async function writeDurably(
  path: string,
  { executable }: Pick<BundleFile, 'executable'>,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(path, 'wx', executable ? 0o755 : 0o644);
  try {
    for await (const chunk of content) writeAll(fd, chunk);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

export function writeJson(path: string, value: unknown): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`, { flush: true });
}

/** Flushes the names in a folder and in all folders below. */
export function makeTreeDurable(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) makeTreeDurable(join(folder, entry.name));
  }
  makeDurableSync(folder);
}

/** Removes the versions that are neither current nor previous. */
export function removeOthers(root: string, component: string, kept: ReadonlySet<string>): void {
  const folder = layout.versions(root, component);
  for (const name of readdirSync(folder)) {
    if (!kept.has(join('versions', name))) rmSync(join(folder, name), { recursive: true, force: true });
  }
}
