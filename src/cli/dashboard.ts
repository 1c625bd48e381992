import { once } from 'node:events';
import { Option } from 'commander';
import { DashboardServer } from '../dashboard/dashboard-server.js';
import type { Fleet } from '../fleet/fleet.js';
import type { Host } from '../host/host.js';
import type { PatchSpec } from '../maintenance/patch-source.js';
import type { MetadataServer } from '../scheduled-events/metadata-server.js';

/** What commander makes of `--ui [address]`. */
export type UiFlag = string | true | undefined;

export const uiOption = (what: string): Option =>
  new Option('--ui [address]', `${what}; on loopback, with a token: STANDSTILL_TOKEN, or a random one`);

/** The dashboard that the flag asks for. It keeps what it shows open: close it first. */
export async function startDashboard(
  flag: UiFlag,
  shown: Host | Fleet,
  means: { readonly metadata?: MetadataServer | undefined; readonly patches: readonly PatchSpec[] },
): Promise<DashboardServer | undefined> {
  if (flag === undefined) return undefined;
  return await DashboardServer.start(shown, {
    ...means,
    listen: flag === true ? undefined : flag,
    token: process.env.STANDSTILL_TOKEN,
  });
}

/** Says where it is, by default on standard error: standard output is the report's. */
export function tellDashboard(
  dashboard: DashboardServer | undefined,
  say = (text: string): void => void process.stderr.write(`${text}\n`),
): void {
  if (dashboard !== undefined) say(`dashboard  ${dashboard.pageUrl}`);
}

/** A command that is done goes on for its dashboard until it is interrupted. */
export async function serveOn(dashboard: DashboardServer | undefined, signal: AbortSignal): Promise<void> {
  if (dashboard === undefined) return;
  process.stderr.write(`The VMs run on for the dashboard at ${dashboard.pageUrl}\nCtrl-C ends both.\n`);
  if (!signal.aborted) await once(signal, 'abort');
}
