import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchResult } from '../result-schema.js';

const PAGE = fileURLToPath(new URL('../../../bench/page', import.meta.url));
const UPLOT = join(dirname(createRequire(import.meta.url).resolve('uplot/package.json')), 'dist');

/** A page that needs nothing besides itself: the result, uPlot, and what draws the one with the other. */
export function toHtml(result: BenchResult): string {
  const read = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8');
  // Inside of a script nothing may look like its end.
  const json = JSON.stringify(result).replaceAll('<', '\\u003c');
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<title>standstill bench</title>',
    `<style>${read(UPLOT, 'uPlot.min.css')}${read(PAGE, 'page.css')}</style>`,
    '</head>',
    '<body>',
    `<script type="application/json" id="result">${json}</script>`,
    `<script>${read(UPLOT, 'uPlot.iife.min.js')}</script>`,
    `<script>${read(PAGE, 'page.js')}</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}
