import { formatBytes } from '../../base/units.js';
import { readOr } from '../../bench/environment.js';
import { addon } from '../../native/addon.js';
import type { Check } from '../check.js';

const WHERE_UNKNOWN = {
  consequence: 'it cannot be tried without the native engine',
  remedy: 'mend the native engine',
};

export const KERNEL_CHECKS: readonly Check[] = [
  {
    id: 'memfd',
    title: 'files in memory (memfd)',
    isRequired: true,
    look: async () => {
      const { memfd } = addon.tryMachine();
      if (memfd !== null) throw new Error(memfd);
      return {
        status: 'ok',
        found: 'made, mapped and sealed',
        consequence: 'guest RAM is a mapping of its own, and clones share it copy-on-write',
        remedy: null,
      };
    },
    whereMissing: {
      consequence: 'no VM can have RAM',
      remedy: 'raise `ulimit -f`; allow memfd_create in the seccomp profile of the container',
    },
  },
  {
    id: 'huge-pages',
    title: 'huge pages',
    isRequired: false,
    look: async () => {
      const { hugePageBytes } = addon.tryMachine();
      const setting = /\[(\w+)\]/.exec(readOr('/sys/kernel/mm/transparent_hugepage/enabled', ''))?.[1] ?? 'absent';
      const has = hugePageBytes > 0;
      return {
        status: has ? 'ok' : 'limited',
        found: `${formatBytes(hugePageBytes)} of 4 MiB that were asked for; transparent_hugepage is ${setting}`,
        consequence: has
          ? 'the pages of snapshots lie in huge pages: copies into them fault seldom'
          : 'snapshots are copied into pages of 4 KiB: the first ones of a host fault once a page',
        remedy: has ? null : 'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled',
        values: { hugePageBytes, setting },
      };
    },
    whereMissing: WHERE_UNKNOWN,
  },
  {
    id: 'userfaultfd',
    title: 'userfaultfd',
    isRequired: false,
    look: async () => {
      const { userfaultfd } = addon.tryMachine();
      const has = userfaultfd === null;
      return {
        status: has ? 'ok' : 'limited',
        found: has ? 'to be had' : userfaultfd,
        consequence: has
          ? "`standstill bench` sets the engine beside the kernel's write protection; the engine itself needs none"
          : "`standstill bench` leaves the comparison with the kernel's write protection out; the engine needs none",
        remedy: has
          ? null
          : 'allow userfaultfd in the seccomp profile of the container; sysctl vm.unprivileged_userfaultfd=1',
      };
    },
    whereMissing: WHERE_UNKNOWN,
  },
];
