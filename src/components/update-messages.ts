import type { MessagePort } from 'node:worker_threads';
import type { PlannedBundle } from './update.js';

interface OfUpdate {
  /** The store's folder, and the update's name in its journal. */
  readonly root: string;
  readonly update: string;
  readonly port: MessagePort;
}

/** What the host asks of its update worker. `generation`: the token of the freeze; null where VMs run. */
export type UpdateRequest = OfUpdate &
  (
    | { readonly kind: 'open' }
    | { readonly kind: 'stage'; readonly bundles: readonly PlannedBundle[]; readonly trustedKeys: readonly string[] }
    | { readonly kind: 'switch'; readonly component: string; readonly generation: number | null }
    | { readonly kind: 'check' }
    | { readonly kind: 'commit'; readonly generation: number | null }
    | { readonly kind: 'roll-back'; readonly reason: string }
  );
