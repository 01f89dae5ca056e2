import { metricValue } from '../output/metric-value.js';
import { type Series, seriesOf } from './series.js';
import { moment, type SimulationRun, summaryRows } from './simulation-text.js';

/** A page of its own: the table and a chart as inline SVG. It holds no script and asks nobody for anything. */

const [WIDTH, HEIGHT, BAND] = [960, 180, 12];
const COLORS = ['#1f6feb', '#c2410c'];

export function simulationHtml(title: string, remarks: readonly string[], runs: readonly SimulationRun[]): string {
  const rows = summaryRows(runs).map(([label = '', ...cells]) =>
    tag('tr', `${tag('th', escaped(label))}${cells.map((cell) => tag('td', escaped(cell))).join('')}`),
  );
  const head = tag('tr', `${tag('th', '')}${runs.map(({ name }) => tag('th', escaped(name))).join('')}`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${remarks.map((remark) => tag('p', escaped(remark))).join('\n')}
<table>
${[head, ...rows].join('\n')}
</table>
${charts(runs).join('\n')}
</body>
</html>
`;
}

const STYLE = [
  ':root{color-scheme:light dark}',
  'body{font:16px/1.5 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em}',
  'table{border-collapse:collapse}th,td{text-align:left;padding:.2em 1em .2em 0;border-bottom:1px solid #8884}',
  'svg{width:100%;height:auto;display:block}figure{margin:1.5em 0}text{font:12px system-ui,sans-serif;fill:currentColor}',
].join('');

function charts(runs: readonly SimulationRun[]): readonly string[] {
  const most = Math.max(1, ...runs.map(({ simulation }) => simulation.summary.peak));
  const [first] = runs;
  if (first === undefined) return [];
  const { metric, rounds } = first.simulation;
  const load = seriesOf(rounds, WIDTH);
  const peak = load.load.reduce<number>((largest, value) => Math.max(largest, value ?? 0), 0);
  const span = `${moment(rounds[0]?.atMs ?? 0)} to ${moment(rounds.at(-1)?.atMs ?? 0)} UTC`;
  return [
    figure(`${metric}, up to ${metricValue(metric, peak)}; ${span}`, curve(load.load, peak, 'currentColor')),
    ...runs.map(({ name, simulation }, index) => {
      const series = seriesOf(simulation.rounds, WIDTH);
      const { least } = simulation.summary;
      const title = `${name}: ${least} to ${simulation.summary.peak} instances; red above a band, grey below`;
      return figure(title, `${curve(series.instances, most, COLORS[index] ?? COLORS[0]!)}${marks(series)}`);
    }),
  ];
}

const figure = (title: string, drawing: string): string =>
  `<figure><figcaption>${escaped(title)}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT + BAND}" role="img" aria-label="${escaped(title)}">${drawing}</svg></figure>`;

/** A step per column; where nobody knows, there is none. */
function curve(values: readonly (number | null)[], most: number, color: string): string {
  const step = WIDTH / Math.max(1, values.length);
  const place = (value: number): string => ((1 - value / Math.max(most, Number.MIN_VALUE)) * (HEIGHT - 2) + 1).toFixed(1);
  let pen = 'M';
  const path = values.map((value, index) => {
    if (value === null) {
      pen = 'M';
      return '';
    }
    const drawn = `${pen}${(index * step).toFixed(1)} ${place(value)}H${((index + 1) * step).toFixed(1)}`;
    pen = 'L';
    return drawn;
  });
  return `<path d="${path.join('')}" fill="none" stroke="${color}" stroke-width="1.5"/>`;
}

function marks({ above, below }: Series): string {
  const step = WIDTH / Math.max(1, above.length);
  return above
    .map((seconds, index) => {
      if (seconds === 0 && below[index] === 0) return '';
      const color = seconds > 0 ? '#dc2626' : '#9ca3af';
      return `<rect x="${(index * step).toFixed(1)}" y="${HEIGHT + 2}" width="${Math.max(step, 1).toFixed(1)}" height="${BAND - 4}" fill="${color}"/>`;
    })
    .join('');
}

const tag = (name: string, content: string): string => `<${name}>${content}</${name}>`;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
