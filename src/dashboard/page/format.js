const NS_UNITS = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
];

export function formatNs(ns) {
  const [size, unit] = NS_UNITS.find(([least]) => Math.abs(ns) >= least) ?? [1, 'ns'];
  return `${Number((ns / size).toPrecision(3)).toLocaleString('en')} ${unit}`;
}

export function formatBytes(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** power).toPrecision(3)).toLocaleString('en')} ${units[power]}`;
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
export const formatCount = (count) => compact.format(count);

/** '4 s', '2 min 5 s', '15 min', '2 h'. */
export function formatSeconds(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole >= 7200) return `${Math.round(whole / 3600)} h`;
  return whole % 60 === 0 || whole >= 600
    ? `${Math.round(whole / 60)} min`
    : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

export const formatClock = (wallTimeMs) =>
  new Date(wallTimeMs).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** 'a', 'a and b', 'a, b and 3 more'. */
export function formatNames(names, most = 3) {
  if (names.length <= 1) return names[0] ?? 'none';
  if (names.length <= most) return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  return `${names.slice(0, most - 1).join(', ')} and ${names.length - most + 1} more`;
}
