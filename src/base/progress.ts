/** How far a long operation is, in pages, chunks or runs: whatever it counts. `total` is 0 until it is known. */
export interface Progress {
  done: number;
  total: number;
}

/** What everything that may take longer than 100 ms accepts. */
export interface ProgressOptions {
  /** Ends the operation with ERR_ABORTED; everything is then as before. */
  signal?: AbortSignal | undefined;
  /** Called about ten times a second while the operation is under way, and once at its end. */
  onProgress?: ((progress: Progress) => void) | undefined;
}
