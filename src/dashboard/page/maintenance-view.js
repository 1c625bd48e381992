// The maintenance of each host: how far it is, how it ended; and the form that begins one.
import { byId, element, keyed, setAttribute, setText } from './dom.js';
import { formatNames, formatNs } from './format.js';

const STEPS = [
  ['notify', ['notify']],
  ['stage', ['plan', 'pre-stage', 'quiesce']],
  ['freeze', ['freeze', 'digest-at-halt', 'shut-down']],
  ['patch', ['patch', 'digest-at-release', 'restart']],
  ['release', ['release', 'clock-sync', 'digest-after-release']],
  ['check', ['check', 'commit', 'done']],
];

export class MaintenanceView {
  #act;
  #rows = new Map();
  #form = byId('maintenance-form');

  constructor(act) {
    this.#act = act;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const { host, budget, proof, reboot } = this.#form.elements;
      act('POST', `/hosts/${encodeURIComponent(host.value)}/maintenance`, {
        budgetMs: Number(budget.value) * 1000,
        proof: proof.value,
        allowReboot: reboot.checked,
        patches: chosenPatches(this.#form),
      });
    });
  }

  /** For a server that the page has not seen before. */
  begin({ hosts, patches }) {
    this.#form.elements.host.replaceChildren(...hosts.map(({ host }) => element('option', { value: host }, host)));
    byId('maintenance-host').hidden = hosts.length === 1;
    showPatches(this.#form, patches);
  }

  update(model) {
    const shown = [...model.maintenances.values()].sort((a, b) => b.beganAtNs - a.beganAtNs);
    const keys = shown.filter(({ endedAtNs }, index) => endedAtNs === null || index === 0).map(({ host }) => host);
    keyed(byId('maintenances'), keys, (host) => this.#row(host));
    for (const host of keys) this.#rows.get(host).update(model.maintenances.get(host), model.nowNs);
  }

  #row(host) {
    const row = new MaintenanceRow(host, this.#act);
    this.#rows.set(host, row);
    return row.node;
  }
}

class MaintenanceRow {
  #text = element('p', { className: 'status' });
  #steps = element('ol', { className: 'steps' });
  #details = element('p', { className: 'dim' });
  #cancel = element('button', { type: 'button' }, 'Cancel');
  #host;

  constructor(host, act) {
    this.#host = host;
    for (const [name] of STEPS) this.#steps.append(element('li', {}, name));
    setAttribute(this.#cancel, 'aria-label', `Cancel the maintenance of ${host}`);
    this.#cancel.addEventListener('click', () => {
      if (this.#cancel.getAttribute('aria-disabled') !== 'true') {
        act('DELETE', `/hosts/${encodeURIComponent(host)}/maintenance`);
      }
    });
    this.node = element('div', { className: 'maintenance' }, this.#text, this.#steps, this.#details, this.#cancel);
  }

  update({ phase, phases, vms, endedAtNs, end, patches, beganAtNs }, nowNs) {
    const isOver = endedAtNs !== null;
    const seen = new Set(phases.map((each) => each.phase));
    for (const [index, [, names]] of STEPS.entries()) {
      const step = this.#steps.children[index];
      step.dataset.state = names.includes(phase) ? 'now' : names.some((name) => seen.has(name)) ? 'done' : 'ahead';
      if (names.includes(phase)) setAttribute(step, 'aria-current', 'step');
      else step.removeAttribute('aria-current');
    }
    const lastedNs = (endedAtNs ?? nowNs) - beganAtNs;
    setText(this.#text, `${this.#host}: ${isOver ? endText(end) : `${phase}, ${(lastedNs / 1e9).toFixed(1)} s`}`);
    this.#text.dataset.state = isOver ? (end.ok ? 'well' : 'bad') : 'now';
    const done = patches.map(({ patch, ok }) => `${patch} ${ok ? '✓' : '✗'}`).join(', ');
    const problems = isOver ? [...(end.problems ?? []), end.message ?? ''] : [];
    const lasted = isOver
      ? `${vms.length} VM${vms.length === 1 ? '' : 's'}, ${formatNs(lastedNs)} in all`
      : formatNames(vms);
    setText(this.#details, [...problems, done, lasted].filter((part) => part !== '').join(' · '));
    this.#cancel.hidden = isOver;
  }
}

function endText({ ok, code }) {
  if (ok) return 'done, all is well';
  if (code === 'ERR_ABORTED') return 'cancelled, the VMs run on';
  return code === undefined ? 'done, not all is well' : `not done (${code})`;
}

/** A checkbox for each patch, all of them chosen. */
export function showPatches(form, patches) {
  const place = form.querySelector('[data-patches]');
  if (patches.length === 0) {
    place.replaceChildren(element('p', { className: 'dim' }, 'No patches: it freezes and proves only.'));
    return;
  }
  const boxes = patches.map((name, index) =>
    element(
      'label',
      { className: 'check' },
      element('input', { type: 'checkbox', name: 'patch', value: `${index}`, checked: true }),
      element('span', {}, name),
    ),
  );
  place.replaceChildren(
    element('fieldset', { className: 'choices' }, element('legend', {}, 'Patches, in their order'), ...boxes),
  );
}

export const chosenPatches = (form) =>
  [...form.querySelectorAll('input[name=patch]:checked')].map(({ value }) => Number(value));
