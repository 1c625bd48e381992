import { StandstillError } from '../base/errors.js';

/** One mistake of a scenario file. */
export interface ScenarioProblem {
  /** From 1 on. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** What may have been meant; null where nothing is near. */
  readonly hint: string | null;
}

/** A problem with the line that it is in. */
export interface LocatedProblem extends ScenarioProblem {
  readonly lineText: string;
  /** How many characters of the line it is about. */
  readonly length: number;
}

/** A scenario file that cannot be run: ERR_SCENARIO_INVALID. The message has every problem with its line. */
export class ScenarioError extends StandstillError {
  /** In the order of the file. */
  readonly problems: readonly ScenarioProblem[];

  constructor(path: string, problems: readonly LocatedProblem[]) {
    const count = problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`;
    const blocks = problems.slice(0, SHOWN_PROBLEMS_MAX).map((problem) => render(path, problem));
    if (problems.length > SHOWN_PROBLEMS_MAX) blocks.push(`\n… and ${problems.length - SHOWN_PROBLEMS_MAX} more`);
    super('ERR_SCENARIO_INVALID', [`Expected a valid scenario in ${path} but found ${count}`, ...blocks].join('\n'));
    this.problems = problems.map(({ line, column, message, hint }) => ({ line, column, message, hint }));
  }
}

const SHOWN_PROBLEMS_MAX = 50;
const SHOWN_MAX = 100;

/** 'file:line:column: message', the line, a caret below, and the hint. */
function render(path: string, { line, column, message, hint, lineText, length }: LocatedProblem): string {
  // A long line is shown from a little before the place on.
  const from = lineText.length <= SHOWN_MAX ? 0 : Math.max(0, column - 1 - SHOWN_MAX / 2);
  // One for one, so that the caret stands right.
  const shown = lineText.slice(from, from + SHOWN_MAX).replace(/[^\t\P{Cc}]/gu, '\ufffd');
  const before = lineText.slice(from, column - 1).replace(/[^\t]/g, ' ');
  const carets = '^'.repeat(Math.max(1, Math.min(length, lineText.length - column + 1, from + SHOWN_MAX - column + 1)));
  const number = String(line);
  const margin = ' '.repeat(number.length);
  const rows = [`${path}:${line}:${column}: ${message}`];
  if (shown.trim() !== '') rows.push(`  ${number} | ${shown}`, `  ${margin} | ${before}${carets}`);
  if (hint !== null) rows.push(`  ${margin} = ${hint}`);
  return `\n${rows.join('\n')}`;
}
