import { z } from 'zod';
import { parseOptions } from '../base/options.js';
import { type PatchSpec, patchSchema } from '../maintenance/patch-source.js';
import { MetadataServer } from '../scheduled-events/metadata-server.js';
import type { TokenEndpointOptions } from '../scheduled-events/token-endpoint.js';

const dashboardSchema = z.strictObject({
  listen: z.string("an address such as '127.0.0.1:4400'").optional(),
  token: z.string('text').optional(),
  metadata: z.instanceof(MetadataServer, { error: 'a MetadataServer' }).optional(),
  patches: z.array(patchSchema, 'an array of patches').default([]),
});

/** Where a dashboard listens, what it asks for, and what it may do. */
export interface DashboardOptions extends TokenEndpointOptions {
  /** Whose events the page shows with their notice, and can raise, acknowledge and cancel. Default: none. */
  metadata?: MetadataServer | undefined;
  /** What a maintenance or a rollout from the page may apply. Default: none; a maintenance then freezes and proves only. */
  patches?: readonly PatchSpec[] | undefined;
}

/** Throws ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION. */
export const parseDashboardOptions = (options: DashboardOptions): z.output<typeof dashboardSchema> =>
  parseOptions(dashboardSchema, options, 'a dashboard');
