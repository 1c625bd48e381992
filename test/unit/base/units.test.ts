import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { counted, formatBytes, formatNs, parseBytes, parseDurationNs } from '../../../src/base/units.js';

describe('parseBytes', () => {
  it.each([
    [4096, 4096],
    ['4096', 4096],
    ['256 MiB', 256 * 1024 ** 2],
    ['64mib', 64 * 1024 ** 2],
    [' 1.5 GiB ', 1.5 * 1024 ** 3],
    ['1 GB', 1e9],
    ['0', 0],
    ['-1 MiB', -(1024 ** 2)],
  ])('%o is %d bytes', (value, bytes) => {
    expect(parseBytes(value, 'size')).toBe(bytes);
  });

  it.each(['', 'MiB', '1 2', '64 XiB', '64M', '0x10', '1e3', '0.3 B', '1,5 MiB', 'NaN', 'Infinity'])(
    '%o is none',
    (text) => {
      expect(() => parseBytes(text, "'memory'")).toThrow(/Expected .* for 'memory' but received/);
    },
  );

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 1.5, 2 ** 60, null, {}, true])('%o is none', (value) => {
    expect(() => parseBytes(value, 'size')).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
  });

  it('reads back what formatBytes writes of whole units', () => {
    const unit = fc.constantFrom(1, 1024, 1024 ** 2, 1024 ** 3);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1023 }), unit, (count, size) => {
        expect(parseBytes(formatBytes(count * size), 'size')).toBe(count * size);
      }),
    );
  });
});

describe('parseDurationNs', () => {
  it.each([
    ['30s', 30e9],
    ['200ms', 200e6],
    ['1.5min', 90e9],
    ['2 h', 7200e9],
    ['50us', 50e3],
    ['50µs', 50e3],
    ['7ns', 7],
    ['0s', 0],
  ])('%o is %d ns', (text, durationNs) => {
    expect(parseDurationNs(text, '--budget')).toBe(durationNs);
  });

  it.each(['', '30', '-1s', 's', '1 fortnight', 'NaNs'])('%o is none', (text) => {
    expect(() => parseDurationNs(text, '--budget')).toThrow(/for --budget but received/);
  });
});

describe('formatNs', () => {
  it.each([
    [0, '0 ns'],
    [-4, '-4 ns'],
    [999, '999 ns'],
    [999.6, '1.00 µs'],
    [1234, '1.23 µs'],
    [12_345, '12.3 µs'],
    [999_999, '1.00 ms'],
    [204_400_000, '204 ms'],
    [30e9, '30.0 s'],
    [1.5e12, '1500 s'],
  ])('%d reads %s', (durationNs, text) => {
    expect(formatNs(durationNs)).toBe(text);
  });
});

it.each([
  [0, '0 pages'],
  [1, '1 page'],
  [2, '2 pages'],
])('%d counted reads %s', (count, text) => {
  expect(counted(count, 'page')).toBe(text);
});
