import type { ChangedBytes } from '../maintenance/proof.js';

const ROW_BYTES = 16;

const NOT_KEPT = "its bytes were not kept: proof 'full' or 'sampled' with keepBytes shows them";

/** The bytes around the first difference, as they were at the halt and at the release, a caret below each that differs. */
export function hexDump(bytes: ChangedBytes | null): string[] {
  if (bytes === null) return [NOT_KEPT];
  const [before, after] = [bytes.atHalt, bytes.atRelease].map((hex) => hex.match(/../g) ?? []);
  const rows: string[] = [];
  for (let at = 0; at < bytes.atHalt.length / 2; at += ROW_BYTES) {
    const halt = before?.slice(at, at + ROW_BYTES) ?? [];
    const release = after?.slice(at, at + ROW_BYTES) ?? [];
    const address = `0x${(bytes.gpa + at).toString(16).padStart(8, '0')}`;
    const isSame = halt.every((byte, index) => byte === release[index]);
    rows.push(`${address}  at halt     ${halt.join(' ')}`);
    if (isSame) continue;
    const indent = ' '.repeat(address.length);
    rows.push(`${indent}  at release  ${release.join(' ')}`);
    const carets = halt.map((byte, index) => (byte === release[index] ? '  ' : '^^')).join(' ');
    rows.push(`${indent}              ${carets}`.trimEnd());
  }
  return rows;
}
