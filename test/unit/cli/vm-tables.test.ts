import { describe, expect, it } from 'vitest';
import { renderTickers, renderVerdict } from '../../../src/cli/render/verdict.js';
import { renderVms } from '../../../src/cli/render/vm-tables.js';
import { terminalOf } from '../../../src/cli/terminal.js';
import { reportOf, vmReportOf } from '../report-fixture.js';

const { style } = terminalOf(process.stdout, false);

describe.each([60, 80, 100, 160])('at %d columns', (columns) => {
  it('shows all of a VM within them', () => {
    const vm = vmReportOf({ name: 'page-writer-3', stepsBefore: 1_234_567_890, clockLagBeforeNs: 123_456_789 });
    const text = renderVms([vm, vm], { style, columns });
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(Math.max(columns, 80));
    for (const shown of ['page-writer-3', '1,234,567,890', '0123456789abcdef', 'preserved', '123 ms']) {
      expect(text).toContain(shown);
    }
  });
});

it.each([60, 100])('at %d columns shows what a process does not have as such', (columns) => {
  const nothing = { stepsBefore: null, stepsAfter: null, clockLagBeforeNs: null, clockLagAfterNs: null };
  const text = renderVms([vmReportOf({ name: 'redis', kind: 'process', ...nothing })], { style, columns });
  expect(text).toMatch(columns < 98 ? /steps –, clock lag –$/ : /redis .* –\n/);
});

it('sets unequal digests apart', () => {
  const text = renderVms([vmReportOf({ memory: 'changed', digestAfter: 'ffffffffffffffff' })], { style, columns: 100 });
  expect(text).toContain('0123456789abcdef ≠ ffffffffffffffff');
  expect(text).toContain('CHANGED');
});

it('gives a verdict in one sentence, and what is wrong below it', () => {
  expect(renderVerdict(reportOf(), style)).toMatch(
    /^✔ Memory preserved: 1 of 1 VMs\n {2}1 MiB compared, longest blackout 1.00 µs/,
  );
  const bad = renderVerdict(reportOf({ ok: false, problems: ['vm-1: memory is unproven'] }), style);
  expect(bad).toMatch(/^✘ Not preserved as promised: .*\n.*\n {2}• vm-1: memory is unproven$/);
});

it('says what a ticker felt, and nothing where there is none', () => {
  expect(renderTickers(reportOf(), style)).toBe('');
  const ticker = {
    guestGapMaxNs: 10,
    trueGapMaxNs: 2e6,
    wallJumpMaxNs: 2e6,
    hiddenNs: 2e6,
    pausedNs: 2e6,
    exact: true,
  };
  expect(renderTickers(reportOf({ vms: [vmReportOf({ ticker })] }), style)).toContain('2.00 ms in truth');
});
