import type { ErrorCode } from './error-codes.js';

/** What a worker answers. `resultJson` is absent where there is nothing to say; `endedAtNs` is on CLOCK_MONOTONIC. */
export type TaskResponse =
  | { readonly ok: true; readonly resultJson: string | undefined; readonly endedAtNs: bigint }
  | {
      readonly ok: false;
      readonly error: 'invalid' | 'failed';
      /** Where the worker knows better than 'invalid' or 'failed'. */
      readonly code?: ErrorCode | undefined;
      readonly message: string;
    };
