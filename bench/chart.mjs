// Figures that belong together, drawn one below the other on one logarithmic axis: p50 to p99, and the maximum.
const COLUMNS = 60;

function tickValues(low, high) {
  const ticks = [];
  for (let exponent = Math.floor(low); exponent <= Math.ceil(high); exponent++) ticks.push(exponent);
  return ticks;
}

function drawRow({ p50, p99 = p50, max }, column) {
  const cells = Array(COLUMNS + 1).fill(' ');
  for (let at = column(p50); at <= column(p99); at++) cells[at] = '━';
  cells[column(max)] = '┤';
  cells[column(p99)] = '○';
  cells[column(p50)] = '●';
  return cells.join('');
}

function draw(title, rows, unit, inUnit) {
  const low = Math.floor(Math.log10(Math.max(1, Math.min(...rows.map(({ ours }) => ours.p50)))));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...rows.map(({ ours }) => ours.max)))));
  const column = (value) =>
    Math.min(COLUMNS, Math.max(0, Math.round(((Math.log10(Math.max(value, 1)) - low) / (high - low)) * COLUMNS)));
  const labelColumns = Math.max(...rows.map(({ chart }) => chart.label.length));
  const axis = Array(COLUMNS + 12).fill(' ');
  for (const exponent of tickValues(low, high)) {
    const text = inUnit(10 ** exponent, unit).replace(/\.0+(?= )/, '');
    axis.splice(column(10 ** exponent), text.length, ...text);
  }
  const figures = ({ p50, p99, max }) =>
    `p50 ${inUnit(p50, unit)}${p99 === undefined ? '' : `  p99 ${inUnit(p99, unit)}`}  max ${inUnit(max, unit)}`;
  return [
    `${title} (● p50, ○ p99, ┤ max)`,
    `${' '.repeat(labelColumns)}  ${axis.join('').trimEnd()}`,
    ...rows.map(
      ({ chart, ours }) => `${chart.label.padStart(labelColumns)} │${drawRow(ours, column)}  ${figures(ours)}`,
    ),
  ];
}

/** @returns {string[][]} the lines of each chart */
export function drawCharts(cases, inUnit) {
  const drawn = cases.filter(({ chart, ours }) => chart !== null && ours.samples > 0);
  const titles = [...new Set(drawn.map(({ chart }) => chart.title))];
  return titles.map((title) => {
    const rows = drawn.filter(({ chart }) => chart.title === title);
    return draw(title, rows, rows[0].unit, inUnit);
  });
}
