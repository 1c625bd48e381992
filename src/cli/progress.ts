import { createLogUpdate } from 'log-update';
import { monotonicNs } from '../base/clock.js';
import { formatNs } from '../base/units.js';
import type { MaintenanceEvent, MaintenancePhase } from '../maintenance/events.js';
import type { OutputFlags } from './output-flags.js';
import { terminalOf } from './terminal.js';

const REDRAW_INTERVAL_NS = 40_000_000n;
const BAR_COLUMNS = 24;

const PHASE_TEXTS: Readonly<Record<MaintenancePhase, string>> = {
  notify: 'waiting until the guests acknowledge',
  'pre-stage': 'staging and verifying the bundles; the VMs run',
  quiesce: 'loading the patches; the VMs run',
  'shut-down': 'shutting the VMs down',
  restart: 'starting the VMs again',
  freeze: 'freezing the VMs',
  'digest-at-halt': 'frozen: reading memory',
  patch: 'frozen: patching the host',
  'digest-at-release': 'frozen: reading memory again',
  release: 'released: the VMs run',
  'clock-sync': 'synchronising the clocks',
  'digest-after-release': 'reading memory behind the running VMs',
  commit: 'committing the new versions',
  check: "checking the guests' invariants",
  done: 'done',
};

export interface Progress extends Disposable {
  /** A line of text for what is under way. */
  say(text: string): void;
  /** How much of it is done, from 0 to 1. */
  showShare(share: number, text: string): void;
  onEvent(event: MaintenanceEvent): void;
}

const SILENT: Progress = { say() {}, showShare() {}, onEvent() {}, [Symbol.dispose]() {} };

/**
 * Live progress on standard error, where that is a terminal, gone when disposed; elsewhere nothing, or for work of
 * minutes, of whose parts a log is to tell, a line for each. Nothing with --quiet.
 */
export function showProgress({ quiet, color }: OutputFlags, elsewhere: 'nothing' | 'lines' = 'nothing'): Progress {
  if (quiet) return SILENT;
  if (process.stderr.isTTY !== true) return elsewhere === 'lines' ? lines() : SILENT;
  const { style } = terminalOf(process.stderr, color);
  const update = createLogUpdate(process.stderr, { showCursor: true });
  const startedAtNs = monotonicNs();
  let drawnAtNs = 0n;
  let headline = '';
  let detail = '';

  // Some of the events are inside the blackout, which drawing must not prolong.
  const draw = (isUrgent: boolean) => {
    const nowNs = monotonicNs();
    if (!isUrgent && nowNs - drawnAtNs < REDRAW_INTERVAL_NS) return;
    drawnAtNs = nowNs;
    const elapsed = style.dim(formatNs(Number(nowNs - startedAtNs)));
    update(`${style.cyan('●')} ${headline} ${elapsed}${detail === '' ? '' : `\n  ${detail}`}`);
  };

  return {
    say(text) {
      headline = text;
      detail = '';
      draw(true);
    },
    showShare(share, text) {
      const done = Math.round(share * BAR_COLUMNS);
      detail = `${'━'.repeat(done)}${style.dim('─'.repeat(BAR_COLUMNS - done))} ${text}`;
      draw(false);
    },
    onEvent(event) {
      if (event.type === 'phase') this.say(PHASE_TEXTS[event.phase]);
      if (event.type !== 'patch-progress') return;
      this.showShare(
        event.progress,
        `${event.patch}${event.message === undefined ? '' : style.dim(` ${event.message}`)}`,
      );
    },
    [Symbol.dispose]() {
      update.clear();
    },
  };
}

function lines(): Progress {
  const startedAtNs = monotonicNs();
  return {
    ...SILENT,
    say: (text) => void process.stderr.write(`● ${text} ${formatNs(Number(monotonicNs() - startedAtNs))}\n`),
  };
}
