import { setTimeout as sleep } from 'node:timers/promises';
import { definePatch } from '../../../maintenance/patch-module.js';

/** Holds the VMs for so long; it does not stop for a cancellation. */
export default definePatch(async ({ byMs }: { byMs: number }) => {
  await sleep(byMs);
  return { byMs };
});
