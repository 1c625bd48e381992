// P1: from the request to the halt, measured in the engine, beside the least that two threads can do and beside
// stopping a process.
import { createVm, HANDSHAKE_TIMEOUT_NS, MIB } from '../addon.mjs';
import { LatencySeries } from '../histogram.mjs';
import { caseResult, inTurns } from '../results.mjs';
import { busyGap } from '../wait.mjs';

const PROGRAMS = ['page-writer', 'kv-store', 'queue', 'hash-chain', 'ticker'];

export const pause = {
  name: 'pause',
  promise: 'P1',
  summary: 'pause latency in the engine; limit: two threads, peer: SIGSTOP of a process',
  async run({ addon, limits, quick }) {
    const rounds = quick ? 5 : 20;
    const perRound = quick ? 220 : 520;
    const results = [];
    for (const program of quick ? PROGRAMS.slice(0, 2) : PROGRAMS) {
      const latency = new LatencySeries();
      const halt = new LatencySeries();
      const handshake = new LatencySeries();
      const sigstop = new LatencySeries();
      const vm = await createVm(addon, { program, ramBytes: 64 * MIB });
      vm.start();
      const ours = ({ warmUp }) => {
        vm.resume();
        for (let i = 0; i < perRound; i++) {
          busyGap();
          const { haltNs, latencyNs } = vm.pause(HANDSHAKE_TIMEOUT_NS);
          // The last pause of a round stays, so that the guest is out of the others' way.
          if (i + 1 < perRound) vm.resume();
          if (warmUp) continue;
          latency.record(latencyNs);
          halt.record(haltNs);
        }
      };
      const theirs = async ({ warmUp }) => {
        const pair = await limits.ask('handshake', perRound);
        const process = await limits.ask('sigstop', perRound);
        if (warmUp) return;
        handshake.recordAll(pair.haltNs);
        sigstop.recordAll(process.haltNs);
      };
      await inTurns(rounds, limits ? [ours, theirs] : [ours]);
      vm.close();
      results.push(
        caseResult({
          name: `pause ${program}`,
          promise: 'P1',
          ours: latency.summary(),
          limit: limits && { name: 'handshake of two threads', summary: handshake.summary() },
          peer: limits && { name: 'SIGSTOP → waitpid', summary: sigstop.summary() },
          target: { text: 'p50 ≤ 1 µs, p99 ≤ 10 µs', atMost: { p50: 1000, p99: 10_000 } },
          details: { requestToGuestsOwnStamp: halt.summary() },
        }),
      );
    }
    return results;
  },
};
