import { definePatch } from '../../../maintenance/patch-module.js';

/** Never ends, and listens to nobody: what cancels it has to terminate it. */
export default definePatch(
  () =>
    new Promise(() => {
      setInterval(() => {}, 1000);
    }),
);
