import type { MessagePort } from 'node:worker_threads';
import type { PatchProgress } from './patch-module.js';

/** What the host asks of its patch worker. */
export type PatchRequest =
  | { readonly kind: 'load'; readonly url: string }
  | {
      readonly kind: 'run';
      readonly url: string;
      readonly options: unknown;
      readonly hostDirectory: string;
      /** Both directions: `CANCEL` to the worker, progress from it. */
      readonly port: MessagePort;
    };

export const CANCEL = 'standstill.cancel';

/** The progress in a message from a patch, which may have posted anything. */
export function progressOf(message: unknown): PatchProgress | undefined {
  if (typeof message !== 'object' || message === null || !('progress' in message)) return undefined;
  const { progress } = message;
  if (typeof progress !== 'number' || !(progress >= 0 && progress <= 1)) return undefined;
  const text = 'message' in message && typeof message.message === 'string' ? message.message : undefined;
  return text === undefined ? { progress } : { progress, message: text };
}
