// The script of the page that `--report run.html` writes: it moves through the timeline and draws the plots. Everything
// that it shows stands in the page as text and tables too.
const plots = JSON.parse(document.getElementById('plots').textContent);

function format(ns) {
  const [size, unit] = [
    [1e9, 's'],
    [1e6, 'ms'],
    [1e3, 'µs'],
  ].find(([least]) => Math.abs(ns) >= least) ?? [1, 'ns'];
  return `${Number((ns / size).toPrecision(3))} ${unit}`;
}

/** Seconds since the run began, with as many digits as so short a step needs. */
function formatAt(ns, stepNs) {
  const digits = Math.min(9, Math.max(0, Math.ceil(-Math.log10(stepNs / 1e9))));
  return `${(ns / 1e9).toFixed(digits)} s`;
}

// The timeline

function startTimeline(lanes) {
  const whole = { from: Number(lanes.dataset.begin), to: Number(lanes.dataset.end) };
  const section = lanes.closest('section');
  const ticks = lanes.querySelector('.ticks');
  const readout = document.getElementById('readout');
  const moving = [...lanes.querySelectorAll('[data-f]')].map((node) => ({
    node,
    from: Number(node.dataset.f),
    to: Number(node.dataset.t ?? node.dataset.f),
  }));
  const LEAST_NS = 100;
  let view = { ...whole };

  function drawTicks() {
    const span = view.to - view.from;
    const wanted = span / Math.max(2, Math.floor(ticks.clientWidth / 110));
    const power = 10 ** Math.floor(Math.log10(wanted));
    const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => size >= wanted);
    const shown = [];
    const first = Math.ceil((view.from - whole.from) / step) * step;
    for (let at = first; at <= view.to - whole.from; at += step) {
      const tick = document.createElement('span');
      tick.className = 'tick';
      tick.textContent = formatAt(at, step);
      const left = (100 * (at + whole.from - view.from)) / span;
      if (left > 96) continue;
      tick.style.left = `${left}%`;
      shown.push(tick);
    }
    ticks.replaceChildren(...shown);
  }

  function show(from, to) {
    const span = Math.min(whole.to - whole.from, Math.max(LEAST_NS, to - from));
    const start = Math.min(whole.to - span, Math.max(whole.from, from));
    view = { from: start, to: start + span };
    const share = (at) => (100 * (at - view.from)) / span;
    for (const { node, from: begin, to: end } of moving) {
      const isSeen = end >= view.from && begin <= view.to;
      node.style.display = isSeen ? '' : 'none';
      if (!isSeen) continue;
      const left = node.localName === 'rect' ? Math.max(-1, share(begin)) : share(begin);
      node.setAttribute('x', `${left}%`);
      if (node.localName === 'rect') node.setAttribute('width', `${Math.max(0, Math.min(101, share(end)) - left)}%`);
    }
    drawTicks();
  }

  function tell() {
    const [from, to] = [view.from - whole.from, view.to - whole.from];
    const step = (to - from) / 10;
    readout.textContent =
      to - from >= whole.to - whole.from
        ? 'The whole run is shown.'
        : `${format(to - from)} are shown: from ${formatAt(from, step)} to ${formatAt(to, step)}.`;
  }

  function go(from, to) {
    show(from, to);
    tell();
  }

  function zoom(factor, at = (view.from + view.to) / 2) {
    go(at - (at - view.from) * factor, at + (view.to - at) * factor);
  }

  function pan(share) {
    const by = (view.to - view.from) * share;
    go(view.from + by, view.to + by);
  }

  let stop = -1;
  function goToStop(step) {
    if (plots.stops.length === 0) return;
    stop = (stop + step + plots.stops.length) % plots.stops.length;
    const [from, to] = plots.stops[stop];
    const margin = Math.max(to - from, LEAST_NS) * 0.15;
    show(from - margin, to + margin);
    readout.textContent = `Freeze ${stop + 1} of ${plots.stops.length}: ${format(to - from)}.`;
  }

  const actions = {
    in: () => zoom(0.5),
    out: () => zoom(2),
    earlier: () => pan(-0.3),
    later: () => pan(0.3),
    all: () => go(whole.from, whole.to),
    next: () => goToStop(1),
    previous: () => goToStop(stop === -1 ? 0 : -1),
  };
  const keys = {
    '+': actions.in,
    '=': actions.in,
    '-': actions.out,
    ArrowLeft: actions.earlier,
    ArrowRight: actions.later,
    0: actions.all,
    n: actions.next,
    p: actions.previous,
  };
  lanes.addEventListener('keydown', (event) => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  });
  section.addEventListener('click', (event) => actions[event.target.dataset?.do]?.());

  let dragged;
  const timeAt = (event) => {
    const { left, width } = ticks.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
    return { at: view.from + share * (view.to - view.from), x: left + share * width };
  };
  lanes.addEventListener('pointerdown', (event) => {
    if (event.pointerType !== 'mouse' || event.button !== 0 || event.target.closest('.bar') === null) return;
    const choice = document.createElement('div');
    choice.className = 'choice';
    dragged = { begin: timeAt(event), choice };
  });
  addEventListener('pointermove', (event) => {
    if (dragged === undefined) return;
    const [left, right] = [dragged.begin.x, timeAt(event).x].sort((a, b) => a - b);
    dragged.choice.style.left = `${left - lanes.getBoundingClientRect().left}px`;
    dragged.choice.style.width = `${right - left}px`;
    lanes.append(dragged.choice);
  });
  addEventListener('pointerup', (event) => {
    if (dragged === undefined) return;
    const [from, to] = [dragged.begin, timeAt(event)].sort((a, b) => a.at - b.at);
    dragged.choice.remove();
    dragged = undefined;
    if (to.x - from.x > 4) go(from.at, to.at);
  });
  lanes.addEventListener('pointerover', (event) => {
    const title = event.target.querySelector?.('title')?.textContent;
    if (event.target.closest('rect, path') !== null && title) readout.textContent = title;
  });

  section.querySelector('.controls').hidden = false;
  section.querySelector('.hint').hidden = matchMedia('(hover: none)').matches;
  new ResizeObserver(drawTicks).observe(ticks);
}

// The plots

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const CAUSES = { maintenance: 'patch', freeze: 'halt', restart: 'restart' };
const PALETTE = ['accent', 'patch', 'halt', 'well', 'restart', 'digest'];

const isLogarithmic = (plot, axisIndex) => plot.scales[plot.axes[axisIndex].scale].distr === 3;

function axis(values, size) {
  return {
    stroke: color('dim'),
    // Of a logarithmic axis the powers of ten, of which the others are parts.
    grid: {
      stroke: color('line'),
      width: 1,
      filter: (plot, at, axisIndex) =>
        at.map((value) => (isLogarithmic(plot, axisIndex) && Math.log10(value) % 1 !== 0 ? null : value)),
    },
    ticks: { stroke: color('line'), width: 1 },
    font: '12px system-ui, sans-serif',
    size,
    values: (_plot, at) => at.map((value) => (value === null ? '' : values(value))),
  };
}

/** Times are drawn by their logarithm: what is compared differs by factors. Nothing is drawn as 1 ns. */
const logarithmic = {
  distr: 3,
  range: (_plot, low, high) => [10 ** Math.floor(Math.log10(low * 0.9)), 10 ** Math.ceil(Math.log10(high * 1.1))],
};
const positive = (ns) => Math.max(1, Math.abs(ns));
const seconds = (ns) => (ns - plots.beginNs) / 1e9;
const wholeRun = {
  time: false,
  range: (_plot, low, high) =>
    low === null ? [0, seconds(plots.endNs)] : [Math.min(0, low), Math.max(seconds(plots.endNs), high)],
};
const second = (value) => `${Number(value.toPrecision(4))} s`;

/** The lines one after the other over one x axis, each with its own points. */
const joined = (lines) => uPlot.join(lines.map(({ xs, ys }) => sortedPairs(xs, ys)));

function sortedPairs(xs, ys) {
  const order = xs.map((_, index) => index).sort((a, b) => xs[a] - xs[b]);
  const pairs = [[], []];
  for (const index of order) {
    // Of points at one x the last would hide the others: they are told apart by less than can be seen.
    const x = pairs[0].length > 0 && xs[index] <= pairs[0].at(-1) ? pairs[0].at(-1) + 1e-9 : xs[index];
    pairs[0].push(x);
    pairs[1].push(ys[index]);
  }
  return pairs;
}

const drawings = {
  percentiles() {
    const lines = plots.blackouts.map(({ cause, blackoutNs }) => {
      const sorted = [...blackoutNs].sort((a, b) => a - b);
      const xs = sorted.map((_, index) => 1 / (1 - index / sorted.length));
      return {
        label: cause,
        color: CAUSES[cause] ?? 'accent',
        xs: [...xs, sorted.length * 1.001 + 0.001],
        ys: [...sorted, sorted.at(-1)].map(positive),
      };
    });
    const percent = (x) => `${Number((100 * (1 - 1 / x)).toPrecision(4))} %`;
    return {
      lines,
      x: { time: false, distr: 3, range: (_plot, low, high) => [low, Math.max(10, high)] },
      y: logarithmic,
      axes: [axis(percent, 40), axis(format, 66)],
      xLabel: (value) => percent(value),
      series: { paths: uPlot.paths.stepped({ align: 1 }), points: { show: true, size: 5 } },
    };
  },
  blackouts() {
    return {
      lines: plots.blackouts.map(({ cause, atNs, blackoutNs }) => ({
        label: cause,
        color: CAUSES[cause] ?? 'accent',
        xs: atNs.map(seconds),
        ys: blackoutNs.map(positive),
      })),
      x: wholeRun,
      y: logarithmic,
      axes: [axis(second, 40), axis(format, 66)],
      xLabel: second,
      series: { paths: () => null, points: { show: true, size: 8 } },
    };
  },
  clocks() {
    const { names, beforeNs, afterNs } = plots.clocks;
    const xs = names.map((_, index) => index);
    const line = (label, ns, fill) => ({ label, color: 'digest', fill, xs, ys: ns.map(positive) });
    return {
      lines: [line('before', beforeNs, 'card'), line('after', afterNs, 'digest')],
      x: { time: false, range: [-0.5, names.length - 0.5] },
      y: logarithmic,
      axes: [
        {
          ...axis((value) => (Number.isInteger(value) ? (names[value] ?? '').slice(0, 20) : ''), 40),
          space: 110,
          incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500],
        },
        axis(format, 66),
      ],
      xLabel: (value) => names[value] ?? '',
      series: { paths: () => null, points: { show: true, size: 10, width: 2 } },
    };
  },
  probes() {
    return {
      lines: plots.probes.flatMap(({ name, atNs, latencyNs, ok }, index) => {
        const xs = atNs.map(seconds);
        const only = (wanted) => latencyNs.map((ns, at) => (ok[at] === wanted ? positive(ns) : null));
        const own = PALETTE[index % PALETTE.length];
        const bad = { label: `${name}, not well`, color: 'ill', xs, ys: only(false), isBad: true };
        return [{ label: name, color: own, xs, ys: only(true) }, ...(ok.every(Boolean) ? [] : [bad])];
      }),
      x: wholeRun,
      y: logarithmic,
      axes: [axis(second, 40), axis(format, 66)],
      xLabel: second,
      series: { spanGaps: true, points: { show: false } },
      hooks: { drawClear: [drawFreezes] },
    };
  },
};

function drawFreezes(plot) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.globalAlpha = 0.3;
  ctx.fillStyle = color('frozen');
  for (const [from, to] of plots.stops) {
    const left = Math.max(bbox.left, plot.valToPos(seconds(from), 'x', true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(seconds(to), 'x', true));
    if (right >= left) ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
  }
  ctx.restore();
}

/** A cross at each point. */
function drawCrosses(plot, index) {
  const { ctx } = plot;
  const [xs, ys] = [plot.data[0], plot.data[index]];
  ctx.save();
  ctx.strokeStyle = color('ill');
  ctx.lineWidth = 2 * devicePixelRatio;
  const arm = 4 * devicePixelRatio;
  ctx.beginPath();
  ys.forEach((value, at) => {
    if (value == null) return;
    const [x, y] = [plot.valToPos(xs[at], 'x', true), plot.valToPos(value, 'y', true)];
    ctx.moveTo(x - arm, y - arm);
    ctx.lineTo(x + arm, y + arm);
    ctx.moveTo(x + arm, y - arm);
    ctx.lineTo(x - arm, y + arm);
  });
  ctx.stroke();
  ctx.restore();
  return false;
}

function draw(at) {
  const { lines, x, y, axes, xLabel, series, hooks = {} } = drawings[at.dataset.plot]();
  if (lines.length === 0) return undefined;
  const value = (_plot, shown) => (shown == null ? '–' : format(shown));
  const options = {
    width: at.clientWidth,
    height: 230,
    scales: { x, y },
    axes,
    hooks,
    legend: { live: true },
    cursor: { drag: { x: true, y: false } },
    series: [
      {
        label: at.dataset.plot === 'clocks' ? 'VM' : 'at',
        value: (_plot, shown) => (shown == null ? '–' : xLabel(shown)),
      },
      ...lines.map(({ label, color: own, fill, isBad }) => ({
        ...series,
        label,
        value,
        stroke: color(own),
        width: 2,
        ...(isBad
          ? { paths: () => null, points: { show: drawCrosses } }
          : { points: { ...series.points, stroke: color(own), fill: color(fill ?? own) } }),
      })),
    ],
  };
  return new uPlot(options, joined(lines), at);
}

const drawn = new Map();
function drawAll() {
  for (const at of document.querySelectorAll('[data-plot]')) {
    drawn.get(at)?.destroy();
    drawn.set(at, draw(at));
  }
}

const timeline = document.getElementById('lanes');
if (timeline !== null) startTimeline(timeline);
drawAll();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
let width = innerWidth;
addEventListener('resize', () => {
  if (innerWidth === width) return;
  width = innerWidth;
  for (const [at, plot] of drawn) plot?.setSize({ width: at.clientWidth, height: 230 });
});
