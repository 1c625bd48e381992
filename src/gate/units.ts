import { formatBytes, formatNs, NS_PER_MS, NS_PER_S } from '../base/units.js';
import type { Direction } from './metric.js';

/** Units that are multiples of another: all times become ns, all sizes bytes. */
const SCALES: Readonly<Record<string, readonly [string, number]>> = {
  ns: ['ns', 1],
  us: ['ns', 1e3],
  µs: ['ns', 1e3],
  μs: ['ns', 1e3],
  ms: ['ns', NS_PER_MS],
  s: ['ns', NS_PER_S],
  sec: ['ns', NS_PER_S],
  seconds: ['ns', NS_PER_S],
  min: ['ns', 60 * NS_PER_S],
  h: ['ns', 3600 * NS_PER_S],
  b: ['bytes', 1],
  byte: ['bytes', 1],
  bytes: ['bytes', 1],
  kib: ['bytes', 2 ** 10],
  mib: ['bytes', 2 ** 20],
  gib: ['bytes', 2 ** 30],
  kb: ['bytes', 1e3],
  mb: ['bytes', 1e6],
  gb: ['bytes', 1e9],
  'b/s': ['GB/s', 1e-9],
  'mb/s': ['GB/s', 1e-3],
  'gb/s': ['GB/s', 1],
  '%': ['percent', 1],
  percent: ['percent', 1],
  'ops/sec': ['ops/s', 1],
  'ops/s': ['ops/s', 1],
};

/** The unit in which the gate compares, and what a value is multiplied by to be in it. A unit it does not know stays. */
export function normaliseUnit(unit: string): { unit: string; scale: number } {
  const [known, scale] = SCALES[unit.trim().toLowerCase()] ?? [unit.trim(), 1];
  return { unit: known, scale };
}

/** A rate (ops/s, iter/sec, GB/s) is the better the higher it is; everything else the lower. */
export const directionOfUnit = (unit: string): Direction =>
  /(\/|\bper )\s*(s|sec|second)$/i.test(unit.trim()) ? 'higher' : 'lower';

export function formatValue(value: number, unit: string): string {
  if (unit === 'ns') return formatNs(value);
  if (unit === 'bytes') return formatBytes(Math.round(value));
  const digits = Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value) : value.toPrecision(4);
  return unit === '' ? digits : `${digits} ${unit === 'percent' ? '%' : unit}`;
}

/** '+7.9 %', '-0.3 %'. */
export const formatShare = (share: number): string =>
  Number.isFinite(share) ? `${share >= 0 ? '+' : ''}${(share * 100).toFixed(1)} %` : `${share > 0 ? '+' : '-'}∞`;
