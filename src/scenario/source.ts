import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import { messageOf } from '../base/errors.js';
import { type LocatedProblem, ScenarioError } from './problem.js';

/** What an alias stands for is counted each time: a small file that means a million values is refused. */
const ALIASES_MAX = 1000;
/** Of lists and mappings in each other. */
const DEPTH_MAX = 64;
const NESTED = `Expected lists and mappings at most ${DEPTH_MAX} deep but received deeper ones`;
export const FILE_BYTES_MAX = 1024 * 1024;

/** A place in the text: from an offset on, so many characters. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** Where nothing better is known. */
const START: Span = { offset: 0, length: 1 };

export type Path = readonly PropertyKey[];

/** A YAML text that is well-formed, its value, and where in the text each part of the value stands. */
export class Source {
  readonly path: string;
  readonly value: unknown;
  readonly #text: string;
  readonly #lines: LineCounter;
  readonly #document: Document;

  /** Throws `ScenarioError`: what is no YAML, or means more than it may. */
  constructor(text: string, path: string) {
    this.path = path;
    this.#text = text.replace(/^\ufeff/, '');
    this.#lines = new LineCounter();
    this.#document = this.#parsed();
    this.value = this.#valued();
  }

  /** A problem at a place. */
  problem(span: Span, message: string, hint: string | null = null): LocatedProblem {
    // What is missing at the end is told behind the last word, not on an empty line.
    const offset = Math.min(span.offset, this.#text.trimEnd().length);
    const { line, col } = this.#lines.linePos(offset);
    const lineStart = offset - (col - 1);
    const lineEnd = this.#text.indexOf('\n', offset);
    const lineText = this.#text.slice(lineStart, lineEnd === -1 ? undefined : lineEnd).replace(/\r$/, '');
    return { line, column: col, message, hint, lineText, length: span.length };
  }

  /** Where the value at a path stands; of one that is not there, the place of what it is missing in. */
  span(path: Path): Span {
    return spanOf(this.#nodeAt(path) ?? undefined) ?? START;
  }

  /** Where a key of the mapping at a path stands. */
  keySpan(path: Path, key: string): Span {
    const map = this.#nodeAt(path);
    const pair = isMap(map) ? pairOf(map, key) : undefined;
    return spanOf(isNode(pair?.key) ? pair.key : undefined) ?? this.span(path);
  }

  /** A part of the text at a path: `offset` counts in its value, which is the same in the file unless it has escapes. */
  within(path: Path, value: string, part: Span): Span {
    const own = this.span(path);
    const start = this.#text.indexOf(value, own.offset);
    if (start === -1 || start > own.offset + 1) return own;
    return { offset: start + part.offset, length: part.length };
  }

  #parsed(): Document {
    let document: Document;
    try {
      document = parseDocument(this.#text, {
        lineCounter: this.#lines,
        prettyErrors: false,
        strict: true,
        uniqueKeys: true,
        merge: true,
        logLevel: 'error',
      });
    } catch (error) {
      throw this.#failure(START, whatIsWrong(error));
    }
    if (document.errors.some(({ message }) => message.includes('call stack'))) {
      throw this.#failure(START, NESTED);
    }
    const wrong = [...document.errors, ...document.warnings];
    if (wrong.length > 0) {
      const problems = wrong.map(({ code, message, pos: [offset, end] }) =>
        this.problem({ offset, length: end - offset }, this.#messageOf(code, message, offset)),
      );
      throw new ScenarioError(this.path, problems);
    }
    this.#assertReadable(document);
    return document;
  }

  /** Each alias has its anchor, and nothing is nested deeper than whoever reads it can follow. */
  #assertReadable(document: Document): void {
    visit(document, {
      Alias: (_, alias) => {
        if (alias.resolve(document) !== undefined) return;
        const message = `Expected an anchor '&${alias.source}' before the alias '*${alias.source}' but there is none`;
        throw this.#failure(spanOf(alias) ?? START, message);
      },
      Collection: (_, collection, ancestors) => {
        if (ancestors.filter(isCollection).length < DEPTH_MAX) return;
        throw this.#failure(spanOf(collection) ?? START, NESTED);
      },
    });
  }

  #valued(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: ALIASES_MAX });
    } catch (error) {
      throw this.#failure(START, whatIsWrong(error));
    }
  }

  #messageOf(code: string, message: string, offset: number): string {
    if (code === 'MULTIPLE_DOCS') return "Expected one scenario but received a second document after '---'";
    if (code === 'DUPLICATE_KEY') {
      const [key = ''] = /^[^\s:]+/.exec(this.#text.slice(offset)) ?? [];
      return `Expected each key once but received '${key}' twice`;
    }
    return `Expected YAML but: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
  }

  #failure(span: Span, message: string): ScenarioError {
    return new ScenarioError(this.path, [this.problem(span, message)]);
  }

  /** The node at a path, or the last one on the way to it that is there. */
  #nodeAt(path: Path): Node | null {
    let at = this.#resolved(this.#document.contents);
    for (const key of path) {
      const next = isMap(at) ? pairOf(at, String(key))?.value : isSeq(at) ? at.items[Number(key)] : undefined;
      const node = this.#resolved(next);
      if (node === null) break;
      at = node;
    }
    return at;
  }

  #resolved(node: unknown): Node | null {
    if (isAlias(node)) return node.resolve(this.#document) ?? null;
    return isNode(node) ? node : null;
  }
}

const pairOf = (map: YAMLMap, key: string): Pair | undefined =>
  map.items.find((pair) => isPair(pair) && isScalar(pair.key) && String(pair.key.value) === key);

function spanOf(node: Node | undefined): Span | undefined {
  const range = node?.range;
  return range === undefined || range === null ? undefined : { offset: range[0], length: range[1] - range[0] };
}

/** What the parser throws: an alias bomb is a ReferenceError, nesting without end a RangeError of the stack. */
function whatIsWrong(error: unknown): string {
  if (error instanceof RangeError) return NESTED;
  if (error instanceof ReferenceError) return `Expected at most ${ALIASES_MAX} values by aliases but received more`;
  return `Expected YAML but: ${messageOf(error)}`;
}
