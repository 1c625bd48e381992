import { unexpected } from './errors.js';

export const KIB = 1024;
export const MIB = 1024 ** 2;
export const GIB = 1024 ** 3;
/** A page of guest RAM. */
export const PAGE_BYTES = 4096;
export const NS_PER_MS = 1_000_000;
export const NS_PER_S = 1_000_000_000;

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kib: KIB,
  mib: MIB,
  gib: GIB,
  tib: 1024 ** 4,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
};
const DURATION_UNITS_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: NS_PER_MS,
  s: NS_PER_S,
  m: 60 * NS_PER_S,
  min: 60 * NS_PER_S,
  h: 3600 * NS_PER_S,
};

const EXPECTED_BYTES = "a whole number of bytes or text such as '256 MiB'";
const EXPECTED_DURATION = "text such as '30s', '200ms' or '1.5min'";

/**
 * Bytes from a number of bytes or from text such as '256 MiB', '64kib' or '1 GB' (binary and decimal units, in any
 * case). Throws ERR_INVALID_OPTION, naming `what`, where it is neither or not a whole, safe number of bytes.
 */
export function parseBytes(value: unknown, what: string): number {
  const bytes = typeof value === 'string' ? scaled(value, BYTE_UNITS) : value;
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes)) {
    throw unexpected('ERR_INVALID_OPTION', EXPECTED_BYTES, what, value);
  }
  return bytes;
}

/** Nanoseconds from text such as '30s', '200ms', '1.5min'. Throws ERR_INVALID_OPTION, naming `what`. */
export function parseDurationNs(text: string, what: string): number {
  const durationNs = scaled(text, DURATION_UNITS_NS);
  if (durationNs === undefined || !(durationNs >= 0)) {
    throw unexpected('ERR_INVALID_OPTION', EXPECTED_DURATION, what, text);
  }
  return durationNs;
}

function scaled(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))\s*([a-zµ]*)$/i.exec(text.trim());
  const unit = units[match?.[2]?.toLowerCase() ?? 'none'];
  return unit === undefined ? undefined : Number(match?.[1]) * unit;
}

/** '64 MiB', '1.5 GiB', '512 B'. */
export function formatBytes(bytes: number): string {
  const unit = (
    [
      ['GiB', GIB],
      ['MiB', MIB],
      ['KiB', KIB],
    ] as const
  ).find(([, size]) => bytes >= size);
  return unit === undefined ? `${bytes} B` : `${trimmed(bytes / unit[1])} ${unit[0]}`;
}

/** Three significant figures in the unit that fits: '850 ns', '12.3 µs', '204 ms', '1.50 s'. */
export function formatNs(durationNs: number): string {
  const magnitude = Math.abs(durationNs);
  if (magnitude < 999.5) return `${Math.round(durationNs)} ns`;
  if (magnitude < 999.5e3) return `${significant(durationNs / 1e3)} µs`;
  if (magnitude < 999.5e6) return `${significant(durationNs / 1e6)} ms`;
  return `${significant(durationNs / 1e9)} s`;
}

/** '1 page', '3 pages': of a noun that takes an s. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

const trimmed = (value: number) => String(Math.round(value * 100) / 100);

function significant(value: number): string {
  const magnitude = Math.abs(value);
  return value.toFixed(magnitude >= 99.95 ? 0 : magnitude >= 9.995 ? 1 : 2);
}
