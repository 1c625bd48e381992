import type { AddHelpTextContext, Help } from 'commander';

const COLUMNS_DEFAULT = 80;

/**
 * What the help of a command ends with: what is special to it, its exit codes, and commands to begin from. For
 * `addHelpText('after', …)`.
 */
export function closing(exitCodes: string, examples: readonly string[], before: (help: Help) => string = () => '') {
  return ({ command, error }: AddHelpTextContext): string => {
    const { getErrHelpWidth, getOutHelpWidth } = command.configureOutput();
    const helpWidth = (error ? getErrHelpWidth : getOutHelpWidth)?.() ?? COLUMNS_DEFAULT;
    const help = command.createHelp();
    help.prepareContext({ error, helpWidth });
    const codes = help.boxWrap(`Exit codes: ${exitCodes}`, helpWidth);
    const lines = examples.map((example) => exampleLines(example, helpWidth));
    return `\n${before(help)}${codes}\n\nExamples:\n${lines.join('\n')}`;
  };
}

/** A list such as that of the options. */
export function itemList(title: string, items: readonly (readonly [string, string])[], help: Help): string {
  const width = Math.max(...items.map(([term]) => term.length));
  return `${title}\n${items.map(([term, text]) => help.formatItem(term, width, text, help)).join('\n')}\n\n`;
}

/** As it would be typed, goes on in the next line before the flag that no longer fits. */
function exampleLines(example: string, columns: number): string {
  const lines: string[] = [];
  let line = ' ';
  for (const part of example.split(/ (?=--)/)) {
    if (line.length + 1 + part.length + ' \\'.length > columns && line.trim() !== '') {
      lines.push(`${line} \\`);
      line = '   ';
    }
    line += ` ${part}`;
  }
  return [...lines, line].join('\n');
}
