/** Markup that may stand in a page as it is. */
export class Html {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

export type HtmlPart = Html | string | number | readonly HtmlPart[] | null;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A template of markup: text that is put into it, in an element or in a quoted attribute, is text there, whatever it says. */
export const html = (markup: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html =>
  new Html(markup.reduce((page, chunk, index) => `${page}${markupOf(parts[index - 1] ?? null)}${chunk}`));

function markupOf(part: HtmlPart): string {
  if (part === null) return '';
  if (part instanceof Html) return part.markup;
  if (Array.isArray(part)) return part.map(markupOf).join('');
  return String(part).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** What users have named: a name that is written from right to left turns nothing around it. */
export const name = (text: string): Html => html`<bdi>${text}</bdi>`;

export interface Column<Row> {
  readonly head: string;
  readonly isNumber?: boolean;
  readonly cell: (row: Row) => HtmlPart;
}

/** A table that scrolls by itself where it is wider than the page. The first column names the row. */
export function table<Row>(caption: string, columns: readonly Column<Row>[], rows: readonly Row[]): Html {
  const kind = ({ isNumber }: Column<Row>) => (isNumber ? 'number' : 'text');
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<thead><tr>${columns.map((column) => html`<th scope="col" class="${kind(column)}">${column.head}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) =>
      html`<tr>${columns.map((column, index) =>
        index === 0
          ? html`<th scope="row">${column.cell(row)}</th>`
          : html`<td class="${kind(column)}">${column.cell(row)}</td>`,
      )}</tr>
`,
  )}</tbody></table></div>`;
}

export const section = (id: string, title: string, ...content: readonly HtmlPart[]): Html =>
  html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>
${content}</section>
`;

/** 'good', 'bad', 'odd' or 'plain', told by its sign and its words too. */
export const pill = (kind: 'good' | 'bad' | 'odd' | 'plain', text: string): Html => {
  const sign = { good: '✓ ', bad: '✗ ', odd: '! ', plain: '' }[kind];
  return html`<span class="pill ${kind}">${sign}${text}</span>`;
};
