// P1: from the request to the halt, measured in the engine, beside the least that two threads can do and beside
// stopping a process.
import { MIB } from '../../base/units.js';
import type { BenchCase, MetricDraft } from '../case.js';
import { createVm, HANDSHAKE_TIMEOUT_NS } from '../engine.js';
import { busyGap } from '../wait.js';

const PROGRAMS = ['page-writer', 'kv-store', 'queue', 'hash-chain', 'ticker'];

export const pause: BenchCase = {
  name: 'pause',
  promise: 'P1',
  summary: 'pause latency in the engine; limit: two threads, peer: SIGSTOP of a process',
  params: ['memoryBytes', 'program'],
  seconds: 25,
  async run({ limits, quick, params, latencies, inTurns }) {
    const rounds = quick ? 5 : 20;
    const perRound = quick ? 220 : 520;
    const ramBytes = params.memoryBytes ?? 64 * MIB;
    const programs = params.program === undefined ? PROGRAMS : [params.program];
    const drafts: MetricDraft[] = [];
    for (const program of quick ? programs.slice(0, 2) : programs) {
      const latency = latencies();
      const halt = latencies();
      const handshake = latencies();
      const sigstop = latencies();
      const vm = await createVm({ program, ramBytes });
      vm.start();
      const ours = ({ warmUp }: { warmUp: boolean }) => {
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
      const theirs = async ({ warmUp }: { warmUp: boolean }) => {
        const pair = await limits?.ask('handshake', perRound);
        const process = await limits?.ask('sigstop', perRound);
        if (warmUp) return;
        handshake.recordAll(pair?.haltNs ?? []);
        sigstop.recordAll(process?.haltNs ?? []);
      };
      await inTurns(rounds, [ours, theirs]);
      vm.close();
      drafts.push({
        title: `pause ${program}`,
        params: { program, ramBytes },
        ours: latency,
        limit: { name: 'handshake of two threads', series: handshake },
        peers: [{ name: 'SIGSTOP → waitpid', series: sigstop, differs: 'a process, not a guest in it' }],
        target: { text: 'p50 ≤ 1 µs, p99 ≤ 10 µs', atMost: { p50: 1000, p99: 10_000 } },
        details: { requestToGuestsOwnStamp: halt.summary() },
      });
    }
    return drafts;
  },
};
