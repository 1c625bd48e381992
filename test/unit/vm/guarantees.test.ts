import { assertGuaranteed, type ClockGuarantee, EMULATED_CLOCKS, PROCESS_CLOCKS } from 'standstill';
import { expect, it } from 'vitest';

const ALL: readonly ClockGuarantee[] = [
  'monotonic-stands-still',
  'wall-lags-until-synchronised',
  'timers-do-not-expire',
];

it.each(ALL)('%s holds for an emulated guest; for a process it refuses to be asked', (guarantee) => {
  expect(() => assertGuaranteed(EMULATED_CLOCKS, guarantee, 'vm')).not.toThrow();
  expect(() => assertGuaranteed(PROCESS_CLOCKS, guarantee, 'redis')).toThrow(
    expect.objectContaining({
      code: 'ERR_NOT_SUPPORTED',
      message: expect.stringMatching(
        `^Expected a guest with the guarantee '${guarantee}' but VM 'redis' is without it: `,
      ),
    }),
  );
});

it('each is either held or not, by each kind', () => {
  for (const { holds, doesNotHold } of [EMULATED_CLOCKS, PROCESS_CLOCKS]) {
    expect([...holds, ...doesNotHold].toSorted()).toEqual(ALL.toSorted());
  }
});
