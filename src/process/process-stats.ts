import { readFileSync } from 'node:fs';
import { monotonicNs } from '../base/clock.js';
import { KIB, NS_PER_MS } from '../base/units.js';
import type { VmStats } from '../vm/vm.js';
import { endingOf, type ProcessEnding, type ProcessGuest } from './guest.js';

/** What a process guest is doing. Of what only an emulated guest has, steps and epochs among them, the values are 0. */
export interface ProcessStats extends VmStats {
  /** Of the command that was started; 0 before. */
  readonly pid: number;
  readonly processes: number;
  readonly threads: number;
  /** Processor time of all living tasks. It stands still while the guest is frozen. */
  readonly cpuTimeNs: number;
  readonly residentBytes: number;
  /** The command has ended and left descendants, which are the guest since. */
  readonly daemonised: boolean;
  /** Descendants that somebody has moved out of the group: no freeze reaches them. */
  readonly outsideGroup: number;
  readonly restarts: number;
  /** How the guest ended; null where it lives, or was never started. */
  readonly ending: ProcessEnding | null;
}

/** Walks over the processes of the guest. ERR_VM_CLOSED, ERR_SUPERVISOR_LOST. */
export function statsOf(guest: ProcessGuest, restarts: number): ProcessStats {
  const reply = guest.members();
  const hostNs = monotonicNs();
  return {
    state: guest.state,
    steps: 0,
    epoch: 0,
    foldedEpoch: 0,
    dirtyPages: 0,
    dirtyPagesTotal: 0,
    fault: null,
    ticker: null,
    // The guest reads the clocks of the host.
    clock: {
      guestMonotonicNs: Number(hostNs),
      guestWallNs: BigInt(Date.now()) * BigInt(NS_PER_MS),
      lagNs: 0,
      pausedTotalNs: 0,
    },
    pid: reply.pid,
    processes: reply.pids.length,
    ...usageOf(reply.pids),
    residentBytes: residentBytesOf(reply.pids),
    daemonised: reply.daemonised,
    outsideGroup: reply.outsideGroup,
    restarts,
    ending: reply.life === 'ended' ? endingOf(reply) : null,
  };
}

/** Of what has ended meanwhile, nothing. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

export const residentBytesOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + Number(/^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, 'status'))?.[1] ?? 0) * KIB, 0);

const TICK_NS = 10_000_000;

/** utime and stime, in ticks of 10 ms, are the 12th and 13th field behind the name, the number of threads the 18th. */
function usageOf(pids: readonly number[]): { threads: number; cpuTimeNs: number } {
  const usage = { threads: 0, cpuTimeNs: 0 };
  for (const pid of pids) {
    const stat = readProc(pid, 'stat');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    usage.cpuTimeNs += (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_NS;
    usage.threads += Number(fields[17] ?? 0);
  }
  return usage;
}
