// The script of the page that `standstill bench --html` writes: draws the result that is in the page, with uPlot. A
// metric's plots are drawn when it is opened.
const result = JSON.parse(document.getElementById('result').textContent);
const COLORS = ['#06c', '#d50', '#292', '#a3a', '#888', '#c22', '#0aa'];
const WIDTH = 520;
const HEIGHT = 280;
const BARS = 60;

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function format(value, unit) {
  if (value === undefined || value === null) return '';
  if (unit === 'ns') {
    const [size, name] = [
      [1e9, 's'],
      [1e6, 'ms'],
      [1e3, 'µs'],
    ].find(([least]) => Math.abs(value) >= least) ?? [1, 'ns'];
    return `${Number((value / size).toPrecision(3))} ${name}`;
  }
  return `${Number(value.toPrecision(4)).toLocaleString('en')}${unit === 'ratio' ? '' : ` ${unit}`}`;
}

/** Ours first, then what it is held against. */
const sidesOf = (metric) => [
  { name: 'ours', measurement: metric.measurement },
  ...metric.references.map(({ role, name, measurement, ratio }) => ({ name: `${role}: ${name}`, measurement, ratio })),
];

function bucketsOf({ distribution }) {
  if (distribution.kind === 'histogram') return distribution.buckets;
  return distribution.values.toSorted((a, b) => a - b).map((value) => [value, 1]);
}

const seriesOf = (sides, more = {}) => [
  {},
  ...sides.map(({ name }, index) => ({ label: name, stroke: COLORS[index % COLORS.length], width: 2, ...more })),
];

const axes = (unit, x) => [
  {
    values: (_plot, ticks) => ticks.map((tick) => (tick === null ? '' : x(tick))),
    stroke: '#888',
    grid: { stroke: '#8883' },
  },
  {
    size: 80,
    stroke: '#888',
    grid: { stroke: '#8883' },
    values: (_plot, ticks) => ticks.map((tick) => (tick === null ? '' : format(tick, unit))),
  },
];

/** Values on one x axis; null where a side has none. */
function joined(sides) {
  return uPlot.join(sides.map(({ xs, ys }) => [xs, ys]));
}

const isPositive = (sides) => sides.every(({ measurement: { summary } }) => summary.samples === 0 || summary.min > 0);

/** How many percent are at most so much: the tail is stretched, as 1 / (1 − share). */
function drawPercentiles(at, metric, sides) {
  const curves = sides.map(({ measurement }) => {
    const xs = [];
    const ys = [];
    let seen = 0;
    for (const [value, count] of bucketsOf(measurement)) {
      const x = 1 / (1 - seen / measurement.summary.samples);
      if (xs.length === 0 || x > xs.at(-1)) {
        xs.push(x);
        ys.push(value);
      }
      seen += count;
    }
    return { xs, ys };
  });
  const percent = (x) => `${Number((100 * (1 - 1 / x)).toPrecision(6))} %`;
  const options = {
    title: 'percentiles',
    width: WIDTH,
    height: HEIGHT,
    scales: { x: { time: false, distr: 3 }, y: { distr: isPositive(sides) ? 3 : 1 } },
    axes: axes(metric.unit, percent),
    series: seriesOf(sides, { spanGaps: true, points: { show: false } }),
  };
  new uPlot(options, joined(curves), at);
}

function drawHistogram(at, metric) {
  const { measurement } = metric;
  const { min, max } = measurement.summary;
  if (!(max > min)) return;
  const isLogarithmic = min > 0;
  const [scale, back] = isLogarithmic ? [Math.log, Math.exp] : [(value) => value, (value) => value];
  const width = (scale(max) - scale(min)) / BARS;
  const counts = Array(BARS).fill(0);
  for (const [value, count] of bucketsOf(measurement)) {
    const bar = Math.floor((scale(Math.max(value, min)) - scale(min)) / width);
    counts[Math.min(BARS - 1, Math.max(0, bar))] += count;
  }
  const xs = counts.map((_, bar) => back(scale(min) + (bar + 0.5) * width));
  const options = {
    title: 'histogram of ours',
    width: WIDTH,
    height: HEIGHT,
    scales: { x: { time: false, distr: isLogarithmic ? 3 : 1 }, y: { range: (_plot, _low, high) => [0, high] } },
    axes: [axes('', (tick) => format(tick, metric.unit))[0], { size: 60, stroke: '#888', grid: { stroke: '#8883' } }],
    series: [
      {},
      { label: 'samples', stroke: COLORS[0], fill: `${COLORS[0]}55`, paths: uPlot.paths.bars({ size: [1] }) },
    ],
  };
  new uPlot(options, [xs, counts], at);
}

function drawOverTime(at, metric, sides) {
  const lines = sides.map(({ measurement: { rounds } }) => ({
    xs: rounds.map(({ atMs }) => atMs / 1000),
    ys: rounds.map(({ p50 }) => p50),
  }));
  if (lines[0].xs.length < 2) return;
  const options = {
    title: 'over time: the median of each round',
    width: WIDTH,
    height: HEIGHT,
    scales: { x: { time: false }, y: { distr: isPositive(sides) ? 3 : 1 } },
    axes: axes(metric.unit, (tick) => `${tick} s`),
    series: seriesOf(sides, { spanGaps: true }),
  };
  new uPlot(options, joined(lines), at);
}

/** p50 of each side as a bar, so that ours stands beside the peers. */
function drawPeers(at, metric, sides) {
  if (sides.length < 2) return;
  const options = {
    title: 'medians against limits and peers',
    width: WIDTH,
    height: HEIGHT,
    scales: {
      x: { time: false, range: [-0.6, sides.length - 0.4] },
      y: { range: (_plot, low, high) => [Math.min(0, low), high] },
    },
    axes: [
      {
        stroke: '#888',
        splits: () => sides.map((_, index) => index),
        values: () => sides.map(({ name }) => name.slice(0, 18)),
      },
      axes(metric.unit, String)[1],
    ],
    legend: { show: false },
    series: [{}, { stroke: COLORS[0], fill: `${COLORS[0]}55`, paths: uPlot.paths.bars({ size: [0.5, 80] }) }],
  };
  const medians = sides.map(({ measurement }) => measurement.summary.percentiles.p50 ?? null);
  new uPlot(options, [sides.map((_, index) => index), medians], at);
}

function figuresTable(metric, sides) {
  const keys = ['p50', 'p90', 'p99', 'p99.9'];
  const head = element(
    'tr',
    {},
    ...['', 'n', ...keys, 'max', 'ours / it'].map((text) => element('th', { textContent: text })),
  );
  const rows = sides.map(({ name, measurement: { summary }, ratio }) => {
    const interval = ratio?.low == null ? '' : ` (${ratio.low.toPrecision(3)}–${ratio.high.toPrecision(3)})`;
    const cells = [
      name,
      summary.samples,
      ...keys.map((key) => format(summary.percentiles[key], metric.unit)),
      format(summary.max, metric.unit),
      ratio == null ? '' : `× ${ratio.p50.toPrecision(3)}${interval}`,
    ];
    return element('tr', {}, ...cells.map((text) => element('td', { textContent: text })));
  });
  return element('table', {}, head, ...rows);
}

function showMetric(metric) {
  const sides = sidesOf(metric).filter(({ measurement }) => measurement.summary.samples > 0);
  const met = metric.target?.met == null ? '' : metric.target.met ? ' ✓' : ' ✗';
  const { p50 } = metric.measurement.summary.percentiles;
  const heading = element(
    'summary',
    {},
    element('span', { className: 'title', textContent: [metric.promise, metric.title].filter(Boolean).join(' ') }),
    element('span', { className: 'figure', textContent: `p50 ${format(p50, metric.unit)}` }),
    element('span', { className: 'figure', textContent: metric.target === null ? '' : metric.target.text + met }),
  );
  const shown = element('details', {}, heading);
  shown.addEventListener(
    'toggle',
    () => {
      const plots = element('div', { className: 'plots' });
      shown.append(figuresTable(metric, sides), plots);
      for (const text of [
        ...metric.notes,
        ...metric.references.map(({ name, differs }) => differs && `${name}: ${differs}`),
      ])
        if (text) shown.append(element('p', { className: 'dim', textContent: text }));
      if (sides[0]?.name !== 'ours') return;
      drawPercentiles(plots, metric, sides);
      drawHistogram(plots, metric);
      drawOverTime(plots, metric, sides);
      drawPeers(plots, metric, sides);
    },
    { once: true },
  );
  return shown;
}

const { environment, noise } = result;
document.body.append(
  element('h1', { textContent: 'standstill bench' }),
  element('p', {
    className: 'dim',
    textContent:
      `${environment.cpuModel}, ${environment.cores} cores, Linux ${environment.kernel}; node ${environment.versions.node}, ` +
      `commit ${environment.commit ?? 'unknown'}; ${result.startedAt}, noise ${noise.during.score} of 100`,
  }),
  ...result.warnings.map((text) => element('p', { className: 'warning', textContent: text })),
  ...result.metrics.map(showMetric),
  element('h2', { textContent: 'Limits of this machine' }),
  ...result.calibrations.map(({ name, title, ...rest }) =>
    showMetric({ ...rest, title: `${name}: ${title}`, promise: null, references: [], notes: [], target: null }),
  ),
  ...result.skipped.map(({ name, reason }) =>
    element('p', { className: 'dim', textContent: `${name}: skipped: ${reason}` }),
  ),
);
document.querySelector('details')?.setAttribute('open', '');
