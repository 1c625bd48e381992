import type { LogEntry } from '../../base/event-log.js';
import type { RunEvent } from '../../report/record.js';

export type Seen = 'created' | 'runs' | 'frozen' | 'paused' | 'ended';

/** What each VM does now, as far as a run's log has told it. */
export class VmWatch {
  readonly vms = new Map<string, Seen>();
  /** The VMs of each host's maintenance. */
  readonly #maintained = new Map<string, readonly string[]>();

  take(entry: LogEntry<RunEvent>): void {
    switch (entry.type) {
      case 'vm-created':
        this.vms.set(entry.vm, 'created');
        break;
      case 'vm-started':
      case 'vm-resumed':
      case 'impact-end':
        this.vms.set(entry.vm, 'runs');
        break;
      case 'vm-paused':
        this.vms.set(entry.vm, 'paused');
        break;
      case 'vm-faulted':
      case 'vm-closed':
        this.vms.set(entry.vm, 'ended');
        break;
      case 'freeze-begin':
        for (const vm of entry.vms) this.vms.set(vm, 'frozen');
        break;
      case 'maintenance-begin':
        this.#maintained.set(entry.host, entry.vms);
        break;
      case 'maintenance-phase':
        // The impact is written down behind the freeze.
        if (entry.phase !== 'freeze' && entry.phase !== 'shut-down') break;
        for (const vm of this.#maintained.get(entry.host) ?? []) this.vms.set(vm, 'frozen');
        break;
      default:
        break;
    }
  }
}
