import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { METRICS } from '../../../src/scenario/metrics.js';
import { LOG_EVENTS } from '../../../src/scenario/names.js';
import { parseScenario } from '../../../src/scenario/parse.js';
import { scenarioJsonSchema } from '../../../src/scenario/schema.js';

const docs = readFileSync(join(import.meta.dirname, '../../../docs/SCENARIOS.md'), 'utf8');

/** The keys of every object in a JSON Schema. */
const keysOf = (schema: unknown): string[] =>
  typeof schema !== 'object' || schema === null
    ? []
    : Object.entries(schema).flatMap(([key, value]) =>
        key === 'properties' ? [...Object.keys(value), ...Object.values(value).flatMap(keysOf)] : keysOf(value),
      );

describe('docs/SCENARIOS.md', () => {
  it('has a row for each metric, with what it is, and for no other', () => {
    const section = docs.slice(docs.indexOf('## Expectations'));
    const rows = [...section.matchAll(/^\| `([\w.]+)`\s*\| (.*?)\s*\|/gm)].map(([, name, what]) => [name, what]);
    expect(rows).toEqual(Object.entries(METRICS).map(([name, { description }]) => [name, description]));
  });

  it('has each key of the schema', () => {
    const keys = new Set(keysOf(scenarioJsonSchema()));
    expect(keys.size).toBeGreaterThan(60);
    const prose = docs.replace(/^```[\s\S]*?^```$/gm, '');
    const told = new Set([...prose.matchAll(/`([^`\n]+)`/g)].flatMap(([, code]) => code?.match(/\$?\w+/g) ?? []));
    expect([...keys].filter((key) => !told.has(key))).toEqual([]);
  });

  it('has each event of the log that an entry may wait for', () => {
    expect(LOG_EVENTS.filter((type) => !docs.includes(`\`${type}\``))).toEqual([]);
  });

  it('begins with a scenario that is one', () => {
    const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(docs) ?? [];
    expect(Object.keys(parse(yaml))).toContain('schedule');
    expect(parseScenario(yaml, { path: 'scenario.yaml' }).vms).toHaveLength(3);
  });
});
