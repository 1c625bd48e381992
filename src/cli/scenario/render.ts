import { formatNs } from '../../base/units.js';
import type { ExpectationResult, RunRecord } from '../../report/record.js';
import { type Column, renderTable } from '../render/table.js';
import type { Style, Terminal } from '../terminal.js';

/** How a run ended: each expectation with what was observed, and the verdict. */
export function renderRun(record: RunRecord, { style }: Terminal): string {
  const columns: Column<ExpectationResult>[] = [
    { head: '', align: 'left', cell: ({ ok }) => (ok ? style.green('✔') : style.red('✘')) },
    { head: 'expected', align: 'left', cell: ({ text }) => text },
    { head: 'observed', align: 'left', cell: ({ observed }) => observed },
  ];
  const seed = style.dim(`seed ${record.seed}`);
  const sections = [
    `${style.bold(record.name)} ${seed}`,
    renderTable(columns, record.expectations, style),
    [verdict(record, style), ...reasons(record, style)].join('\n'),
  ];
  return `\n${sections.join('\n\n')}\n\n`;
}

function verdict({ result, error, expectations, durationNs }: RunRecord, style: Style): string {
  const held = expectations.filter(({ ok }) => ok).length;
  const text = `${held} of ${expectations.length} expectations hold, in ${formatNs(durationNs)}`;
  if (result === 'passed') return `${style.green('✔')} ${style.bold('passed')}: ${text}`;
  const why = error === null ? '' : ` by ${error.message}`;
  return `${style.red('✘')} ${style.bold(result)}${why}: ${text}`;
}

const reasons = ({ expectations }: RunRecord, style: Style): string[] =>
  expectations
    .filter(({ ok }) => !ok)
    .flatMap(({ text, detail }) => detail.map((each) => `  ${style.red('•')} ${text}: ${each}`));
