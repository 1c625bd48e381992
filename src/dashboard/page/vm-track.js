// The past of one VM as the page draws it: when it stood still, and why.

const SEGMENTS_MAX = 2000;
const MARKS_MAX = 200;

/** How an impact is drawn, by its cause: the first where nothing was seen of it while it lasted. */
const KINDS_OF = {
  maintenance: ['patch', 'halt', 'digest', 'restart'],
  freeze: ['frozen'],
  restart: ['restart'],
  inspection: ['check'],
};
const IMPACT_KINDS = new Set(Object.values(KINDS_OF).flat());

export class VmTrack {
  constructor({ name, host, availabilitySet = null, program = '', ramBytes = 0, state = 'created' }) {
    Object.assign(this, { name, host, availabilitySet, program, ramBytes, state });
    /** { kind, fromNs, toNs }; toNs is null while it lasts. In the order of their begin. */
    this.segments = [];
    /** { kind, atNs }: Scheduled Events that hit it. */
    this.marks = [];
    this.startedAtNs = null;
    this.closedAtNs = null;
    this.lastBlackoutNs = null;
    this.blackouts = 0;
    /** The counters of the newest sample and of the newest with another epoch; and what it was per second since. */
    this.counted = undefined;
    this.folded = undefined;
    this.rates = {};
  }

  /** The kind of what holds it now; undefined while it runs. */
  get held() {
    return this.segments.findLast(({ toNs }) => toNs === null)?.kind;
  }

  open(kind, fromNs) {
    if (this.closedAtNs !== null || this.held === kind) return;
    this.segments.push({ kind, fromNs, toNs: null });
    if (this.segments.length > SEGMENTS_MAX) this.segments.splice(0, SEGMENTS_MAX / 4);
  }

  /** Ends what lasts, of these kinds or of all. */
  close(toNs, kinds) {
    for (const segment of this.segments) {
      if (segment.toNs === null && (kinds === undefined || kinds.has(segment.kind))) segment.toNs = toNs;
    }
  }

  /** An impact is told once it is over, by the guest's own stamps: what was drawn of it meanwhile is put right. */
  impactEnded({ cause, haltedAtNs, resumedAtNs }) {
    const kinds = KINDS_OF[cause] ?? KINDS_OF.freeze;
    // Of these kinds, what came after the halt is of this impact.
    const isOfIt = ({ kind, toNs }) => kinds.includes(kind) && (toNs === null || toNs > haltedAtNs);
    const drawn = this.segments.filter((segment) => isOfIt(segment) && segment.fromNs < resumedAtNs);
    const parts = drawn.length === 0 ? [{ kind: kinds[0] }] : drawn;
    const exact = parts.map(({ kind, fromNs }, index) => ({
      kind,
      fromNs: index === 0 ? haltedAtNs : fromNs,
      toNs: parts[index + 1]?.fromNs ?? resumedAtNs,
    }));
    this.segments = [...this.segments.filter((segment) => !isOfIt(segment)), ...exact];
    this.segments.sort((a, b) => a.fromNs - b.fromNs);
    if (cause === 'inspection') return;
    this.lastBlackoutNs = resumedAtNs - haltedAtNs;
    this.blackouts += 1;
  }

  mark(kind, atNs) {
    this.marks.push({ kind, atNs });
    if (this.marks.length > MARKS_MAX) this.marks.shift();
  }

  /** What the engine says at a sample counts more than what was derived from the log. */
  count(counters, atNs) {
    const { state } = counters;
    this.state = state;
    if (state === 'running' || state === 'idle') {
      this.close(atNs);
      this.startedAtNs ??= atNs;
    }
    if (state === 'paused' && this.held === undefined) this.open('paused', atNs);
    if (state === 'faulted') this.open('faulted', atNs);
    const rate = (name, before) => {
      if (before === undefined || before[name] === null || counters[name] === null) return undefined;
      return Math.max(0, counters[name] - before[name]) / ((atNs - before.atNs) / 1e9);
    };
    this.rates.steps = rate('steps', this.counted);
    this.rates.cpuTimeNs = rate('cpuTimeNs', this.counted);
    this.counted = { ...counters, atNs };
    if (state === 'paused') this.rates.dirtyPages = 0;
    // Pages are counted when an epoch has ended, which is not at each sample.
    if (counters.epoch === this.folded?.epoch) return;
    this.rates.dirtyPages = rate('dirtyPagesTotal', this.folded);
    this.folded = this.counted;
  }

  isHeldByImpact() {
    return IMPACT_KINDS.has(this.held);
  }
}
