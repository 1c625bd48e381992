import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { renderErrorDocs } from '../../../src/base/error-codes.js';

it('docs/ERRORS.md is in step with the table of codes', async () => {
  const path = fileURLToPath(new URL('../../../docs/ERRORS.md', import.meta.url));
  await expect(renderErrorDocs()).toMatchFileSnapshot(path);
});
