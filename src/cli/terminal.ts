import picocolors from 'picocolors';

/** Text styles; each leaves its text alone where there is no colour. */
export type Style = ReturnType<typeof picocolors.createColors>;

export interface Terminal {
  readonly style: Style;
  readonly columns: number;
}

const COLUMNS_DEFAULT = 100;

/** What standard output can show: colour on a TTY unless NO_COLOR or --no-color says otherwise, 100 columns if unknown. */
export function terminalOf(stream: NodeJS.WriteStream, colorWanted: boolean): Terminal {
  const color = colorWanted && stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  return { style: picocolors.createColors(color), columns: stream.columns || COLUMNS_DEFAULT };
}
