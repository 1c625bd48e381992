import { totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { nativeVmConfig, type VmOptions } from '../../../src/vm/options.js';

const config = (options: VmOptions) => nativeVmConfig(options, (program) => `${program}-1`);
const MIB = 1024 ** 2;

it('applies every default', () => {
  expect(config({ program: 'kv-store' })).toEqual({
    name: 'kv-store-1',
    ramBytes: 64 * MIB,
    program: 'kv-store',
    params: {},
    seed: 0n,
    dutyCycle: 1,
    prefault: false,
    clockSync: { mode: 'step', delayNs: 0, slewPpm: 500 },
    pageStore: null,
  });
});

it('interprets sizes, seeds and parameters', () => {
  const params = { pattern: 'zipfian', workingSet: '2 MiB', writeFraction: 0.5 };
  expect(config({ name: 'a', program: 'page-writer', memory: '4 MiB', seed: 7, params })).toMatchObject({
    name: 'a',
    ramBytes: 4 * MIB,
    seed: 7n,
    params: { pattern: 1, workingSet: 2 * MIB, writeFraction: 0.5 },
  });
  expect(config({ program: 'queue', seed: 2n ** 64n - 1n }).seed).toBe(2n ** 64n - 1n);
});

describe('memory', () => {
  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 4096, 1.5 * MIB + 1, '1 MiBs', '', '0', '-64 MiB', '65 GiB'])(
    '%o is refused',
    (memory) => {
      expect(() => config({ program: 'queue', memory })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining('memory') }),
      );
    },
  );

  it('larger than the machine is refused', () => {
    const memory = Math.min(64 * 1024 ** 3, Math.ceil((totalmem() + 1) / MIB) * MIB);
    expect(() => config({ program: 'queue', memory })).toThrow(/at most this machine's .* for 'memory' of a VM/);
  });
});

describe('every other bad value is refused with its code', () => {
  it.each([
    [{ program: 'kv-stor' }, 'ERR_UNKNOWN_PROGRAM', /did you mean 'kv-store'/],
    [{ program: 5 }, 'ERR_INVALID_OPTION', /the name of a guest program for 'program'/],
    [{}, 'ERR_INVALID_OPTION', /received nothing/],
    [{ program: 'queue', ram: 1 }, 'ERR_UNKNOWN_OPTION', /Unknown option 'ram'/],
    [{ program: 'queue', memori: 1 }, 'ERR_UNKNOWN_OPTION', /did you mean 'memory'/],
    [{ program: 'queue', seed: -1 }, 'ERR_INVALID_OPTION', /'seed'/],
    [{ program: 'queue', seed: 2n ** 64n }, 'ERR_INVALID_OPTION', /'seed'/],
    [{ program: 'queue', dutyCycle: 0 }, 'ERR_INVALID_OPTION', /above 0, up to 1 for 'dutyCycle'/],
    [{ program: 'queue', dutyCycle: 1.1 }, 'ERR_INVALID_OPTION', /'dutyCycle'/],
    [{ program: 'queue', name: '' }, 'ERR_INVALID_OPTION', /'name'/],
    [{ program: 'queue', params: { depthMx: 1 } }, 'ERR_UNKNOWN_PARAMETER', /did you mean 'depthMax'/],
    [{ program: 'queue', params: { depthMax: 0 } }, 'ERR_INVALID_OPTION', /a whole number from 1 to/],
    [{ program: 'queue', params: { depthMax: 1.5 } }, 'ERR_INVALID_OPTION', /a whole number/],
    [{ program: 'queue', params: { depthMax: 'x' } }, 'ERR_INVALID_OPTION', /received 'x'/],
    [{ program: 'page-writer', params: { pattern: 'spiral' } }, 'ERR_INVALID_OPTION', /one of uniform, zipfian/],
    [{ program: 'page-writer', params: { workingSet: 'x' } }, 'ERR_INVALID_OPTION', /workingSet/],
  ])('%o', (options, code, message) => {
    const attempt = () => config(options as unknown as VmOptions);
    expect(attempt).toThrow(expect.objectContaining({ code }));
    expect(attempt).toThrow(message);
  });
});
