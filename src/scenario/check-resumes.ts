import { show } from '../base/errors.js';
import type { Sections } from './check.js';
import { type Finding, placeOf } from './issues.js';
import { expand, startMs } from './resolve.js';
import type { ScenarioFile } from './schema.js';

type Entry = ScenarioFile['schedule'][number];

/** Each resume of a VM that no entry can have paused before. One that is due after something may come at any time. */
export function checkResumes(schedule: readonly Entry[], { vms }: Sections): Finding[] {
  if (vms === undefined) return [];
  return schedule.flatMap((entry, index) => {
    const latestMs = entry.after === undefined ? startMs(entry) + entry.jitter : Number.POSITIVE_INFINITY;
    const pauses = schedule.filter((each) => each.after !== undefined || startMs(each) <= latestMs);
    const paused = expand(
      pauses.flatMap(({ pause }) => pause?.vms ?? []),
      { vms },
    );
    return (entry.resume?.vms ?? []).flatMap((name, at): Finding[] => {
      if (expand([name], { vms }).every((vm) => paused.includes(vm))) return [];
      const path = ['schedule', index, 'resume', 'vms', at];
      const message = `Expected a VM that is paused before for '${placeOf(path)}' but received ${show(name)}, which no earlier entry pauses`;
      return [{ path, message, hint: `add '- at: …' with 'pause: { vms: [${name}] }' before it` }];
    });
  });
}
