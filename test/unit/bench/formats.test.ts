import { Script } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { toBmf } from '../../../src/bench/formats/bmf.js';
import { toGithubActionBenchmark } from '../../../src/bench/formats/github-action-benchmark.js';
import { toHtml } from '../../../src/bench/formats/html.js';
import { toJunit } from '../../../src/bench/formats/junit.js';
import { toMarkdown } from '../../../src/bench/formats/markdown.js';
import { benchResult as result } from '../../fixtures/bench-result.js';

describe('a result in the formats of other tools', () => {
  it('Bencher Metric Format: medians between quartiles, by measure; nothing of what has no samples', () => {
    expect(JSON.parse(toBmf(result))).toEqual({
      'pause/kv-store': { latency: { value: 500, lower_value: 400, upper_value: 700 } },
      cycles: { throughput: { value: 2e6, lower_value: 1e6, upper_value: 4e6 } },
    });
  });

  it('github-action-benchmark: smaller is better throughout, so a rate becomes a time', () => {
    expect(JSON.parse(toGithubActionBenchmark(result))).toMatchObject([
      { name: 'pause/kv-store', unit: 'ns', value: 500, range: '± 150' },
      { name: 'cycles', unit: 'ns/op', value: 500 },
    ]);
  });

  it('JUnit: a missed target is no failure, a skipped case is skipped', () => {
    const xml = toJunit(result);
    expect(xml).toContain('tests="4" failures="0" errors="0" skipped="1"');
    expect(xml).toContain('target p50 ≤ 400 ns: missed');
    expect(xml).toContain('qemu is not installed');
  });

  it('Markdown: one table whose rows have as many cells as its head', () => {
    const rows = toMarkdown(result)
      .split('\n')
      .filter((line) => line.startsWith('|'));
    const cells = rows.map((row) => row.replaceAll('\\|', '').split('|').length);
    expect(new Set(cells).size).toBe(1);
    expect(rows.join('\n')).toContain('× 2.00 (1.90–2.10)');
  });
});

describe('the page', () => {
  const html = toHtml(result);

  it('needs nothing besides itself', () => {
    expect(html).not.toMatch(/<(link|img|iframe)\b|\bsrc=|@import|url\(/);
  });

  it('holds the whole result, whatever text is in it', () => {
    const json = /<script type="application\/json" id="result">(.*?)<\/script>/s.exec(html)?.[1] ?? '';
    expect(JSON.parse(json)).toEqual(result);
  });

  it('holds scripts that are whole', () => {
    const scripts = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map(([, code]) => code ?? '');
    expect(scripts).toHaveLength(2);
    for (const code of scripts) expect(() => new Script(code)).not.toThrow();
  });
});
