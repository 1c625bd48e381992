// Joins the server's feed, what is known, and what is shown.
import { Charts } from './charts.js';
import { byId, element, keyed, setText } from './dom.js';
import { EventsView } from './events-view.js';
import { formatCount, formatNs } from './format.js';
import { LogView } from './log-view.js';
import { MaintenanceView } from './maintenance-view.js';
import { Model } from './model.js';
import { RolloutView } from './rollout-view.js';
import { act, follow, keepToken, takeToken } from './server.js';
import { VmsView } from './vms-view.js';

const UPDATE_MS = 250;
const DRAW_MS = 100;
const CALM_MS = 1000;
const NOTICE_MS = 8000;

const model = new Model();
let isStale = false;
let noticeTimer;

function notice(text) {
  clearTimeout(noticeTimer);
  byId('notice').hidden = false;
  setText(byId('notice'), text);
  noticeTimer = setTimeout(() => {
    byId('notice').hidden = true;
  }, NOTICE_MS);
}

/** What a button or a form does; where the server refuses, its words are shown. */
const perform = (...request) => act(...request).catch((error) => notice(error.message));

const log = new LogView();
const vms = new VmsView(perform);
const views = [vms, new MaintenanceView(perform), new RolloutView(perform), new EventsView(perform), log];
let charts;

function askForToken(reason) {
  byId('token-form').hidden = false;
  byId('content').hidden = true;
  setText(byId('token-reason'), reason);
  byId('token-input').focus();
}

const CONNECTION = { live: 'Live', waiting: 'Reconnecting', refused: 'No access' };

function onState(state) {
  byId('connection').dataset.state = state;
  setText(byId('connection'), CONNECTION[state]);
  if (state === 'refused') {
    askForToken(
      'The server does not take this page’s token: it was started anew. Open the address it prints, or enter its token.',
    );
  }
}

function onEvent(name, data) {
  const before = model.incarnation;
  const news = model.receive(name, data);
  isStale = true;
  if (news !== undefined) log.news(news);
  if (name !== 'hello') return;
  byId('token-form').hidden = true;
  byId('content').hidden = false;
  charts ??= new Charts();
  if (data.resumed) return;
  const { kind, hosts, version } = data;
  setText(
    byId('subject'),
    kind === 'fleet' ? `Fleet of ${hosts.length} hosts · ${version}` : `${hosts[0]?.host} · ${version}`,
  );
  for (const view of views) view.begin?.(data);
  if (before === undefined || before === data.incarnation) return;
  log.say('The server was started anew');
  notice('The server was started anew. What is shown begins with it.');
}

function showTiles() {
  const all = [...model.vms.values()].filter(({ state }) => state !== 'closed');
  const running = all.filter(({ held, state }) => held === undefined && (state === 'running' || state === 'idle'));
  const tiles = {
    'VMs that run': `${running.length} of ${all.length}`,
    'Stand still': String(all.filter(({ held }) => held !== undefined && held !== 'check').length),
    'Steps a second': formatCount(model.series[1].at(-1) ?? 0),
    'Dirty pages a second': formatCount(model.series[2].at(-1) ?? 0),
    'Last blackout': model.blackouts.length === 0 ? 'none' : formatNs(model.blackouts.at(-1).blackoutNs),
  };
  keyed(byId('tiles'), Object.keys(tiles), (key) => element('div', {}, element('dt', {}, key), element('dd')));
  for (const [index, text] of Object.values(tiles).entries()) setText(byId('tiles').children[index].lastChild, text);
}

/**
 * Texts four times a second and strips ten times, which is motion enough at their pace and leaves the processors to the
 * VMs; without motion where that is not wanted, and nothing while nobody sees the page.
 */
let updatedAt = 0;
let drawnAt = 0;
const isCalm = matchMedia('(prefers-reduced-motion: reduce)');
function frame(at) {
  requestAnimationFrame(frame);
  if (!model.isLive) return;
  if (at - updatedAt >= UPDATE_MS) {
    updatedAt = at;
    showTiles();
    for (const view of views) view.update(model);
    if (isStale) charts.update(model);
    isStale = false;
  }
  if (at - drawnAt < (isCalm.matches ? CALM_MS : DRAW_MS)) return;
  drawnAt = at;
  vms.draw(model);
}
requestAnimationFrame(frame);

let following;

function enter() {
  if (following === undefined) following = follow({ onEvent, onState });
  else following.retryNow();
}

if (takeToken() !== null) enter();
else {
  onState('refused');
  askForToken('Open the address that the command prints: the token is in it. Or enter it here.');
}
byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  keepToken(byId('token-input').value.trim());
  byId('token-input').value = '';
  enter();
});
addEventListener('hashchange', () => {
  if (location.hash.includes('token=') && takeToken() !== null) enter();
});
