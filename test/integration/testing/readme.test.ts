// The README's first example, as it is written there: the test fails with the first client and passes with the second.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withTemporaryFolder } from '../../fixtures/cli.js';
import { ROOT, runVitest, writeProject } from '../../fixtures/vitest.js';

const SECTION = 'A failing, then passing, resilience test in five minutes';

/** The code blocks of the section that begin with the name of a file, in their order. */
function filesOf(readme: string): { name: string; code: string }[] {
  const section = readme.split(/^## /m).find((part) => part.startsWith(SECTION)) ?? '';
  return [...section.matchAll(/^```js\n(\/\/ (\S+)\n[\s\S]*?)^```$/gm)].map(([, code = '', name = '']) => ({
    name,
    code,
  }));
}

it('the naive client fails it, the resilient one passes it', { timeout: 240_000 }, async () => {
  const files = filesOf(readFileSync(join(ROOT, 'README.md'), 'utf8'));
  const names = files.map(({ name }) => name);
  expect(names).toEqual(['server.mjs', 'client.mjs', 'resilience.test.mjs', 'client.mjs']);
  const first = Object.fromEntries(files.slice(0, 3).map(({ name, code }) => [name, code]));
  await withTemporaryFolder(async ({ path }) => {
    writeProject(path, first);
    const failed = await runVitest(path);
    expect(failed.output).toMatch(/TimeoutError: The operation was aborted due to timeout\n ❯ hello client.mjs:3:20/);
    expect(failed).toMatchObject({ exitCode: 1, output: expect.stringMatching(/Tests +1 failed/) });
    writeFileSync(join(path, 'client.mjs'), files[3]?.code ?? '');
    expect(await runVitest(path)).toMatchObject({ exitCode: 0, output: expect.stringMatching(/Tests +1 passed/) });
  });
});
