// The present Scheduled Events, and the form that raises one.
import { byId, element, keyed, setText } from './dom.js';
import { formatNames, formatSeconds } from './format.js';

export class EventsView {
  #act;
  #rows = new Map();
  #form = byId('event-form');

  constructor(act) {
    this.#act = act;
    this.#form.addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      const { type, notice, duration } = this.#form.elements;
      const vms = [...this.#form.querySelectorAll('input[name=vm]:checked')].map(({ value }) => value);
      act('POST', '/events', {
        type: type.value,
        noticeMs: Number(notice.value) * 1000,
        durationMs: Number(duration.value) * 1000,
        ...(vms.length > 0 && { vms }),
      });
    });
  }

  /** For a server that the page has not seen before. */
  begin({ canRaiseEvents }) {
    byId('events').hidden = !canRaiseEvents;
    byId('event-vms').replaceChildren();
  }

  update({ events, vms, hello }) {
    if (!hello.canRaiseEvents) return;
    keyed(byId('event-list'), events.size === 0 ? ['none'] : [...events.keys()], (key) =>
      key === 'none' ? element('li', { className: 'dim' }, 'None at present') : this.#row(key),
    );
    for (const [id, event] of events) this.#rows.get(id).update(event);
    const open = [...vms.values()].filter(({ state }) => state !== 'closed').map(({ name }) => name);
    keyed(byId('event-vms'), open, (name) =>
      element(
        'label',
        { className: 'check' },
        element('input', { type: 'checkbox', name: 'vm', value: name }),
        element('span', {}, name),
      ),
    );
  }

  #row(id) {
    const row = new EventRow(id, this.#act);
    this.#rows.set(id, row);
    return row.node;
  }
}

class EventRow {
  #what = element('strong');
  #when = element('span', { className: 'dim' });
  #buttons;

  constructor(id, act) {
    const path = `/events/${encodeURIComponent(id)}`;
    const button = (text, onClick) => {
      const made = element('button', { type: 'button' }, text);
      made.addEventListener('click', onClick);
      return made;
    };
    this.#buttons = element(
      'span',
      { className: 'buttons' },
      button('Start now', () => act('POST', `${path}/acknowledge`)),
      button('Cancel', () => act('DELETE', path)),
    );
    this.node = element('li', {}, element('div', {}, this.#what, this.#when), this.#buttons);
  }

  update({ type, status, resources, notBeforeMs, durationSeconds, description }) {
    setText(this.#what, `${type} of ${formatNames(resources)}`);
    const lasts = durationSeconds < 0 ? '' : `, for ${formatSeconds(durationSeconds)}`;
    const begins = status === 'Started' ? 'started' : `in ${formatSeconds((notBeforeMs - Date.now()) / 1000)}`;
    setText(this.#when, `${begins}${lasts}`);
    this.node.title = description;
    this.node.dataset.state = status === 'Started' ? 'now' : 'ahead';
    this.#buttons.hidden = status === 'Started';
  }
}
