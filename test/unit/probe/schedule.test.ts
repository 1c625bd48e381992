import { expect, it } from 'vitest';
import { monotonicNs } from '../../../src/base/clock.js';
import { atFixedRate } from '../../../src/probe/schedule.js';

const MS = 1_000_000n;

it('a stall of this process hides no ask: each is made up for, as of when it was due', async () => {
  const due: bigint[] = [];
  const lateNs: number[] = [];
  using schedule = atFixedRate(10, (dueAtNs, late) => {
    due.push(dueAtNs);
    lateNs.push(late);
  });
  const fromNs = monotonicNs();
  while (monotonicNs() - fromNs < 300n * MS);
  const toNs = monotonicNs();
  await expect.poll(() => due.length).toBeGreaterThan(30);
  schedule[Symbol.dispose]();
  const missed = due.filter((at) => at > fromNs && at < toNs - 3n * MS);
  expect(missed.length).toBeGreaterThanOrEqual(29);
  for (const [index, at] of missed.entries()) if (index > 0) expect(at - (missed[index - 1] ?? 0n)).toBe(10n * MS);
  expect(Math.max(...lateNs)).toBeGreaterThan(280e6);
});

it('asks no more once it is over, not even in the midst of making up', () => {
  let asked = 0;
  const schedule = atFixedRate(1, () => {
    asked += 1;
  });
  expect(asked).toBe(1);
  schedule[Symbol.dispose]();
  expect(asked).toBe(1);
});
