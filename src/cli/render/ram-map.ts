import { formatBytes, PAGE_BYTES } from '../../base/units.js';
import { PAGE_KINDS, type PageKind, type SnapshotFileInfo } from '../../snapshot/inspect.js';
import type { Style, Terminal } from '../terminal.js';

const ROWS_MAX = 16;
const COLUMNS_MAX = 64;
const MARGIN_COLUMNS = 2;

/** Told apart by shape where there is no colour. */
const GLYPHS: Readonly<Record<PageKind, string>> = { zero: '·', shared: '░', private: '▓', dirty: '█' };
/** What a cell shows of the pages in it: the last of these that any of them is. */
const RANKS: Readonly<Record<PageKind, number>> = { zero: 0, shared: 1, private: 2, dirty: 3 };

const paint = (kind: PageKind, text: string, style: Style): string =>
  ({ zero: style.dim, shared: style.cyan, private: style.green, dirty: style.yellow })[kind](text);

/** A picture of RAM: what the file has of each page, in address order, and how much of each kind there is. */
export function renderRamMap({ pageKinds, pages, ramBytes }: SnapshotFileInfo, { style, columns }: Terminal): string {
  const addressDigits = (ramBytes - 1).toString(16).length;
  const room = columns - addressDigits - '0x'.length - MARGIN_COLUMNS;
  const rowCells = powerOfTwoUpTo(Math.max(1, Math.min(COLUMNS_MAX, room)));
  const cellPages = powerOfTwoFrom(pageKinds.length / (rowCells * ROWS_MAX));
  const rowPages = rowCells * cellPages;
  const rows: string[] = [];
  for (let first = 0; first < pageKinds.length; first += rowPages) {
    const address = (first * PAGE_BYTES).toString(16).padStart(addressDigits, '0');
    const cells = cellsOf(pageKinds.subarray(first, first + rowPages), cellPages);
    rows.push(`${style.dim(`0x${address}`)}  ${renderCells(cells, style)}`);
  }
  const scale = style.dim(
    `a cell is ${cellPages === 1 ? 'a page' : `${cellPages} pages`}, ${formatBytes(cellPages * PAGE_BYTES)}`,
  );
  return [`${style.bold('RAM')} ${scale}`, ...rows, renderLegend(pages, style)].join('\n');
}

function cellsOf(kinds: Uint8Array, cellPages: number): PageKind[] {
  const cells: PageKind[] = [];
  for (let first = 0; first < kinds.length; first += cellPages) {
    const present = new Set([...kinds.subarray(first, first + cellPages)].map((kind) => PAGE_KINDS[kind] ?? 'zero'));
    cells.push([...present].reduce((shown, kind) => (RANKS[kind] > RANKS[shown] ? kind : shown)));
  }
  return cells;
}

/** Runs of a kind are painted in one go. */
function renderCells(cells: readonly PageKind[], style: Style): string {
  let text = '';
  for (let first = 0; first < cells.length; ) {
    const kind = cells[first] as PageKind;
    let end = first;
    while (cells[end] === kind) end += 1;
    text += paint(kind, GLYPHS[kind].repeat(end - first), style);
    first = end;
  }
  return text;
}

const renderLegend = (pages: Readonly<Record<PageKind, number>>, style: Style): string =>
  PAGE_KINDS.filter((kind) => pages[kind] > 0)
    .map((kind) => `${paint(kind, GLYPHS[kind], style)} ${kind} ${formatBytes(pages[kind] * PAGE_BYTES)}`)
    .join('   ');

const powerOfTwoUpTo = (value: number): number => 2 ** Math.floor(Math.log2(value));
const powerOfTwoFrom = (value: number): number => 2 ** Math.max(0, Math.ceil(Math.log2(value)));
