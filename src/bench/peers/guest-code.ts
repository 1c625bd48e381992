/**
 * The guest of the emulators beside ours: 32-bit code of a few bytes, the same wherever it is loaded and without a stack.
 *
 * It increments one word in each page from 2 MiB to the end of its RAM, so that no page is zero, then says so in the page
 * below 2 MiB, and does the same again, for ever, with interrupts off and no device used.
 */
import { MIB, PAGE_BYTES } from '../../base/units.js';

const FILL_FROM = 2 * MIB;
/** The address of the word that is 1 once the guest has written all of its RAM. */
export const FILLED_AT = FILL_FROM - PAGE_BYTES;

export function guestCode(ramBytes: number): number[] {
  const walk = [
    ...[0xbf, ...word(FILL_FROM)], //        again: mov edi, FILL_FROM
    ...[0xff, 0x07], //                       next: inc dword [edi]
    ...[0x81, 0xc7, ...word(PAGE_BYTES)], //        add edi, PAGE_BYTES
    ...[0x81, 0xff, ...word(ramBytes)], //          cmp edi, ramBytes
    ...[0x72, 0xf0], //                             jb next
  ];
  const sayFilled = [0xc7, 0x05, ...word(FILLED_AT), ...word(1)]; // mov dword [FILLED_AT], 1
  const again = [0xeb, 0x100 - (walk.length + sayFilled.length + 2)]; // jmp again
  const cli = 0xfa;
  return [cli, ...walk, ...sayFilled, ...again];
}

/** A 32-bit word, little end first. */
export const word = (value: number): number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];
