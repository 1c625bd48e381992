import { Counter, Gauge, type Registry } from 'prom-client';
import type { Host } from '../host/host.js';
import type { VmState } from '../native/contract.js';

const STATES = ['created', 'running', 'idle', 'pausing', 'paused', 'faulted'] as const satisfies readonly VmState[];

/** What is read off the hosts at each scrape: their VMs and the memory of their snapshots. */
export function registerStateMetrics(registry: Registry, hosts: readonly Host[]): void {
  const registers = [registry];
  new Gauge({
    name: 'standstill_vms',
    help: 'VMs that are not closed, by state',
    labelNames: ['host', 'state'],
    registers,
    collect() {
      this.reset();
      for (const { name: host, vms } of hosts) {
        for (const state of STATES) this.set({ host, state }, 0);
        for (const { state } of vms) this.inc({ host, state });
      }
    },
  });
  new Counter({
    name: 'standstill_vm_dirty_pages_total',
    help: 'Pages of RAM that the guest has written, counted once in each epoch of write marks that is folded',
    labelNames: ['host', 'vm'],
    registers,
    collect() {
      this.reset();
      for (const { name: host, vms } of hosts) {
        for (const vm of vms) {
          const stats = vm.stats();
          // Of a process nobody marks the writes.
          if ('dirtyPagesTotal' in stats) this.inc({ host, vm: vm.name }, stats.dirtyPagesTotal);
        }
      }
    },
  });
  for (const [what, help] of [
    ['limit', 'What the snapshots of a host may hold'],
    ['held', 'What the snapshots of a host hold or have reserved'],
    ['resident', 'What of it has memory behind it, that kept for the next snapshot too'],
  ] as const) {
    new Gauge({
      name: `standstill_snapshot_${what}_bytes`,
      help,
      labelNames: ['host'],
      registers,
      collect() {
        this.reset();
        for (const host of hosts) this.set({ host: host.name }, host.snapshotMemory[`${what}Bytes`]);
      },
    });
  }
}
