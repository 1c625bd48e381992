/**
 * The addon's type contract for snapshot files. What fails rejects with ERR_SNAPSHOT_IO, or with ERR_SNAPSHOT_DAMAGED,
 * whose cause is a `NativeFileDamage`.
 */

import type { NativePageStore, NativeProgress, NativeSnapshot, NativeSnapshotState } from './contract.js';

export interface NativeFileDamage {
  what: string;
  /** In the file, in bytes. */
  offset: number;
}

export interface NativeSnapshotFileInfo {
  state: NativeSnapshotState;
  formatVersion: number;
  /** 32 bytes each; zeroes where there is no base. */
  id: Uint8Array;
  baseId: Uint8Array;
  compressed: boolean;
  differential: boolean;
  fileBytes: number;
  /** A chunk stands for 64 pages. */
  chunkCount: number;
}

/** A file whose header, tables and length are as they were written. */
export interface NativeSnapshotFile {
  info(): NativeSnapshotFileInfo;
  /** Its RAM lies so that it can be mapped: for mapSnapshotFile. */
  mappable(): boolean;
  /** As `NativeSnapshot.stateBytes`. */
  stateBytes(): Uint8Array;
  /** A copy; one for each page of RAM. */
  pageCrcs(): BigUint64Array;
  /** A copy; one bit for each page of RAM, set where its bytes are in the file: a word for each chunk. */
  present(): BigUint64Array;
  digest(): Promise<bigint>;
  chunkOffset(chunk: number): number;
  /** As it is stored, its CRC checked. */
  readChunk(chunk: number): Promise<Uint8Array>;
  /** Reads every byte; rejects with the first damage. */
  verify(progress: NativeProgress): Promise<void>;
}

/** One call at a time. */
export interface NativeSnapshotLoader {
  /** All chunks of a file that is not compressed. */
  readChunks(progress: NativeProgress): Promise<void>;
  /** One of a compressed file: its present pages. */
  putChunk(chunk: number, pages: Uint8Array): Promise<void>;
  finish(): Promise<NativeSnapshot>;
}

export interface NativeSaveOptions {
  compressed: boolean;
  id: Uint8Array;
  /** With a base, only the pages that differ from it are written. */
  base: NativeSnapshot | null;
  baseId: Uint8Array | null;
}

/** One call at a time, but for chunkPages. */
export interface NativeSnapshotWriter {
  chunkCount(): number;
  /** All chunks of a file that is not compressed. */
  writeChunks(progress: NativeProgress): Promise<void>;
  /** What to compress of a chunk; nothing: skip it. */
  chunkPages(chunk: number): Promise<Uint8Array>;
  /** The result, in ascending order. */
  putChunk(chunk: number, stored: Uint8Array): Promise<void>;
  /** Flushes the file and gives it its name. */
  commit(): Promise<void>;
  /** Once, and nothing after it: removes what was not committed. */
  close(): Promise<void>;
}

export interface NativeSnapshotFiles {
  openSnapshotFile(path: string): Promise<NativeSnapshotFile>;
  /** A snapshot whose pages stay in the file, which must be mappable: none is read. */
  mapSnapshotFile(file: NativeSnapshotFile, store: NativePageStore): Promise<NativeSnapshot>;
  /** ERR_SNAPSHOT_LIMIT; ERR_SNAPSHOT_MISMATCH where the base is not the file's, or not in this store. */
  createSnapshotLoader(
    file: NativeSnapshotFile,
    store: NativePageStore,
    base: NativeSnapshot | null,
  ): Promise<NativeSnapshotLoader>;
  /** Under a temporary name beside the path. ERR_SNAPSHOT_MISMATCH: the base is of another RAM size. */
  createSnapshotWriter(
    path: string,
    snapshot: NativeSnapshot,
    options: NativeSaveOptions,
    progress: NativeProgress,
  ): Promise<NativeSnapshotWriter>;
  /** The prefix, then the RAM, flat and sparse. */
  exportFlat(path: string, snapshot: NativeSnapshot, prefix: Uint8Array, progress: NativeProgress): Promise<void>;
}
