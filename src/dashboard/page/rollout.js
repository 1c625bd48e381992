// One rollout, as its entries in the log tell it.

const ENDS = {
  'rollout-done': 'done',
  'rollout-stopped': 'stopped',
  'rollout-rolled-back': 'rolled back',
  'rollout-abandoned': 'given up',
};

export class Rollout {
  constructor({ rollout, atNs, plan }) {
    this.id = rollout;
    this.status = 'running';
    this.direction = 'forward';
    this.beganAtNs = atNs;
    this.problems = [];
    /** In the order in which they are taken. `spans` are those of its work, for the timeline. */
    this.domains = (plan?.steps ?? []).map(({ updateDomain, hosts }) => domainOf(updateDomain, hosts));
  }

  /** The rollout after one more entry, which may be of something else. */
  static after(before, entry) {
    if (entry.type === 'rollout-started') return new Rollout(entry);
    if (entry.rollout === undefined) return before;
    // Its begin is further back than the past that was told.
    const rollout = before ?? new Rollout(entry);
    rollout.#apply(entry);
    return rollout;
  }

  #apply(entry) {
    const { type, atNs } = entry;
    if (ENDS[type] !== undefined) {
      this.status = ENDS[type];
      this.problems = entry.problems ?? this.problems;
    }
    if (type === 'rollout-resumed')
      Object.assign(this, { status: 'running', direction: entry.direction, problems: [] });
    if (type === 'rollback-begin') this.direction = 'rollback';
    if (entry.updateDomain === undefined) return;
    const domain = this.#domain(entry);
    if (type === 'domain-begin') {
      Object.assign(domain, {
        state: 'running',
        hosts: entry.hosts,
        hostsDone: 0,
        direction: entry.direction,
        problems: [],
      });
      domain.spans.push({ fromNs: atNs, toNs: null, ok: null });
    }
    if (type === 'host-patch-end') domain.hostsDone += 1;
    if (type !== 'domain-end') return;
    Object.assign(domain, { state: entry.ok ? 'well' : 'not well', problems: entry.problems });
    Object.assign(domain.spans.at(-1) ?? {}, { toNs: atNs, ok: entry.ok });
  }

  #domain({ updateDomain, hosts = [] }) {
    const found = this.domains.find((domain) => domain.updateDomain === updateDomain);
    if (found !== undefined) return found;
    const made = domainOf(updateDomain, hosts);
    this.domains.push(made);
    return made;
  }
}

const domainOf = (updateDomain, hosts) => ({
  ...{ updateDomain, hosts, hostsDone: 0, state: 'waiting', direction: 'forward', problems: [], spans: [] },
});
