import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const src = join(import.meta.dirname, '../../../src');
/** Texts that begin so, up to the end of the statement: a message may go on behind a `+`, or in the template that it is put in. */
const MESSAGE = /(['"`])Expected (?:(?!\1)[^\\]|\\.)*\1[^;]*/g;

it("each message that says what was expected says what came instead: 'Expected X for Y but received Z'", () => {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const messages = files.flatMap((file) =>
    [...readFileSync(join(src, file), 'utf8').matchAll(MESSAGE)].map(([text]) => ({ file, text })),
  );
  expect(messages.length).toBeGreaterThan(150);
  // Those are put before a 'but' elsewhere.
  const begun = /^`Expected \$\{text\}`|to run \$\{at\}`|Expected valid options for/;
  const half = messages.filter(({ text }) => !/\bbut\b/.test(text) && !begun.test(text));
  expect(half.map(({ file, text }) => `${file}: ${text.slice(0, 120)}`)).toEqual([]);
});
