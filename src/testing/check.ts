import { StandstillError } from '../base/errors.js';
import { formatNs } from '../base/units.js';
import type { Phases } from '../maintenance/phases.js';
import type { Standstill } from './evidence.js';

/** 'undecided': what was given proves neither that it holds nor that it does not; so it passes in neither sense. */
export type Outcome = 'holds' | 'fails' | 'undecided';

/** What an assertion found, for a runner to tell. */
export interface Check {
  readonly outcome: Outcome;
  /** The phrase after "Expected", and that of the assertion's contrary. */
  readonly expected: string;
  readonly contrary: string;
  /** The phrase after "but". */
  readonly observed: string;
  /** The particulars, below. */
  readonly lines: readonly string[];
}

export function messageOfCheck(check: Check, isContrary = false): string {
  const head = `Expected ${isContrary ? check.contrary : check.expected} but ${check.observed}`;
  return check.lines.length === 0 ? head : `${head}\n\n${check.lines.join('\n')}`;
}

/** Throws ERR_ASSERTION unless it holds. */
export function assertHolds(check: Check): void {
  if (check.outcome !== 'holds') throw new StandstillError('ERR_ASSERTION', messageOfCheck(check));
}

/** The VMs that stood still. Without one there is nothing to assert: ERR_INVALID_OPTION. */
export function impacted(standstills: readonly Standstill[], assertion: string): Standstill[] {
  const running = standstills.filter(({ wasRunning }) => wasRunning);
  if (running.length > 0) return running;
  const received = standstills.length === 0 ? 'none' : 'only VMs that stood still before';
  throw nothingToAssert(`a VM that ran before it was frozen for ${assertion} but received ${received}`);
}

export const nothingToAssert = (text: string): StandstillError =>
  new StandstillError('ERR_INVALID_OPTION', `Expected ${text}`);

/** Of one thing about several VMs: it fails where one fails, and else is undecided where one is. */
export function overall(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.includes('fails')) return 'fails';
  return outcomes.includes('undecided') ? 'undecided' : 'holds';
}

/** 'web-0', 'web-0 and web-1', 'web-0, web-1 and 7 more'. */
export function namesOf(standstills: readonly Standstill[]): string {
  const names = [...new Set(standstills.map(({ vm }) => vm))];
  if (names.length <= 2) return names.join(' and ');
  return `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`;
}

/** A VM and where its time went. */
export function describeStandstill(standstill: Standstill): string[] {
  const { vm, blackoutNs, resumedBy } = standstill;
  const released = resumedBy === null ? '' : `, released by the ${resumedBy}`;
  const blackout = blackoutNs === null ? 'has not resumed' : `stood still for ${formatNs(blackoutNs)}${released}`;
  const phases = describePhases(standstill.phases);
  return [`${vm} ${blackout}`, ...(phases === '' ? [] : [`  ${phases}`])];
}

const PHASES: readonly (readonly [keyof Phases, string])[] = [
  ['requestNs', 'request'],
  ['haltNs', 'halt'],
  ['digestNs', 'digest'],
  ['patchNs', 'patch'],
  ['resumeNs', 'resume'],
  ['syncNs', 'clock'],
];

function describePhases(phases: Partial<Phases> | null): string {
  return PHASES.flatMap(([key, name]) => {
    const durationNs = phases?.[key];
    return durationNs === undefined ? [] : [`${name} ${formatNs(durationNs)}`];
  }).join(' · ');
}
