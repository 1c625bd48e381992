import { extname } from 'node:path';
import { unexpected } from '../base/errors.js';
import { renderHtml } from './html/page.js';
import { renderJunit } from './junit.js';
import { renderMarkdown } from './markdown.js';
import type { RunRecord } from './record.js';

const RENDERERS = {
  json: (record: RunRecord) => `${JSON.stringify(record, null, 1)}\n`,
  html: renderHtml,
  junit: renderJunit,
  markdown: renderMarkdown,
} as const;

/** A form that a report can have. */
export type ReportFormat = keyof typeof RENDERERS;

const EXTENSIONS: Readonly<Record<string, ReportFormat>> = {
  '.json': 'json',
  '.html': 'html',
  '.xml': 'junit',
  '.md': 'markdown',
};

/**
 * The report of a run as text: 'json', the record itself; 'html', a page that needs nothing besides itself; 'junit', JUnit
 * XML; 'markdown', for the summary of a CI job. It reads the record and nothing else.
 */
export function renderReport(record: RunRecord, format: ReportFormat): string {
  if (Object.hasOwn(RENDERERS, format)) return RENDERERS[format](record);
  throw unexpected('ERR_INVALID_OPTION', Object.keys(RENDERERS).join(', '), 'the format of a report', format);
}

/** The format that a file's name asks for, by its extension: .json, .html, .xml, .md. Throws ERR_INVALID_OPTION. */
export function reportFormatOf(path: string, what = 'the name of a report'): ReportFormat {
  const format = EXTENSIONS[extname(path).toLowerCase()];
  if (format !== undefined) return format;
  throw unexpected('ERR_INVALID_OPTION', `a file that ends in ${Object.keys(EXTENSIONS).join(', ')}`, what, path);
}
