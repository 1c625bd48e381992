import type { z } from 'zod';
import { show } from '../base/errors.js';
import { nearest } from '../base/suggest.js';
import type { Mistake } from './expectation.js';
import { hintOfValue, kindsOf, meant } from './hints.js';
import { knownKeys, optionAt, type Path, schemaAt, valueAt } from './schema-walk.js';

/** A mistake at a place of the value: of a key there where `key` is given, of a part of a text where `part` is. */
export interface Finding {
  readonly path: Path;
  readonly key?: string | undefined;
  readonly part?: Pick<Mistake, 'offset' | 'length'>;
  readonly message: string;
  readonly hint: string | null;
}

type Issue = z.core.$ZodIssue;

/** What an issue is about: its path and value in the whole, and the schema that it is of. */
interface Context {
  readonly path: Path;
  readonly value: unknown;
  readonly schema: unknown;
}

/** What zod finds wrong with a value, each mistake once and where it is; of alternatives, those of the nearest. */
export function findingsOf(schema: z.ZodType, value: unknown): Finding[] {
  const parsed = schema.safeParse(value);
  if (parsed.success) return [];
  const findings = parsed.error.issues.flatMap((issue) => flattened(issue, schema, value, []));
  // "Unknown key 'progam'; did you mean 'program'?" says it; that 'program' is missing is the same mistake.
  const misspelt = new Set(
    findings.flatMap(({ path, key, hint }) => {
      const [, name] = /^did you mean '([^']+)'/.exec(hint ?? '') ?? [];
      return key === undefined || name === undefined ? [] : [placeOf([...path, name])];
    }),
  );
  return findings.filter(({ path }) => valueAt(value, path) !== undefined || !misspelt.has(placeOf(path)));
}

export const placeOf = (path: Path): string => path.map(String).join('.');

function flattened(issue: Issue, schema: unknown, root: unknown, base: Path): Finding[] {
  const path = [...base, ...issue.path];
  const value = valueAt(root, path);
  const context = { path, value, schema: schemaAt(schema, issue.path, valueAt(root, base)) };
  if (issue.code === 'unrecognized_keys') return unknownKeys(issue.keys, context);
  if (issue.code === 'invalid_union' && typeof value === 'object' && value !== null) {
    const branch = nearestBranch(issue.errors, context.schema);
    const option = optionAt(context.schema, branch ?? 0);
    if (branch !== null) return (issue.errors[branch] ?? []).flatMap((own) => flattened(own, option, root, path));
  }
  return [issue.code === 'custom' ? ownFinding(issue, context) : wrongValue(issue, context)];
}

function unknownKeys(keys: readonly string[], { path, value, schema }: Context): Finding[] {
  const rest = Object.fromEntries(Object.entries(Object(value)).filter(([key]) => !keys.includes(key)));
  const known = knownKeys(schema, rest);
  return keys.map((key) => {
    const hint = meant(key, known) ?? `keys: ${known.join(', ')}`;
    return { path, key, message: `Unknown key '${key}' for ${named(path)}`, hint };
  });
}

function wrongValue(issue: Issue, { path, value }: Context): Finding {
  const kinds = kindsOf(issue);
  const expected = kinds.length > 0 ? `one of ${kinds.join(', ')}` : issue.message;
  const message = `Expected ${expected} for ${named(path)} but received ${show(value)}`;
  return { path, message, hint: hintOfValue(issue, expected, value) };
}

/** What this folder's own checks report: a mistake of an expectation, or keys that go not together. */
function ownFinding(issue: Extract<Issue, { code: 'custom' }>, { path, value }: Context): Finding {
  const { mistake, received = show(value), key } = (issue.params ?? {}) as OwnParams;
  if (mistake === undefined) {
    const message = `Expected ${issue.message} for ${named(path)} but received ${received}`;
    return { path, key, message, hint: hintOfValue(issue, issue.message, value) };
  }
  const { offset, length, message, hint = null } = mistake;
  return { path, part: { offset, length }, message, hint };
}

/** What the checks of the schema tell beside the phrase of what was expected. */
export interface OwnParams {
  readonly mistake?: Mistake;
  /** In words. */
  readonly received?: string;
  /** The key that is too much. */
  readonly key?: string | undefined;
}

const named = (path: Path): string => (path.length === 0 ? 'the scenario' : `'${placeOf(path)}'`);

/** Of the alternatives, the one that the value misses by the least; null where it is of another type than all of them. */
function nearestBranch(branches: readonly (readonly Issue[])[], union: unknown): number | null {
  const distances = branches.map((issues, index) => {
    const known = knownKeys(optionAt(union, index), undefined);
    return issues.reduce((sum, issue) => sum + distanceOf(issue, known), 0);
  });
  const least = Math.min(...distances);
  return least >= WRONG_TYPE ? null : distances.indexOf(least);
}

const WRONG_TYPE = 1000;
/** A key too many or too few tells of another alternative; a misspelt one or a bad value does not. */
const WRONG_KEY = 10;

function distanceOf(issue: Issue, known: readonly string[]): number {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.reduce((sum, key) => sum + (nearest(key, known).length > 0 ? 1 : WRONG_KEY), 0);
  }
  return issue.path.length === 0 ? WRONG_TYPE : 1;
}
