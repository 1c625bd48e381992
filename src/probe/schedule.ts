import { monotonicNs } from '../base/clock.js';
import { NS_PER_MS } from '../base/units.js';

/** Timers are up to so late on a quiet machine. What is later is a stall of this process. */
const TIMER_ACCURACY_NS = 2n * BigInt(NS_PER_MS);

/**
 * Asks at a fixed rate, whether or not the asks before have been answered, until it is disposed of. `dueAtNs` is when an
 * ask was due, to a timer's accuracy; where this process stalls, those that it missed are made up for, each with the time
 * at which it was due. So no outage hides behind an ask that was under way: there is no coordinated omission.
 */
export function atFixedRate(everyMs: number, ask: (dueAtNs: bigint, lateNs: number) => void): Disposable {
  const everyNs = BigInt(Math.round(everyMs * NS_PER_MS));
  let dueAtNs = monotonicNs();
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const tick = () => {
    for (let nowNs = monotonicNs(); dueAtNs <= nowNs && !isOver; nowNs = monotonicNs()) {
      const lateNs = nowNs - dueAtNs;
      ask(lateNs <= TIMER_ACCURACY_NS ? nowNs : dueAtNs, Number(lateNs));
      dueAtNs += everyNs;
    }
    if (!isOver) timer = setTimeout(tick, Math.max(1, Math.ceil(Number(dueAtNs - monotonicNs()) / NS_PER_MS)));
  };
  tick();
  return {
    [Symbol.dispose]: () => {
      isOver = true;
      clearTimeout(timer);
    },
  };
}
