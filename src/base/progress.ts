import { z } from 'zod';

/** How far a long operation is, in pages, chunks or runs: whatever it counts. `total` is 0 until it is known. */
export interface Progress {
  done: number;
  total: number;
}

/** What everything that may take longer than 100 ms accepts. */
export interface ProgressOptions {
  /** Ends the operation with ERR_ABORTED; everything is then as before. */
  signal?: AbortSignal | undefined;
  /**
   * Called about ten times a second while the operation is under way, and once at its end. One of several stages counts
   * each of them from 0.
   */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** Both, as fields of a schema. */
export const progressFields = {
  signal: z.instanceof(AbortSignal, { error: 'an AbortSignal' }).optional(),
  onProgress: z.custom<(progress: Progress) => void>((value) => typeof value === 'function', 'a function').optional(),
};
