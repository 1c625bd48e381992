import { join } from 'node:path';
import { expect, it } from 'vitest';
import { scenarioJsonSchema } from '../../../src/scenario/schema.js';

it('the published schema is that of the code (vitest -u writes it)', async () => {
  const path = join(import.meta.dirname, '../../../schemas/scenario.schema.json');
  await expect(`${JSON.stringify(scenarioJsonSchema(), null, 2)}\n`).toMatchFileSnapshot(path);
});
