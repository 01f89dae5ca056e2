import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { Mark } from './board.js';
import { clockTime } from './figures.js';

/** One metric over time: a line, the band that its rules keep it in, and what happened meanwhile. */
export interface Line {
  readonly label: string;
  /** Null: nothing was measured then. */
  readonly values: readonly (number | null)[];
  readonly tone: 'main' | 'second' | 'third';
  /** Counts change at once and not gradually. */
  readonly stepped: boolean;
}

export interface ChartProps {
  readonly title: string;
  /** Seconds since the epoch, one per value. */
  readonly seconds: readonly number[];
  readonly lines: readonly Line[];
  /** Null ends are open. */
  readonly bands: readonly { readonly lower: number | null; readonly upper: number | null }[];
  readonly marks: readonly Mark[];
  readonly show: (value: number) => string;
  /** How much of the past is shown. */
  readonly spanSeconds: number;
}

const HEIGHT = 150;
/** So that a line of nothing has a place. */
const LEAST_TOP = 0.001;

export function Chart(props: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const newest = useRef(props);
  newest.current = props;
  const [pointed, setPointed] = useState<number | null>(null);
  const scheme = useScheme();
  const shape = props.lines.map(({ label, tone, stepped }) => `${label}/${tone}/${stepped}`).join();

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const drawn = new uPlot(optionsOf(newest, element, setPointed), dataOf(newest.current), element);
    plot.current = drawn;
    const watcher = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: HEIGHT }));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [shape, scheme]);
  useEffect(() => plot.current?.setData(dataOf(props)), [props]);

  const { title, lines, seconds, show } = props;
  const at = pointed ?? seconds.length - 1;
  const time = seconds[at];
  const told = lines.map(({ label, values }) => `${label} ${shownAt(values, at, show)}`).join(', ');
  return (
    <figure class="chart">
      <figcaption>
        <b>{title}</b>
        <span class="legend">
          {lines.map(({ label, tone, values }) => (
            <span key={label} class={`key is-${tone}`}>
              {lines.length > 1 ? `${label} ` : ''}
              <b>{shownAt(values, at, show)}</b>
            </span>
          ))}
          {pointed !== null && time !== undefined && <span class="quiet">{clockTime(time * 1000)}</span>}
        </span>
      </figcaption>
      <div ref={place} role="img" aria-label={`${title}: ${told}${bandWords(props)}`} />
    </figure>
  );
}

function shownAt(values: Line['values'], index: number, show: (value: number) => string): string {
  const value = values[index];
  return value === null || value === undefined ? 'no data' : show(value);
}

function bandWords({ bands, show }: ChartProps): string {
  const words = bands.map(({ lower, upper }) =>
    [lower === null ? '' : `above ${show(lower)}`, upper === null ? '' : `below ${show(upper)}`].filter(Boolean).join(' and '),
  );
  return words.length === 0 ? '' : `; its rules want it ${words.join(', ')}`;
}

const dataOf = ({ seconds, lines }: ChartProps): uPlot.AlignedData =>
  [seconds, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;

/** Another value whenever the colours of the page change. */
function useScheme(): string {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const [scheme, setScheme] = useState(String(dark.matches));
  useEffect(() => {
    const changed = (): void => setScheme(String(dark.matches));
    dark.addEventListener('change', changed);
    return () => dark.removeEventListener('change', changed);
  }, []);
  return scheme;
}

// ------------------------------------------------------------------------------------------------------------------ uPlot

/** Read through the reference, so that a drawing in use follows what it is given. */
function optionsOf(
  newest: { readonly current: ChartProps },
  element: HTMLElement,
  point: (index: number | null) => void,
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour('quiet'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui',
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'time' }, points: { size: 6 } },
    scales: {
      x: { range: () => rangeOf(newest.current) },
      y: { range: () => [0, topOf(newest.current)] },
    },
    axes: [
      { ...axis, values: (_plot, splits) => splits.map((second) => clockTime(second * 1000)), space: 90, size: 26 },
      { ...axis, values: (_plot, splits) => splits.map((value) => newest.current.show(value)), size: 62, space: 34 },
    ],
    series: [
      {},
      ...newest.current.lines.map(({ tone, stepped }) => ({
        stroke: colour(tone === 'main' ? 'accent' : tone),
        width: tone === 'main' ? 1.75 : 1.25,
        ...(tone === 'main' ? {} : { dash: [5, 4] }),
        ...(stepped ? { paths: uPlot.paths.stepped!({ align: 1 }) } : {}),
        points: { show: false },
      })),
    ],
    hooks: {
      drawClear: [(plot) => drawBands(plot, newest.current, colour('band'), colour('band-edge'))],
      draw: [(plot) => drawMarks(plot, newest.current, colour)],
      setCursor: [({ cursor }) => point(cursor.idx ?? null)],
    },
  };
}

function rangeOf({ seconds, spanSeconds }: ChartProps): [number, number] {
  const end = seconds.at(-1) ?? Date.now() / 1000;
  return [end - spanSeconds, end];
}

/** Room for the lines, and for the edge of a band that is near enough to matter. */
function topOf({ lines, bands }: ChartProps): number {
  let highest = 0;
  for (const { values } of lines) for (const value of values) highest = Math.max(highest, value ?? 0);
  const edges = bands.map(({ lower, upper }) => upper ?? lower ?? 0);
  const near = edges.filter((edge) => highest === 0 || edge <= highest * 8);
  return Math.max(highest, ...near, LEAST_TOP) * 1.15;
}

function drawBands(plot: uPlot, { bands }: ChartProps, fill: string, edge: string): void {
  const { ctx, bbox } = plot;
  const clamp = (value: number): number => Math.min(bbox.top + bbox.height, Math.max(bbox.top, value));
  ctx.save();
  for (const { lower, upper } of bands) {
    const top = upper === null ? bbox.top : clamp(plot.valToPos(upper, 'y', true));
    const bottom = lower === null ? bbox.top + bbox.height : clamp(plot.valToPos(lower, 'y', true));
    ctx.fillStyle = fill;
    ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
    ctx.fillStyle = edge;
    if (upper !== null) ctx.fillRect(bbox.left, top, bbox.width, 1);
    if (lower !== null) ctx.fillRect(bbox.left, bottom - 1, bbox.width, 1);
  }
  ctx.restore();
}

const MARK_COLOURS: Readonly<Record<Mark['kind'], string>> = {
  drain: 'warning',
  recommission: 'good',
  start: 'accent',
  failure: 'bad',
};

/** A triangle at the foot: downwards is away, upwards is back. */
function drawMarks(plot: uPlot, { marks }: ChartProps, colour: (name: string) => string): void {
  const { ctx, bbox } = plot;
  const size = 4 * devicePixelRatio;
  const foot = bbox.top + bbox.height;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { atMs, kind } of marks) {
    const x = plot.valToPos(atMs / 1000, 'x', true);
    const away = kind === 'drain' || kind === 'failure';
    ctx.fillStyle = colour(MARK_COLOURS[kind]);
    ctx.beginPath();
    ctx.moveTo(x - size, away ? foot - 2 * size : foot);
    ctx.lineTo(x + size, away ? foot - 2 * size : foot);
    ctx.lineTo(x, away ? foot : foot - 2 * size);
    ctx.fill();
  }
  ctx.restore();
}
