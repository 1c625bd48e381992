import { formatBytes, formatNs } from '../../base/units.js';
import type { MaintenanceReport, TickerImpact } from '../../maintenance/report.js';
import type { Style } from '../terminal.js';

/** The last lines: whether all is well, in one sentence, and what is not. */
export function renderVerdict(report: MaintenanceReport, style: Style): string {
  const { vms, budgetMs, problems } = report;
  const preserved = vms.filter((vm) => vm.memory === 'preserved').length;
  const count = `${preserved} of ${vms.length} VMs`;
  const readBytes = vms.reduce((sum, vm) => sum + vm.bytesRead, 0);
  const longestNs = Math.max(0, ...vms.map((vm) => vm.blackoutNs));
  return [
    report.ok
      ? `${style.green('✔')} ${style.bold('Memory preserved')}: ${count}`
      : `${style.red('✘')} ${style.bold('Not preserved as promised')}: memory preserved in ${count}`,
    `  ${formatBytes(readBytes)} compared, longest blackout ${formatNs(longestNs)} of a budget of ${formatNs(budgetMs * 1e6)}`,
    ...problems.map((problem) => `  ${style.red('•')} ${problem}`),
  ].join('\n');
}

/** What became of the host's components; nothing where there was no bundle. */
export function renderUpdate({ patches, update }: MaintenanceReport, style: Style): string {
  if (update === null) return '';
  const isKept = update.outcome === 'committed';
  const lines = patches.flatMap(({ component }) =>
    component === null
      ? []
      : `${component.name} ${component.from} → ${component.to} ${isKept ? style.green('committed') : style.red('rolled back')}`,
  );
  const staged = update.stagedInFreeze ? 'inside the freeze' : 'before the freeze';
  const saved = update.savedNs > 0 ? `, which spared the VMs ${formatNs(update.savedNs)} of blackout` : '';
  const staging = `${formatNs(update.stagingNs)}: extracted and verified; staged ${staged}${saved}`;
  return [style.bold('Components'), ...lines, style.dim(staging)].join('\n');
}

/** What the guests that read their clock felt of the freeze, a line each. */
export function renderTickers({ vms }: MaintenanceReport, style: Style): string {
  const lines = vms.flatMap((vm) => (vm.ticker === null ? [] : [tickerLine(vm.name, vm.ticker, style)]));
  return lines.length === 0 ? '' : [style.bold('Felt inside the guest'), ...lines].join('\n');
}

function tickerLine(name: string, ticker: TickerImpact, style: Style): string {
  const exact = {
    true: style.green('equals its pauses to the nanosecond'),
    false: style.red(`differs from its pauses of ${formatNs(ticker.pausedNs)}`),
    null: style.yellow('not comparable: it did not tick around the freeze'),
  }[String(ticker.exact) as 'true' | 'false' | 'null'];
  const indent = ' '.repeat(name.length + 2);
  return [
    `${name}  longest gap between two ticks: ${style.bold(formatNs(ticker.trueGapMaxNs))} in truth, ${formatNs(ticker.guestGapMaxNs)} by its own clock`,
    `${indent}its wall clock stepped ${formatNs(ticker.wallJumpMaxNs)} at the synchronisation`,
    `${indent}time it did not see: ${ticker.hiddenNs.toLocaleString('en')} ns, which ${exact}`,
  ].join('\n');
}
