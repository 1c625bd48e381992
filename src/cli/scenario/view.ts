import { createLogUpdate } from 'log-update';
import { monotonicNs } from '../../base/clock.js';
import type { LogEntry } from '../../base/event-log.js';
import { formatNs } from '../../base/units.js';
import type { RunEvent } from '../../report/record.js';
import type { Style } from '../terminal.js';
import { describeEntry } from './describe.js';
import { type Seen, VmWatch } from './vm-watch.js';

const REDRAW_MS = 100;
const LINES_MAX = 8;
const VMS_MAX = 24;

export interface RunView extends Disposable {
  take(entry: LogEntry<RunEvent>): void;
  /** A line that stays, in every mode. */
  say(text: string): void;
}

/** What a run does, on standard error: a live view where that is a terminal, elsewhere a line for each thing that happens. */
export function viewOf(title: string, style: Style, wanted: boolean): RunView {
  if (!wanted) return { take() {}, say: writeLine, [Symbol.dispose]() {} };
  return process.stderr.isTTY === true ? liveView(title, style) : plainView(title);
}

const writeLine = (text: string): void => void process.stderr.write(`${text}\n`);

/** Of the moment since the log's begin. */
const stamp = (entry: LogEntry<RunEvent>): string => formatNs(entry.atNs).padStart(8);

function plainView(title: string): RunView {
  writeLine(title);
  return {
    take(entry) {
      const text = describeEntry(entry);
      if (text !== undefined) writeLine(`${stamp(entry)}  ${text}`);
    },
    say: writeLine,
    [Symbol.dispose]() {},
  };
}

/** Drawn by a timer: some entries are told while VMs stand still, which drawing must not prolong. */
function liveView(title: string, style: Style): RunView {
  const update = createLogUpdate(process.stderr, { showCursor: true });
  const beganAtNs = monotonicNs();
  const watch = new VmWatch();
  const lines: string[] = [];
  const draw = () => {
    const elapsed = style.dim(formatNs(Number(monotonicNs() - beganAtNs)));
    update([`${style.cyan('●')} ${title} ${elapsed}`, ...vmLines(watch, style), ...lines.map(style.dim)].join('\n'));
  };
  const timer = setInterval(draw, REDRAW_MS);
  timer.unref();
  draw();
  return {
    take(entry) {
      watch.take(entry);
      const text = describeEntry(entry);
      if (text === undefined) return;
      lines.push(`  ${stamp(entry)}  ${text}`);
      if (lines.length > LINES_MAX) lines.shift();
    },
    say: (text) => update.persist(text),
    [Symbol.dispose]() {
      clearInterval(timer);
      update.clear();
    },
  };
}

/** One mark a VM where they are few, else a count of each state. */
function vmLines({ vms }: VmWatch, style: Style): string[] {
  if (vms.size === 0) return [];
  const marks: Record<Seen, string> = {
    created: style.dim('○'),
    runs: style.green('▶'),
    frozen: style.cyan('❚❚'),
    paused: style.yellow('❚❚'),
    ended: style.red('✘'),
  };
  if (vms.size <= VMS_MAX) return [`  ${[...vms].map(([name, seen]) => `${marks[seen]} ${name}`).join('  ')}`];
  const counts = new Map<Seen, number>();
  for (const seen of vms.values()) counts.set(seen, (counts.get(seen) ?? 0) + 1);
  return [`  ${[...counts].map(([seen, count]) => `${marks[seen]} ${count} ${seen}`).join('  ')}`];
}
