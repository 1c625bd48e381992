import type { FaultPlaybook } from './faults.js';
import type { GuestRequest, RenderedDocument } from './guest-view.js';
import type { MetadataTree } from './instance.js';
import type { EventApiVersion } from './versions.js';

/** One VM as its server sees it. */
export interface Guest {
  readonly instance: MetadataTree;
  readonly faults: FaultPlaybook;
  /** Notes a request for events; returns for how many milliseconds its reply waits for the service to be enabled. */
  asked(request: Omit<GuestRequest, 'atMs'>): number;
  document(version: EventApiVersion): RenderedDocument;
  /** False where the VM does not see one of them; none is acknowledged then. */
  acknowledge(ids: readonly string[]): boolean;
  /** Aborts when the service ends: no reply waits any longer. */
  readonly ending: AbortSignal;
}
