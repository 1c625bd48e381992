import { describe, expect, it } from 'vitest';
import { compareDigests, digestOptions, hex64 } from '../../../src/maintenance/proof.js';
import type { MemoryDigest } from '../../../src/vm/vm.js';

const digest = (value: bigint, pages: bigint[]): MemoryDigest => ({
  value,
  bytesRead: pages.length * 4096,
  pageCrcs: BigUint64Array.from(pages),
  elapsedNs: 1,
});

describe('compareDigests', () => {
  it('equal: preserved, with what was read', () => {
    expect(compareDigests(digest(1n, [5n, 6n]), digest(1n, [5n, 6n]))).toEqual({
      memory: 'preserved',
      digestBefore: '0000000000000001',
      digestAfter: '0000000000000001',
      bytesRead: 8192,
      bytesReadInFreeze: 16_384,
      changedPages: null,
      difference: null,
      unprovenReason: null,
    });
  });

  it('different: changed, with the first page and how many', () => {
    expect(compareDigests(digest(1n, [5n, 6n, 7n, 8n]), digest(2n, [5n, 9n, 7n, 9n]))).toMatchObject({
      memory: 'changed',
      changedPages: { count: 2, firstPage: 1, firstGpa: 4096, bytes: null },
    });
  });

  it('is not fooled by page changes that the whole digest missed', () => {
    expect(compareDigests(digest(1n, [5n]), digest(1n, [6n])).memory).toBe('changed');
  });

  it.each([
    [undefined, undefined],
    [digest(1n, [1n]), undefined],
    [undefined, digest(1n, [1n])],
  ])('one missing: unproven', (before, after) => {
    expect(compareDigests(before, after)).toMatchObject({ memory: 'unproven', changedPages: null });
  });
});

it('a full digest reads all; a sampled one the same share for the same seed', () => {
  const plan = { sampleShare: 0.1, seed: 7, keepBytes: false };
  expect(digestOptions({ ...plan, proof: 'full' })).toEqual({});
  expect(digestOptions({ ...plan, proof: 'sampled' })).toEqual({ share: 0.1, seed: 7n });
});

it('writes 64 bits as 16 digits', () => {
  expect(hex64(0xae8b14860a799888n)).toBe('ae8b14860a799888');
});
