// The command line as a set: what holds for one command holds for all.
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram, withSubcommands } from '../../../src/cli/program.js';

const HELP_COLUMNS = 80;
const PLACEHOLDERS = [
  'address',
  'answer',
  'as',
  'class',
  'command',
  'domains',
  'file',
  'folder',
  'kind',
  'level',
  'module',
  'name',
  'names',
  'number',
  'pattern',
  'policy',
  'port',
  'range',
  'share',
  'size',
  'source',
  'text',
  'time',
  'url',
  'version',
  'what',
];
/** What stands for something with a form of its own. */
const FORMS = [
  '[host:]guest',
  'component@range',
  'format[=file]',
  'name=value',
  'name=vm,…',
  'type[=vm,…]',
  'vm=step,…',
];
/** The few flags that mean another thing in another command, where each has its own idiom. */
const OF_SEVERAL_MEANINGS = [
  '--base', // a snapshot file; the base's command
  '--budget', // a time; a file of budgets
  '--control', // where it listens; where it is asked
  '--faults',
  '--format', // of a result; of a report, with a file
  '--head', // the result to judge; the head's command
  '--metrics',
  '--out', // a file; the name of two
  '--set', // a set; a set with its VMs
];

const program = createProgram(async () => {});
const commands = withSubcommands(program);
// `gate` does something itself and has `gate ab` below it.
const doing = commands.filter((command) => command.commands.length === 0 || command.name() === 'gate');
const pathOf = (command: Command): string =>
  command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
const named = (list: readonly Command[]) => list.map((command) => [pathOf(command), command] as const);

function helpOf(command: Command): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => HELP_COLUMNS });
  command.outputHelp();
  return help;
}

const placeholderOf = (flags: string) => /[<[](.+?)(?:\.\.\.)?[>\]]$/.exec(flags)?.[1];

/** As a shell has them, near enough for an example. */
const wordsOf = (line: string) => line.match(/'[^']*'|[^\s']+/g) ?? [];

describe.each(named(doing))('%s', (path, command) => {
  it('takes --json, --quiet and --no-color, last in its help', () => {
    expect(command.options.slice(-3).map(({ long }) => long)).toEqual(['--json', '--quiet', '--no-color']);
  });

  it('has a description that is a sentence, a summary that is none, and ends its help with exit codes and examples', () => {
    const help = helpOf(command);
    expect(command.summary()).toMatch(/^(?:[a-z]|VMs ).*[^.]$/);
    expect(command.description()).toMatch(/^[A-Z][\s\S]*(?:\.|\.md)$/);
    expect(help).toMatch(/\nExit codes: 0 [\s\S]*2\s[\s\S]*\.\n\nExamples:\n(?: {2}.*\n?)+$/);
  });

  it(`has a help of ${HELP_COLUMNS} columns at most`, () => {
    expect(
      helpOf(command)
        .split('\n')
        .filter((line) => line.length > HELP_COLUMNS),
    ).toEqual([]);
  });

  it('has examples of this command alone, with flags that it takes', () => {
    const examples = (helpOf(command).split('Examples:\n')[1] ?? '')
      .replaceAll(/ \\\n\s+/g, ' ')
      .trim()
      .split(/\n\s*/);
    const own = new Set(command.options.flatMap(({ long, short }) => [long, short]));
    for (const example of examples) {
      expect(`${example} `).toContain(`${path} `);
      const flags = wordsOf(example.slice(path.length)).filter((word) => word.startsWith('--'));
      expect(flags.filter((flag) => !own.has(flag))).toEqual([]);
      const mandatory = command.options.filter((option) => option.mandatory).map(({ long }) => long ?? '');
      expect(mandatory.filter((flag) => !flags.includes(flag))).toEqual([]);
    }
  });

  it('describes each flag and argument in a phrase, and says what is to be put in by a word of the common list', () => {
    for (const { long, flags, description } of command.options) {
      expect(long, flags).toMatch(/^--[a-z]+(-[a-z]+)*$/);
      expect(description, flags).toMatch(/^[^\s].*[^.]$/);
      const placeholder = placeholderOf(flags);
      if (placeholder !== undefined) expect([...PLACEHOLDERS, ...FORMS]).toContain(placeholder);
    }
    for (const argument of command.registeredArguments) expect(argument.description, argument.name()).not.toBe('');
  });
});

it('one name for one thing: a flag takes the same in all commands', () => {
  const taken = new Map<string, Set<string>>();
  for (const { long, flags } of doing.flatMap((command) => command.options)) {
    const forms = taken.get(long ?? '') ?? new Set();
    taken.set(long ?? '', forms.add(placeholderOf(flags) ?? ''));
  }
  const several = [...taken].filter(([, forms]) => forms.size > 1).map(([flag]) => flag);
  expect(several.filter((flag) => !OF_SEVERAL_MEANINGS.includes(flag))).toEqual([]);
});
