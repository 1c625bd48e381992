import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatNs } from '../../base/units.js';
import { figuresOf } from '../figures.js';
import type { RunRecord } from '../record.js';
import { timelineOf } from '../timeline.js';
import { freezesSection } from './freezes.js';
import { Html, html, name } from './html.js';
import { clocksSection, memorySection } from './memory.js';
import { plotsOf } from './plots.js';
import {
  cards,
  expectationsSection,
  logSection,
  machineSection,
  probesSection,
  problemsSection,
  processesSection,
  rolloutSection,
  titleBlock,
} from './sections.js';
import { timelineSection } from './timeline.js';

const ASSETS = fileURLToPath(new URL('../../../src/report/page', import.meta.url));
const UPLOT = join(dirname(createRequire(import.meta.url).resolve('uplot/package.json')), 'dist');

/** A page that needs nothing besides itself, asks nobody for anything, and runs no script but its own. */
export function renderHtml(record: RunRecord): string {
  const read = (folder: string, file: string) => readFileSync(join(folder, file), 'utf8');
  const style = `${read(UPLOT, 'uPlot.min.css')}${read(ASSETS, 'page.css')}`;
  const scripts = [read(UPLOT, 'uPlot.iife.min.js'), read(ASSETS, 'page.js')];
  const figures = figuresOf(record);
  const timeline = timelineOf(record);
  const policy = [
    "default-src 'none'",
    'img-src data:',
    `style-src ${hashOf(style)}`,
    `script-src ${scripts.map(hashOf).join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  // Inside of a script nothing may look like its end.
  const plots = new Html(JSON.stringify(plotsOf(record, timeline)).replaceAll('<', '\\u003c'));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="standstill ${record.standstill}">
<link rel="icon" href="data:,">
<title>${record.result}: ${record.name}</title>
<style>${new Html(style)}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the report</a>
${titleBlock(record)}
<main id="content">
${cards(record, figures)}
${problemsSection(record)}
${expectationsSection(record)}
${timelineSection(record, timeline)}
${freezesSection(record, figures)}
${memorySection(figures)}
${clocksSection(figures)}
${probesSection(record)}
${rolloutSection(record)}
${processesSection(record)}
${logSection(record)}
${machineSection(record)}
</main>
<footer><p>${name(record.name)} · ${formatNs(record.durationNs)} · made by Standstill ${record.standstill} from the record of the run: nothing in this page was fetched.</p></footer>
<script type="application/json" id="plots">${plots}</script>
${scripts.map((script) => html`<script>${new Html(script)}</script>`)}
</body>
</html>
`.markup;
}

const hashOf = (content: string): string => `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
