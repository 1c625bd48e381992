import { Command } from 'commander';
import { formatBytes, PAGE_BYTES } from '../../base/units.js';
import { differingPages, type PageRange } from '../../snapshot/diff.js';
import type { OpenFile } from '../../snapshot/file.js';
import { openAll } from '../../snapshot/load.js';
import { EXIT_NOT_OK, EXIT_OK } from '../exit-codes.js';
import { closing } from '../help.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { type Outcome, perform } from '../perform.js';
import { type Column, renderTable } from '../render/table.js';
import type { Style } from '../terminal.js';

const RANGES_SHOWN_MAX = 40;

interface DiffFlags extends OutputFlags {
  exitCode?: true;
}

export const diffCommand = (leave: Leave): Command =>
  new Command('diff')
    .summary('tell which pages of RAM differ between two snapshot files')
    .description(
      "Tells which pages of RAM differ between two snapshot files, by the pages' CRCs: no data is read, and no base needed.",
    )
    .argument('<a>', 'snapshot file')
    .argument('<b>', 'another one')
    .option('--exit-code', 'exit with 1 where they differ, in RAM or in anything else')
    .addHelpText(
      'after',
      closing('0 done; 1 damaged, not to be read, of other RAM sizes, or with --exit-code another; 2 usage.', [
        'standstill snapshot diff a.snap b.snap',
      ]),
    )
    .action((a: string, b: string, flags: DiffFlags) => perform(flags, leave, () => diff(a, b, flags)));

async function diff(pathA: string, pathB: string, flags: DiffFlags): Promise<Outcome> {
  const [a, b] = (await openAll([pathA, pathB])) as [OpenFile, OpenFile];
  const ranges = differingPages(a, b);
  const pages = ranges.reduce((sum, { pageCount }) => sum + pageCount, 0);
  const isSame = a.id === b.id;
  const side = ({ path, id, info }: OpenFile) => ({ path, id, steps: info.state.steps });
  return {
    json: { schemaVersion: 1, same: isSame, pagesDiffering: pages, a: side(a), b: side(b), ranges },
    text: ({ style }) => render(a, b, ranges, pages, style),
    exitCode: flags.exitCode && !isSame ? EXIT_NOT_OK : EXIT_OK,
  };
}

function render(a: OpenFile, b: OpenFile, ranges: readonly PageRange[], pages: number, style: Style): string {
  const steps = `step ${a.info.state.steps.toLocaleString('en')} and step ${b.info.state.steps.toLocaleString('en')}`;
  if (a.id === b.id) return `${style.green('=')} ${style.bold('Same')}: RAM, registers, clock and step\n`;
  if (pages === 0) return `${style.yellow('≠')} ${style.bold('Same RAM')}, another state: ${steps}\n`;
  const total = a.info.state.ramBytes / PAGE_BYTES;
  const count = `${pages.toLocaleString('en')} of ${total.toLocaleString('en')} pages (${formatBytes(pages * PAGE_BYTES)})`;
  const title = `${style.yellow('≠')} ${style.bold('RAM differs')} in ${count}, ${steps}`;
  const address = (page: number) => `0x${(page * PAGE_BYTES).toString(16).padStart(10, '0')}`;
  const columns: Column<PageRange>[] = [
    { head: 'from', align: 'left', cell: ({ firstPage }) => address(firstPage) },
    { head: 'up to', align: 'left', cell: ({ firstPage, pageCount }) => address(firstPage + pageCount) },
    { head: 'first page', align: 'right', cell: ({ firstPage }) => firstPage.toLocaleString('en') },
    { head: 'pages', align: 'right', cell: ({ pageCount }) => pageCount.toLocaleString('en') },
  ];
  const hidden = ranges.length - RANGES_SHOWN_MAX;
  const more = hidden > 0 ? [style.dim(`and ${hidden.toLocaleString('en')} ranges more, all in --json`)] : [];
  return `${[title, '', renderTable(columns, ranges.slice(0, RANGES_SHOWN_MAX), style), ...more].join('\n')}\n`;
}
