/**
 * One figure of the benchmark: what we do, what a named peer or limit did in the same run, their ratio, and the target.
 * `ratio` is always ours / peer.
 */

const UNITS = {
  ms: (value) => (value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${value < 10 ? value.toFixed(1) : grouped(value)} ms`),
  MB: (value) => `${grouped(value)} MB`,
  kB: (value) => `${grouped(value)} kB`,
  'MB/s': (value) => `${grouped(value)} MB/s`,
  '%': (value) => `${value < 1 ? Number(value.toPrecision(2)) : value.toFixed(1)} %`,
  'lines/s': (value) => `${(value / 1e6).toFixed(1)} M lines/s`,
  'requests/s': (value) => `${grouped(value)} requests/s`,
  'round trips': (value) => `${grouped(value)} round trips`,
  reloads: (value) => `${grouped(value)} reloads`,
  requests: (value) => `${grouped(value)} requests`,
  times: (value) => `${grouped(value)} times`,
  commands: (value) => `${value.toFixed(1)} commands`,
  commits: (value) => `${grouped(value)} commits`,
};

const textOf = (value, unit) => UNITS[unit](value);
const grouped = (value) => Math.round(value).toLocaleString('en-US');

/**
 * @param id number of the target, `P3`
 * @param unit of both sides, a key of UNITS
 * @param peer `{ name, value }`
 * @param targets each `{ of: 'ours' | 'ratio', op: '<=' | '>=', limit }`; all have to hold
 */
export function figure({ id, name, unit, ours, peer, targets }) {
  const ratio = peer.value > 0 ? ours / peer.value : null;
  const holds = ({ of, op, limit }) => {
    const value = of === 'ours' ? ours : ratio;
    return value !== null && (op === '<=' ? value <= limit : value >= limit);
  };
  const target = targets.map(({ of, op, limit }) => `${op} ${of === 'ours' ? textOf(limit, unit) : `${limit} x`}`).join(', ');
  return {
    id,
    name,
    unit,
    ours,
    peer,
    ratio,
    target,
    met: targets.length === 0 ? null : targets.every(holds),
    cells: [
      `${id} ${name}`,
      textOf(ours, unit),
      `${peer.name}: ${textOf(peer.value, unit)}`,
      ratio === null ? '-' : `${ratio < 0.095 ? ratio.toPrecision(1) : ratio.toFixed(2)} x`,
      target === '' ? '-' : target,
      targets.length === 0 ? '-' : targets.every(holds) ? 'met' : 'not met',
    ],
  };
}

export const COLUMNS = ['figure', 'ours', 'peer or limit, same run', 'ratio', 'target', 'result'];

/** The figures as aligned columns for a terminal. */
export function plainTable(figures) {
  const rows = [COLUMNS, ...figures.map(({ cells }) => cells)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The cells of a row for a document, which needs no number of the target. */
export const documentRow = ({ name, cells }) => [name, ...cells.slice(1)];
