// How fast the memory of a frozen process is read and digested, beside reading as much memory.
import { GIB, MIB } from '../../base/units.js';
import { type BenchCase, CaseSkipped } from '../case.js';
import { startProcess } from '../process-guest.js';

export const processDigest: BenchCase = {
  name: 'process-digest',
  promise: null,
  summary: 'bandwidth of the memory proof of a real program; limit: reading as much memory, peer: copying it',
  params: ['memoryBytes'],
  seconds: 20,
  async run(context) {
    const { addon, limits, quick, params, figures, inTurns } = context;
    const bytes = params.memoryBytes ?? (quick ? 64 * MIB : GIB);
    // No page of it is like another, and each is its own.
    const script = `const b = Buffer.alloc(${bytes}); for (let i = 0; i < ${bytes}; i += 512) b.writeUInt32LE(i / 512, i); console.log('up'); setInterval(() => b[0], 1e9)`;
    const vm = await startProcess({ command: process.execPath, args: ['-e', script], ready: { line: 'up' } }, context);
    if (vm === null) throw new CaseSkipped('this machine has no freezer');
    const [ours, reading, copying] = [figures(), figures(), figures()];
    const threads = addon.engineInfo().poolThreads;
    try {
      vm.pause({ timeoutMs: 10_000 });
      const gbPerS = (read: number, elapsedNs: number) => read / elapsedNs;
      await inTurns(quick ? 3 : 12, [
        async ({ warmUp }) => {
          const { bytesRead, elapsedNs } = (await vm.memoryImage()).info;
          if (!warmUp) ours.record(gbPerS(bytesRead, elapsedNs));
        },
        async ({ warmUp }) => {
          const { elapsedNs } = (await limits?.ask('read', threads, bytes / MIB)) ?? { elapsedNs: 0 };
          if (!warmUp && elapsedNs > 0) reading.record(gbPerS(bytes, elapsedNs));
        },
        async ({ warmUp }) => {
          const { elapsedNs } = (await limits?.ask('copy', threads, bytes / MIB)) ?? { elapsedNs: 0 };
          if (!warmUp && elapsedNs > 0) copying.record(gbPerS(bytes, elapsedNs));
        },
      ]);
    } finally {
      vm.close();
    }
    return [
      {
        title: `process-digest ${bytes / MIB} MiB`,
        params: { ramBytes: bytes, threads },
        unit: 'GB/s',
        ours,
        limit: { name: 'reading it (vector loads)', series: reading },
        peers: [
          {
            name: 'copying it (memcpy, bytes copied)',
            series: copying,
            differs: 'within one process; process_vm_readv finds and copies each page by the kernel',
          },
        ],
      },
    ];
  },
};
