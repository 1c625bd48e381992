import { createPublicKey } from 'node:crypto';
import { monotonicNs } from '../base/clock.js';
import { isStandstillError, messageOf, StandstillError } from '../base/errors.js';
import type { TaskResponse } from '../base/task-response.js';
import { addon } from '../native/addon.js';
import { storeIo } from './durable.js';
import { Update } from './update.js';
import type { UpdateRequest } from './update-messages.js';

/** The update under way, so that nothing is read inside of a freeze. */
let current: { readonly id: string; readonly update: Update } | undefined;

/** Runs in the worker thread, called by piscina. What the store refuses is an answer; a rejection means a lost worker. */
export default async function handle(request: UpdateRequest): Promise<TaskResponse> {
  try {
    await storeIo(request.root, () => perform(request));
    return { ok: true, resultJson: undefined, endedAtNs: monotonicNs() };
  } catch (error) {
    const code = isStandstillError(error) ? error.code : undefined;
    return { ok: false, error: 'failed', code, message: messageOf(error) };
  } finally {
    request.port.close();
  }
}

async function perform(request: UpdateRequest): Promise<void> {
  switch (request.kind) {
    case 'open':
      return;
    case 'stage':
      return await stage(request);
    case 'switch':
      return switchInFreeze(updateOf(request), request.component, request.generation);
    case 'check':
      return await updateOf(request).checkHealth();
    case 'commit':
      return commit(updateOf(request), request.generation);
    case 'roll-back':
      return updateOf(request).rollBack(request.reason);
  }
}

async function stage({
  root,
  update: id,
  bundles,
  trustedKeys,
  port,
}: Extract<UpdateRequest, { kind: 'stage' }>): Promise<void> {
  const trusted = trustedKeys.map((pem) => createPublicKey(pem));
  const update = Update.begin(root, id, bundles);
  current = { id, update };
  for (const [index, bundle] of bundles.entries()) {
    await update.stage(bundle, trusted);
    await update.verify(bundle);
    port.postMessage({ progress: (index + 1) / bundles.length, message: bundle.manifest.id });
  }
  update.prepare();
}

/**
 * The switch of a patch that pauses counts only where its freeze was held before and after it: no guest has run by then.
 * It cannot be kept from being late, since VMs are never made to wait; it is taken back.
 */
function switchInFreeze(update: Update, component: string, generation: number | null): void {
  assertFence(generation, ['held']);
  update.switch(component, generation);
  assertFence(generation, ['held']);
}

function commit(update: Update, generation: number | null): void {
  assertFence(generation, ['held', 'released']);
  update.commit();
}

function assertFence(generation: number | null, allowed: readonly string[]): void {
  if (generation === null) return;
  const state = addon.freezeState(generation);
  if (allowed.includes(state)) return;
  const message = `Expected freeze ${generation} to be ${allowed.join(' or ')} but it is ${state}`;
  throw new StandstillError('ERR_PATCH_BUDGET', message);
}

function updateOf({ root, update: id }: UpdateRequest): Update {
  if (current?.id !== id) current = { id, update: Update.resume(root, id) };
  return current.update;
}
