// Draws on canvases what VMs and update domains did, all on one time axis that ends now.

export const KINDS = {
  running: 'runs',
  paused: 'paused by hand',
  halt: 'halting',
  digest: 'frozen: reading memory',
  patch: 'frozen: patching',
  frozen: 'frozen by an event or a caller',
  restart: 'restarting',
  check: 'looked into',
  faulted: 'faulted',
};
/** How much of a strip's height a kind takes: what stands still is a block, what runs a line. */
const HEIGHTS = { check: 0.35, halt: 0.8 };
const WIDTH_MIN = 2;
const MARK_SIZE = 4;

/** Colours by name, as the style sheet has them for the present scheme. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const names = [...Object.keys(KINDS), 'scheduled', 'started', 'track', 'ok', 'bad', 'axis'];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** A canvas as wide as its box, in device pixels; undefined where nothing of it is visible. */
function prepared(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (width === 0 || height === 0) return undefined;
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext('2d');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

const xOf =
  ({ nowNs, windowNs }, width) =>
  (atNs) =>
    width * (1 - (nowNs - atNs) / windowNs);

/** One VM: a line while it runs, a block while it stands still, a tick for each of its Scheduled Events. */
export function drawVm(canvas, { segments, marks, startedAtNs, closedAtNs }, view, colors) {
  const area = prepared(canvas);
  if (area === undefined) return;
  const { context, width, height } = area;
  const x = xOf(view, width);
  const beginNs = view.nowNs - view.windowNs;
  const bar = (fromNs, toNs, share, color) => {
    const left = Math.max(0, x(fromNs));
    const right = Math.min(width, x(toNs));
    context.fillStyle = color;
    const wide = Math.max(WIDTH_MIN, right - left);
    context.beginPath();
    context.roundRect(
      Math.min(left, width - wide),
      (height * (1 - share)) / 2,
      wide,
      height * share,
      Math.min(3, wide / 2),
    );
    context.fill();
  };
  const aliveToNs = closedAtNs ?? view.nowNs;
  if (startedAtNs !== null && aliveToNs > beginNs) bar(startedAtNs, aliveToNs, 0.16, colors.running);
  for (const { kind, fromNs, toNs } of segments) {
    if ((toNs ?? view.nowNs) < beginNs) continue;
    const share = HEIGHTS[kind] ?? 1;
    // The line ends where the guest stands still.
    if (share === 1) {
      context.clearRect(
        Math.max(0, x(fromNs)),
        0,
        Math.max(WIDTH_MIN, x(toNs ?? view.nowNs) - Math.max(0, x(fromNs))),
        height,
      );
    }
    bar(fromNs, toNs ?? view.nowNs, share === 1 ? 0.82 : share, colors[kind]);
  }
  for (const { kind, atNs } of marks) {
    if (atNs < beginNs) continue;
    context.fillStyle = colors[kind];
    context.beginPath();
    context.moveTo(x(atNs) - MARK_SIZE, 0);
    context.lineTo(x(atNs) + MARK_SIZE, 0);
    context.lineTo(x(atNs), MARK_SIZE * 1.6);
    context.fill();
  }
}

/** One update domain: a band for each time that it was worked on. */
export function drawSpans(canvas, spans, view, colors) {
  const area = prepared(canvas);
  if (area === undefined) return;
  const { context, width, height } = area;
  const x = xOf(view, width);
  for (const { fromNs, toNs, ok } of spans) {
    const left = Math.max(0, x(fromNs));
    const wide = Math.max(WIDTH_MIN, Math.min(width, x(toNs ?? view.nowNs)) - left);
    if (left + wide < 0 || (toNs ?? view.nowNs) < view.nowNs - view.windowNs) continue;
    context.fillStyle = ok === false ? colors.bad : colors.ok;
    context.globalAlpha = ok === null ? 0.9 : 0.45;
    context.beginPath();
    context.roundRect(left, height * 0.25, wide, height * 0.5, Math.min(3, wide / 2));
    context.fill();
    context.globalAlpha = 1;
  }
}

/** The axis under the strips: how long ago. */
export function drawAxis(canvas, { windowNs }, colors) {
  const area = prepared(canvas);
  if (area === undefined) return;
  const { context, width } = area;
  const parts = width < 260 ? 2 : 4;
  context.font = `11px ${getComputedStyle(canvas).fontFamily}`;
  context.fillStyle = colors.axis;
  context.textBaseline = 'top';
  for (let part = 0; part <= parts; part += 1) {
    const seconds = Math.round((windowNs / 1e9) * (1 - part / parts) * 10) / 10;
    const x = (width * part) / parts;
    context.fillRect(Math.min(x, width - 1), 0, 1, 4);
    context.textAlign = part === 0 ? 'left' : part === parts ? 'right' : 'center';
    context.fillText(seconds === 0 ? 'now' : `−${seconds} s`, x, 7);
  }
}

/** For those who do not see the strip. */
export function describeVm({ segments, held }, { nowNs, windowNs }) {
  const seen = segments.filter(({ kind, toNs }) => kind !== 'check' && (toNs ?? nowNs) >= nowNs - windowNs);
  const now = held === undefined ? 'it runs' : `now ${KINDS[held]}`;
  const text = seen.length === 0 ? 'no interruption' : `${seen.length} interruption${seen.length === 1 ? '' : 's'}`;
  return `Timeline of the last ${windowNs / 1e9} seconds: ${text}; ${now}`;
}
