import type { Sections } from './check.js';
import { type Named, referTo } from './check-names.js';
import { type Finding, placeOf } from './issues.js';
import { metricOf } from './metrics.js';

/** What is wrong with the expectations: names of nothing, and what there is nothing to observe for. */
export function checkExpectations(sections: Sections, names: Named): Finding[] {
  return (sections.expect ?? []).flatMap(({ metric, args, text }, index) => {
    const path = ['expect', index];
    const { of } = metricOf(metric);
    const dangling = args.flatMap((name): Finding[] => {
      if (of === null) return [];
      const part = { offset: Math.max(0, text.indexOf(name, text.indexOf('('))), length: name.length };
      return referTo(of, names, path, name).map((finding) => ({ ...finding, part }));
    });
    const needed = needOf(metric, sections);
    if (needed === undefined) return dangling;
    const message = `Expected ${needed.what} of the scenario for '${placeOf(path)}' but received none`;
    return [...dangling, { path, message, hint: needed.hint }];
  });
}

function needOf(
  metric: string,
  { metadata, probes, sets, schedule }: Sections,
): { what: string; hint: string } | undefined {
  if (metric.startsWith('events.') && metadata === false) return { what: "'metadata'", hint: "add 'metadata: true'" };
  if (metricOf(metric as never).of === 'probe' && probes?.length === 0) {
    return { what: 'a probe', hint: "add 'probes: [{ name: api, http: … }]'" };
  }
  if (metric === 'updateDomains' && sets?.length === 0)
    return { what: 'an availability set', hint: "add 'sets: [web]'" };
  if (metric === 'rollout' && schedule?.every(({ rollout }) => rollout === undefined)) {
    return { what: 'a rollout', hint: "add '- at: 1s' with 'rollout: {}' to 'schedule'" };
  }
  return undefined;
}
