import type { Fleet } from '../../fleet/fleet.js';
import type { Progress } from '../progress.js';

/** Shows which update domain is worked on, and how many of its hosts are done. */
export function watchRollout(fleet: Fleet, progress: Progress): Disposable {
  let hosts = 0;
  let done = 0;
  return fleet.log.subscribe((entry) => {
    switch (entry.type) {
      case 'domain-begin':
        hosts = entry.hosts.length;
        done = 0;
        progress.say(
          `${entry.direction === 'forward' ? 'patching' : 'taking back'} update domain ${entry.updateDomain}: ${entry.hosts.join(', ')}`,
        );
        break;
      case 'host-patch-end':
        done += 1;
        progress.showShare(Math.min(1, done / Math.max(1, hosts)), `${entry.host} ${entry.ok ? 'patched' : 'failed'}`);
        break;
      case 'domain-end':
        progress.say(`update domain ${entry.updateDomain} is ${entry.ok ? 'well' : 'not well'}`);
        break;
      default:
        break;
    }
  });
}
