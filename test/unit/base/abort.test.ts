import { expect, it } from 'vitest';
import { onAbort, orAborted } from '../../../src/base/abort.js';

it('onAbort() acts at once on a signal that has aborted', () => {
  let calls = 0;
  onAbort(AbortSignal.abort(), () => {
    calls += 1;
  });
  expect(calls).toBe(1);
});

it('onAbort() no longer acts once its scope is left', () => {
  const controller = new AbortController();
  let calls = 0;
  {
    using _listener = onAbort(controller.signal, () => {
      calls += 1;
    });
  }
  controller.abort();
  expect(calls).toBe(0);
});

it('orAborted() rejects with the reason as soon as the signal aborts, and else follows the promise', async () => {
  const controller = new AbortController();
  const endless = orAborted(new Promise(() => {}), controller.signal);
  controller.abort('reason');
  await expect(endless).rejects.toBe('reason');
  await expect(orAborted(Promise.resolve(1), new AbortController().signal)).resolves.toBe(1);
  await expect(orAborted(Promise.reject(2), new AbortController().signal)).rejects.toBe(2);
});
