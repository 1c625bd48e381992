// The rollout of a fleet: its update domains in their order, and the form that begins one.
import { byId, element, keyed, setAttribute, setText } from './dom.js';
import { chosenPatches, showPatches } from './maintenance-view.js';

const SIGNS = { waiting: '○', running: '◐', well: '●', 'not well': '✗' };

export class RolloutView {
  #form = byId('rollout-form');

  constructor(act) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const { budget, between } = this.#form.elements;
      act('POST', '/rollout', {
        budgetMs: Number(budget.value) * 1000,
        pauseBetweenMs: Number(between.value) * 1000,
        patches: chosenPatches(this.#form),
      });
    });
    for (const what of ['stop', 'resume', 'abandon']) {
      byId(`rollout-${what}`).addEventListener('click', () => act('POST', `/rollout/${what}`));
    }
  }

  /** For a server that the page has not seen before. */
  begin({ kind, patches }) {
    byId('rollout').hidden = kind !== 'fleet';
    showPatches(this.#form, patches);
  }

  update({ rollout, hello }) {
    if (hello.kind !== 'fleet') return;
    const status = rollout?.status;
    setText(byId('rollout-status'), statusText(rollout));
    byId('rollout-status').dataset.state = STATES[status] ?? '';
    this.#form.hidden = status === 'running' || status === 'stopped';
    byId('rollout-stop').hidden = status !== 'running';
    for (const what of ['resume', 'abandon']) byId(`rollout-${what}`).hidden = status !== 'stopped';
    const domains = rollout?.domains ?? [];
    keyed(
      byId('domains'),
      domains.map(({ updateDomain }) => String(updateDomain)),
      domainRow,
    );
    for (const [index, domain] of domains.entries()) updateRow(byId('domains').children[index], domain);
  }
}

const STATES = { running: 'now', done: 'well', stopped: 'bad', 'rolled back': 'bad' };

function statusText(rollout) {
  if (rollout === undefined) return 'None yet. It takes one update domain after the other.';
  const { status, direction, problems } = rollout;
  const what = direction === 'rollback' && status === 'running' ? 'taking back' : status;
  return [`It is ${what}`, ...problems].join(' · ');
}

const domainRow = () =>
  element(
    'li',
    {},
    element('span', { className: 'sign', ariaHidden: 'true' }),
    element('span', { className: 'name' }),
    element('span', { className: 'dim' }),
  );

function updateRow(row, { updateDomain, hosts, hostsDone, state, direction, problems }) {
  const [sign, name, text] = row.children;
  row.dataset.state = state;
  setText(sign, SIGNS[state]);
  setText(name, `Update domain ${updateDomain}`);
  const taken = direction === 'forward' ? 'patched' : 'taken back';
  setText(text, [`${state}`, `${hostsDone} of ${hosts.length} hosts ${taken}`, ...problems].join(' · '));
  if (state === 'running') setAttribute(row, 'aria-current', 'step');
  else row.removeAttribute('aria-current');
}
