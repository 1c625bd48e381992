// The plots, by uPlot: how long blackouts were, and what the VMs do a second.
import uPlot from '/uplot/uPlot.esm.js';
import { byId, setText } from './dom.js';
import { formatCount, formatNs } from './format.js';

const HEIGHT = 180;
/** Bounds of the bars: three a decade, from 1 µs to 100 s. */
const BOUNDS = Array.from({ length: 25 }, (_, index) => [1, 2, 5][index % 3] * 10 ** (3 + Math.floor(index / 3)));

export class Charts {
  #blackouts;
  #steps;
  #pages;
  #drawnBlackouts = -1;

  constructor() {
    this.#build();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#build());
    for (const chart of document.querySelectorAll('.chart')) {
      new ResizeObserver(() => this.#resize()).observe(chart);
    }
  }

  update({ series, blackouts }) {
    this.#steps.setData([series[0], series[1]]);
    this.#pages.setData([series[0], series[2]]);
    setText(byId('steps-text'), rateText(series[1], 'steps'));
    setText(byId('pages-text'), rateText(series[2], 'pages'));
    if (blackouts.length === this.#drawnBlackouts) return;
    this.#drawnBlackouts = blackouts.length;
    this.#blackouts.setData(histogramOf(blackouts.map(({ blackoutNs }) => blackoutNs)));
    setText(byId('blackout-text'), blackoutText(blackouts));
  }

  #build() {
    for (const plot of [this.#blackouts, this.#steps, this.#pages]) plot?.destroy();
    this.#blackouts = histogram(byId('blackout-chart'));
    this.#steps = line(byId('steps-chart'), '--running');
    this.#pages = line(byId('pages-chart'), '--digest');
    this.#drawnBlackouts = -1;
  }

  #resize() {
    for (const plot of [this.#blackouts, this.#steps, this.#pages]) {
      const width = plot.root.parentElement.clientWidth;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
    }
  }
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axis(values, more = {}) {
  const grid = { stroke: color('--line'), width: 1 };
  return { stroke: color('--axis'), grid, ticks: { show: false }, font: '11px system-ui, sans-serif', values, ...more };
}

function plot(target, options, data) {
  const common = { width: target.clientWidth || 300, height: HEIGHT, legend: { show: false }, cursor: { show: false } };
  return new uPlot({ ...common, ...options }, data, target);
}

function line(target, name) {
  const now = (_plot, ticks) => ticks.map((tick) => `${Math.round(tick)} s`);
  return plot(
    target,
    {
      scales: { x: { time: false }, y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.15 : 1] } },
      axes: [axis(now, { space: 70, size: 28 }), axis((_plot, ticks) => ticks.map(formatCount), { size: 56 })],
      series: [{}, { stroke: color(name), fill: `${color(name)}22`, width: 1.5, points: { show: false } }],
    },
    [[], []],
  );
}

function histogram(target) {
  const bound = (_plot, ticks) => ticks.map((tick) => (BOUNDS[tick] === undefined ? '' : formatNs(BOUNDS[tick])));
  return plot(
    target,
    {
      scales: {
        x: { time: false, range: [-0.5, BOUNDS.length - 0.5] },
        y: { range: (_plot, _min, max) => [0, Math.max(1, max) * 1.15] },
      },
      axes: [
        axis(bound, { splits: () => [0, 6, 12, 18, 24], size: 28 }),
        axis((_plot, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? formatCount(tick) : '')), { size: 40 }),
      ],
      series: [
        {},
        {
          stroke: color('--patch'),
          fill: color('--patch'),
          width: 0,
          paths: uPlot.paths.bars({ size: [0.85, 60], radius: 0.2 }),
          points: { show: false },
        },
      ],
    },
    histogramOf([]),
  );
}

function histogramOf(values) {
  const counts = BOUNDS.map(() => 0);
  for (const value of values) {
    const index = BOUNDS.findLastIndex((bound) => bound <= value);
    counts[Math.max(0, index)] += 1;
  }
  return [BOUNDS.map((_, index) => index), counts];
}

function blackoutText(blackouts) {
  if (blackouts.length === 0) return 'None so far.';
  const sorted = blackouts.map(({ blackoutNs }) => blackoutNs).sort((a, b) => a - b);
  const at = (share) => formatNs(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]);
  return `${sorted.length} so far: p50 ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)}`;
}

const rateText = (values, unit) => (values.length === 0 ? '' : `All VMs: ${formatCount(values.at(-1))} ${unit}/s`);
