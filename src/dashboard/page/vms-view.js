// The list of VMs: what each is, what it did, what it counts, and its button.
import { byId, element, keyed, setAttribute, setText } from './dom.js';
import { formatBytes, formatCount, formatNs } from './format.js';
import { describeVm, drawAxis, drawSpans, drawVm, KINDS, palette } from './timeline.js';

const STATE_TEXT = {
  created: 'not started',
  running: 'running',
  idle: 'running',
  pausing: 'halting',
  paused: 'paused',
  faulted: 'faulted',
  closed: 'closed',
};

export class VmsView {
  #act;
  #rows = new Map();
  #groups = new Map();
  #visible = new Set();
  #observer = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      if (isIntersecting) this.#visible.add(target);
      else this.#visible.delete(target);
    }
  });
  #colors = palette();
  #axis = element('canvas', { className: 'strip axis' });
  windowNs = 60e9;

  constructor(act) {
    this.#act = act;
    setAttribute(this.#axis, 'aria-hidden', 'true');
    byId('legend').append(
      ...Object.entries({ ...KINDS, scheduled: 'event scheduled', started: 'event started' }).map(([kind, text]) =>
        element('li', {}, element('i', { className: `swatch ${kind}` }), text),
      ),
    );
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#colors = palette();
    });
    for (const input of document.querySelectorAll('input[name=window]')) {
      input.addEventListener('change', () => {
        this.windowNs = Number(input.value) * 1e9;
      });
    }
  }

  /** Brings the list, its texts and its buttons up to date. */
  update(model) {
    const groups = groupsOf(model);
    keyed(byId('vms'), [...groups.keys(), 'axis'], (key) => (key === 'axis' ? axisRow(this.#axis) : this.#group(key)));
    for (const [key, { title, vms }] of groups) {
      const { heading, list } = this.#groups.get(key);
      setText(heading, title);
      keyed(
        list,
        vms.map(({ name }) => name),
        (name) => this.#row(name),
      );
      for (const vm of vms) this.#rows.get(vm.name).update(vm, this.#viewOf(model), model.hello.hosts.length > 1);
    }
  }

  /** Draws the strips that are on the screen. */
  draw(model) {
    const view = this.#viewOf(model);
    for (const [name, row] of this.#rows) {
      const vm = model.vms.get(name);
      if (vm !== undefined && this.#visible.has(row.strip)) drawVm(row.strip, vm, view, this.#colors);
    }
    for (const [key, { strip }] of this.#groups) {
      const domain = model.rollout?.domains.find(({ updateDomain }) => `domain-${updateDomain}` === key);
      if (strip !== undefined) drawSpans(strip, domain?.spans ?? [], view, this.#colors);
    }
    drawAxis(this.#axis, view, this.#colors);
  }

  #viewOf = ({ nowNs }) => ({ nowNs, windowNs: this.windowNs });

  #group(key) {
    const id = `group-${key}`;
    const heading = element('h3', { id });
    const list = element('ul', { className: 'vms' });
    setAttribute(list, 'aria-labelledby', id);
    const strip = key.startsWith('domain-') ? element('canvas', { className: 'strip domain' }) : undefined;
    if (strip !== undefined) setAttribute(strip, 'aria-hidden', 'true');
    const group = element(
      'div',
      { className: 'group' },
      element('div', { className: 'group-head' }, heading, strip ?? ''),
      list,
    );
    this.#groups.set(key, { heading, list, strip });
    return group;
  }

  #row(name) {
    const row = new VmRow(name, this.#act);
    this.#rows.set(name, row);
    this.#observer.observe(row.strip);
    return row.node;
  }
}

const axisRow = (axis) => element('div', { className: 'vm axis-row' }, element('span'), axis);

/** By update domain in a fleet; else by host. */
function groupsOf({ vms, hello }) {
  const domainOf = new Map(hello.hosts.map(({ host, updateDomain }) => [host, updateDomain]));
  const groups = new Map();
  if (hello.kind === 'fleet') {
    for (const domain of [...new Set(domainOf.values())].sort((a, b) => a - b)) {
      groups.set(`domain-${domain}`, { title: `Update domain ${domain}`, vms: [] });
    }
  }
  for (const vm of vms.values()) {
    const domain = domainOf.get(vm.host);
    const key = domain === undefined ? `host-${vm.host}` : `domain-${domain}`;
    if (!groups.has(key)) groups.set(key, { title: `On ${vm.host}`, vms: [] });
    groups.get(key).vms.push(vm);
  }
  return groups;
}

class VmRow {
  #name;
  #state = element('span', { className: 'pill' });
  #about = element('span', { className: 'dim' });
  #last = element('span', { className: 'dim' });
  #counters = element('span', { className: 'counters dim' });
  #button = element('button', { type: 'button' });
  #isPaused = false;
  #isHeld = false;
  strip = element('canvas', { className: 'strip' });

  constructor(name, act) {
    this.#name = name;
    setAttribute(this.strip, 'role', 'img');
    this.node = element(
      'li',
      { className: 'vm' },
      element('div', { className: 'who' }, element('strong', {}, name), this.#about),
      this.strip,
      element(
        'div',
        { className: 'now' },
        element('span', { className: 'state' }, this.#state, this.#last),
        this.#counters,
      ),
      this.#button,
    );
    this.#button.addEventListener('click', () => {
      if (!this.#isHeld) act('POST', `/vms/${encodeURIComponent(name)}/${this.#isPaused ? 'resume' : 'pause'}`);
    });
  }

  update(vm, view, showsHost) {
    const { held, state } = vm;
    this.#isHeld = vm.isHeldByImpact() || state === 'closed' || state === 'faulted' || state === 'created';
    this.#isPaused = held === 'paused';
    setText(this.#about, aboutText(vm, showsHost));
    setText(this.#state, vm.isHeldByImpact() && held !== 'check' ? KINDS[held] : (STATE_TEXT[state] ?? state));
    this.#state.dataset.state = held ?? (STATE_TEXT[state] === 'running' ? 'running' : state);
    setText(this.#last, vm.lastBlackoutNs === null ? '' : `last ${formatNs(vm.lastBlackoutNs)}`);
    setText(this.#counters, countersText(vm));
    const verb = this.#isPaused ? 'Resume' : 'Pause';
    setText(this.#button, verb);
    setAttribute(this.#button, 'aria-label', `${verb} ${this.#name}`);
    setAttribute(this.#button, 'aria-disabled', String(this.#isHeld));
    setAttribute(this.strip, 'aria-label', describeVm(vm, view));
  }
}

function aboutText({ name, host, availabilitySet, program, ramBytes }, showsHost) {
  const set = availabilitySet === null || name.startsWith(availabilitySet) ? '' : availabilitySet;
  const parts = [showsHost ? host : '', set, program, ramBytes > 0 ? formatBytes(ramBytes) : ''];
  return parts.filter((part) => part !== '').join(' · ');
}

function countersText({ rates, counted }) {
  const parts = [];
  if (rates.steps !== undefined) parts.push(`${formatCount(rates.steps)} steps/s`);
  if (rates.dirtyPages !== undefined) parts.push(`${formatCount(rates.dirtyPages)} pages/s`);
  if (rates.cpuTimeNs !== undefined) parts.push(`${Math.round(rates.cpuTimeNs / 1e7)} % CPU`);
  if (typeof counted?.residentBytes === 'number') parts.push(formatBytes(counted.residentBytes));
  return parts.join(' · ');
}
