import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf, StandstillError } from '../base/errors.js';
import { formatBytes } from '../base/units.js';
import { checkScenario } from './check.js';
import { type Finding, findingsOf } from './issues.js';
import { type LocatedProblem, ScenarioError } from './problem.js';
import { resolveScenario } from './resolve.js';
import type { Scenario } from './scenario.js';
import { type ScenarioFile, scenarioFields, scenarioSchema } from './schema.js';
import { valueAt } from './schema-walk.js';
import { FILE_BYTES_MAX, Source, type Span } from './source.js';

/** Where a scenario is from. */
export interface ParseOptions {
  /** Where the text is from: named in messages, and what its paths are relative to. */
  readonly path: string;
}

/**
 * The scenario that a text in YAML describes; the files that it names are looked for. Throws `ScenarioError`,
 * ERR_SCENARIO_INVALID, with every mistake, its line and its column.
 */
export function parseScenario(text: string, { path }: ParseOptions): Scenario {
  const source = new Source(text, path);
  if (source.value === null || source.value === undefined) {
    const hint = "'standstill init' writes a first one";
    throw new ScenarioError(path, [
      source.problem({ offset: 0, length: 1 }, 'Expected a scenario but the file is empty', hint),
    ]);
  }
  const shape = findingsOf(scenarioSchema, source.value);
  const findings = [...shape, ...checkScenario(goodSections(source.value, shape), resolve(path))];
  if (findings.length > 0) {
    const problems = findings.map((finding) => located(source, finding));
    throw new ScenarioError(
      path,
      problems.toSorted((a, b) => a.line - b.line || a.column - b.column),
    );
  }
  return resolveScenario(scenarioSchema.parse(source.value), resolve(path));
}

/** The scenario of a file. Rejects as `parseScenario` throws, and with ERR_SCENARIO_INVALID for what is no text file. */
export async function readScenario(path: string): Promise<Scenario> {
  return parseScenario(textOf(await bytesOf(path), path), { path });
}

async function bytesOf(path: string): Promise<Buffer> {
  const unreadable = (why: string, cause?: unknown) =>
    new StandstillError('ERR_SCENARIO_INVALID', `Expected a scenario file for ${path} but ${why}`, { cause });
  try {
    const { size, isFile } = await stat(path).then((found) => ({ size: found.size, isFile: found.isFile() }));
    if (!isFile) throw unreadable('it is no file');
    if (size > FILE_BYTES_MAX) {
      throw unreadable(`it has ${formatBytes(size)}, more than ${formatBytes(FILE_BYTES_MAX)}`);
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof StandstillError) throw error;
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw unreadable(isMissing ? "there is no such file; 'standstill init' writes one" : messageOf(error), error);
  }
}

/** The text of bytes; what is no text is told by its first byte that cannot be. */
function textOf(bytes: Buffer, path: string): string {
  const text = bytes.toString('utf8');
  const at = text.search(/[\0\ufffd]/);
  if (at === -1) return text;
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const column = at - before.lastIndexOf('\n');
  const what = text[at] === '\0' ? 'a zero byte' : 'bytes that are none';
  const message = `Expected text in UTF-8 but received ${what}`;
  const hint = 'the file is binary, or its text is in another encoding';
  throw new ScenarioError(path, [{ line, column, message, hint, lineText: '', length: 1 }]);
}

/** The sections without a mistake: what refers to them can be checked. */
function goodSections(value: unknown, shape: readonly Finding[]): Partial<ScenarioFile> {
  const bad = new Set(shape.map(({ path }) => path[0]));
  const good = Object.entries(scenarioFields)
    .filter(([key]) => !bad.has(key))
    .map(([key, schema]) => [key, schema.safeParse(valueAt(value, [key])).data]);
  return Object.fromEntries(good);
}

function located(source: Source, { path, key, part, message, hint }: Finding): LocatedProblem {
  const span =
    key !== undefined
      ? source.keySpan(path, key)
      : part !== undefined
        ? partSpan(source, path, part)
        : source.span(path);
  return source.problem(span, message, hint);
}

/** Where a part of an expectation stands: of a text in that text, of a mapping in its key or its value. */
function partSpan(source: Source, path: Finding['path'], part: Span): Span {
  const given = valueAt(source.value, path);
  if (typeof given === 'string') return source.within(path, given, part);
  const [key = ''] = Object.keys(Object(given));
  if (part.offset < key.length) {
    const { offset } = source.keySpan(path, key);
    return { offset: offset + part.offset, length: part.length };
  }
  const value = String(valueAt(given, [key]));
  const inValue = Math.max(0, part.offset - key.length - 2);
  return source.within([...path, key], value, {
    offset: inValue,
    length: Math.min(part.length, value.length - inValue),
  });
}
