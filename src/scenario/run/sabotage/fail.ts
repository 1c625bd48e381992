import { definePatch } from '../../../maintenance/patch-module.js';

/** Fails by itself, having done nothing. */
export default definePatch(() => {
  throw new Error('deliberate, by the fault patch-fail of the scenario');
});
