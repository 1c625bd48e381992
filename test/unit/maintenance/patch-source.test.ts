import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { locatePatch } from '../../../src/maintenance/patch-source.js';

const here = fileURLToPath(import.meta.url);

describe('locatePatch', () => {
  it.each([
    ['a path', here],
    ['a relative path', 'test/unit/maintenance/patch-source.test.ts'],
    ['a URL', pathToFileURL(here)],
    ["a URL's text", pathToFileURL(here).href],
    ['an object', { module: here }],
  ])('takes %s', async (_, spec) => {
    expect(await locatePatch(spec)).toMatchObject({ name: 'patch-source.test', url: pathToFileURL(here).href });
  });

  it('takes a name and options', async () => {
    expect(await locatePatch({ module: here, name: 'n', options: { a: 1 } })).toMatchObject({
      name: 'n',
      options: { a: 1 },
    });
  });

  it.each(['no/such/patch.mjs', fileURLToPath(new URL('.', import.meta.url))])('refuses %s', async (path) => {
    await expect(locatePatch(path)).rejects.toMatchObject({ code: 'ERR_PATCH_NOT_FOUND' });
  });

  it('refuses a URL that is no file, and options that cannot be cloned', async () => {
    await expect(locatePatch(new URL('https://example.org/p.mjs'))).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
    await expect(locatePatch({ module: here, options: () => 1 })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  });
});
