import type { Disturbances } from '../disturbances.js';
import type { ParsedTarget } from '../options.js';
import { type Asker, asker } from './ask.js';
import { checkAsker } from './check.js';
import { commandAsker } from './command.js';
import { httpAsker } from './http.js';
import { moduleAsker } from './module.js';
import { tcpAsker } from './tcp.js';

/** Rejects with ERR_PROBE_INVALID for a module that cannot be used, and with the reason of `cut`. */
export async function openTarget(
  target: ParsedTarget,
  { disturbances, cut }: { readonly disturbances: Disturbances; readonly cut: AbortSignal },
): Promise<Asker> {
  if ('http' in target) return httpAsker(target);
  if ('tcp' in target) return tcpAsker(target);
  if ('command' in target) return commandAsker(target);
  if ('module' in target) return await moduleAsker(target, cut);
  if ('check' in target) return checkAsker(target.check, disturbances);
  return asker(async (signal) => await target.call({ vms: [], signal }));
}
