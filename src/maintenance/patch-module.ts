import type { MessagePort } from 'node:worker_threads';

/** What a patch may post on its port, as often as it likes. */
export interface PatchProgress {
  /** Share done, 0 to 1. */
  progress: number;
  /** What it is doing. */
  message?: string;
}

/** What a patch module is called with, in its worker thread. */
export interface PatchContext {
  /** Takes `PatchProgress` messages; anything else posted on it is ignored. */
  readonly port: MessagePort;
  /**
   * Aborts when the patch is to stop: the budget runs out, or the maintenance was aborted. After the grace (1 s unless
   * set otherwise, less where the budget is short) the worker thread is terminated.
   */
  readonly signal: AbortSignal;
  /** The host's folder, where its components lie. */
  readonly hostDirectory: string;
}

/**
 * The default export of a patch module. It runs in a worker thread of its maintenance, while the VMs are frozen, and has
 * done its work when it returns; what it throws is reported as ERR_PATCH_FAILED. Its result must be writable as JSON.
 * What it prints goes to standard error.
 */
export type PatchModule<Options = unknown, Result = unknown> = (
  options: Options,
  context: PatchContext,
) => Result | Promise<Result>;

/** Type-checks a patch: `export default definePatch(async (options: { file: string }, { signal }) => { … })`. */
export const definePatch = <Options, Result>(patch: PatchModule<Options, Result>): PatchModule<Options, Result> =>
  patch;
