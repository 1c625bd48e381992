import type { GateReport, MetricVerdict, Verdict } from '../verdict.js';
import { bySeverity, VERDICT_TITLES } from './markdown.js';

const LEVELS: Readonly<Record<Verdict, string | undefined>> = {
  regression: 'error',
  undecided: 'warning',
  improvement: 'notice',
  pass: undefined,
};
/** GitHub shows ten annotations of a level for each step. */
const SHOWN_MAX = 10;

/** GitHub's workflow commands: an error for each regression, a warning for each open metric and each warning. */
export function renderAnnotations({ metrics, warnings }: GateReport): string {
  const lines = bySeverity(metrics).flatMap(annotationOf);
  const perLevel = Object.values(LEVELS).flatMap((level) =>
    lines.filter((line) => level !== undefined && line.startsWith(`::${level} `)).slice(0, SHOWN_MAX),
  );
  const ofWarnings = warnings.slice(0, SHOWN_MAX).map((text) => `::warning title=Performance gate::${data(text)}`);
  return [...perLevel, ...ofWarnings].map((line) => `${line}\n`).join('');
}

function annotationOf({ name, verdict, reason, settledBy }: MetricVerdict): string[] {
  const level = LEVELS[verdict];
  if (level === undefined) return [];
  const text = settledBy === null ? reason : `${reason}; would settle it: ${settledBy}`;
  return [`::${level} title=${property(`${VERDICT_TITLES[verdict]} of ${name}`)}::${data(text)}`];
}

// The runner reads % as an escape, line ends as the end of the command, and in a property ':' and ',' as separators.
const data = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
