import { formatNs } from '../../base/units.js';
import type { ProbeSummary } from '../../probe/summary.js';
import type { Observed } from './samples.js';

type Phase = 'total' | 'before' | 'during' | 'after';
type Seen = { readonly value: number; readonly observed: string; readonly detail: readonly string[] } | null;

const availability =
  (phase: Phase) =>
  ({ probes }: Observed, isMeant: (name: string) => boolean): Seen => {
    const meant = probes.filter(({ name }) => isMeant(name));
    const asked = meant.reduce((sum, probe) => sum + probe[phase].asked, 0);
    const ok = meant.reduce((sum, probe) => sum + probe[phase].ok, 0);
    if (asked === 0) return null;
    const percent = Math.floor((1000 * ok) / asked) / 10;
    return {
      value: ok / asked,
      observed: `${percent} %, ${ok} of ${asked} answers`,
      detail: meant.map((probe) => `${probe.name}: ${probe[phase].ok} of ${probe[phase].asked}`),
    };
  };

const outage = ({ probes }: Observed, isMeant: (name: string) => boolean): Seen => {
  const [longest] = probes
    .filter(
      (probe): probe is ProbeSummary & { longestOutageNs: number } =>
        isMeant(probe.name) && probe.longestOutageNs !== null,
    )
    .toSorted((a, b) => b.longestOutageNs - a.longestOutageNs);
  if (longest === undefined) return null;
  const observed = formatNs(longest.longestOutageNs);
  return { value: longest.longestOutageNs, observed, detail: [`the longest of '${longest.name}'`] };
};

/** The metrics of probes that are one value. */
export const SHARES = {
  outage,
  availability: availability('total'),
  'availability.before': availability('before'),
  'availability.during': availability('during'),
  'availability.after': availability('after'),
};
