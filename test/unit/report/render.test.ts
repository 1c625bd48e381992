import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseRunRecord } from '../../../src/report/record-schema.js';
import { type ReportFormat, renderReport, reportFormatOf } from '../../../src/report/render.js';
import { maintainedRun } from '../../fixtures/run-record.js';

const HOSTILE = `</script><img src=x onerror="alert(1)">&amp;' | \`x\` ]]> \u0000\u202e`;
const hostile = maintainedRun(HOSTILE, `<b>${HOSTILE}`);
const plain = maintainedRun('web', 'host');

describe('a report', () => {
  it('as JSON is the record', () => {
    expect(parseRunRecord(renderReport(hostile, 'json'), 'run.json')).toEqual(hostile);
  });

  it('as HTML takes what users have named for text', () => {
    const page = renderReport(hostile, 'html');
    expect(page).not.toContain('<img');
    expect(page).not.toContain('<b>');
    expect(page.match(/<script/g)).toHaveLength(3);
    expect(page.match(/<\/script>/g)).toHaveLength(3);
  });

  it('as HTML lets no script, style or request in but its own', () => {
    const page = renderReport(plain, 'html');
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? '';
    const hashOf = (content: string) => `&#39;sha256-${createHash('sha256').update(content).digest('base64')}&#39;`;
    const scripts = [...page.matchAll(/<script>(.*?)<\/script>/gs)].map(([, content]) => content ?? '');
    expect(policy).toContain(`script-src ${scripts.map(hashOf).join(' ')};`);
    expect(policy).toContain('default-src &#39;none&#39;');
    expect(policy).not.toContain('unsafe');
    expect(page.replace(/<script.*?<\/script>/gs, '')).not.toMatch(/(src|href)="(?!#|data:)|url\(| style="/);
  });

  it('as HTML says where memory changed', () => {
    expect(renderReport(plain, 'html')).toContain('the first is page 0x3 at 0x3000');
  });

  it('as JUnit XML has a test for each expectation, VM and probe, and a failure for what does not hold', () => {
    const xml = renderReport(plain, 'junit');
    expect(xml).toContain('tests="6" failures="3" errors="0"');
    expect(xml).toContain('Expected memory: preserved but observed 1 of 2 VMs');
    expect(xml).toContain('name="web-2" time="0.02"');
  });

  it('as JUnit XML is well-formed, whatever users have named', () => {
    const xml = renderReport(hostile, 'junit');
    expect(xml).not.toContain('\u0000');
    const markup = xml.replace(/"[^"]*"/g, '""').replace(/<!\[CDATA\[.*?\]\]>/gs, '');
    expect(markup).toContain('<failure message="" type=""/>');
    expect(markup).not.toMatch(/<(img|b>)|\]\]>/);
  });

  it('as markdown takes what users have named for text', () => {
    const markdown = renderReport(hostile, 'markdown');
    expect(markdown).toContain('memory changed in 1 page, first page 3');
    expect(markdown.replace(/\\</g, '')).not.toContain('<');
    const rows = markdown.split('\n').filter((line) => line.startsWith('|'));
    expect(rows.length).toBeGreaterThan(8);
    const cellsOf = (row: string) => row.replace(/\\\|/g, '').split('|').length;
    expect(rows.filter((row) => row.includes('onerror')).map(cellsOf)).toEqual([6, 7, 7, 8]);
  });

  it.each<[string, ReportFormat]>([
    ['a/run.html', 'html'],
    ['RUN.JSON', 'json'],
    ['run.xml', 'junit'],
    ['run.x.md', 'markdown'],
  ])('is of the format that its name asks for: %s', (path, format) => {
    expect(reportFormatOf(path)).toBe(format);
  });

  it.each(['run', 'run.htm', '.html', 'html', ''])("has no format for '%s'", (path) => {
    expect(() => reportFormatOf(path)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
  });
});
