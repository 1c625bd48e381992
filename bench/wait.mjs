// Passing time between two samples.
import { setTimeout as sleep } from 'node:timers/promises';

/** Lets the guest run for 20 to 70 µs, at random, on a CPU of its own: samples must not fall into step with it. */
export function busyGap() {
  const until = performance.now() + 0.02 + Math.random() * 0.05;
  while (performance.now() < until);
}

export function busyWaitUs(us) {
  const until = performance.now() + us / 1000;
  while (performance.now() < until);
}

export { sleep };
