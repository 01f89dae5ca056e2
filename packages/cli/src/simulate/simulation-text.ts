import type { Simulation } from '@reactor/core';
import { duration } from '../output/age.js';
import { metricValue } from '../output/metric-value.js';
import { printable } from '../output/printable.js';
import { table } from '../output/table.js';
import { seriesOf } from './series.js';

/** One configuration and what it would have done. */
export interface SimulationRun {
  readonly name: string;
  readonly rules: readonly string[];
  readonly simulation: Simulation;
}

const COLUMNS = 72;
const BARS = ' ▁▂▃▄▅▆▇█';
const MISSED = '!';
const WASTED = '.';

/** What came out, configurations side by side: numbers, then the same as a chart. */
export function simulationText(runs: readonly SimulationRun[]): readonly string[] {
  return [...summaryTable(runs), '', ...chart(runs)];
}

export function summaryTable(runs: readonly SimulationRun[]): readonly string[] {
  return table(['', ...runs.map(({ name }) => name)], summaryRows(runs));
}

export function summaryRows(runs: readonly SimulationRun[]): readonly (readonly string[])[] {
  const row = (label: string, of: (summary: Simulation['summary']) => string): readonly string[] => [
    label,
    ...runs.map(({ simulation }) => of(simulation.summary)),
  ];
  const time = (seconds: number, all: number): string =>
    `${duration(seconds * 1000)} (${Number(((100 * seconds) / Math.max(1, all)).toPrecision(2))} %)`;
  return [
    ['rules', ...runs.map(({ rules }) => rules.join(', ') || 'none')],
    row('instance-hours', ({ instanceHours }) => instanceHours.toFixed(2)),
    row('instances', ({ least, peak }) => `${least} to ${peak}`),
    row('started', ({ started }) => String(started)),
    row('taken back', ({ takenBack }) => String(takenBack)),
    row('retired', ({ retired }) => String(retired)),
    row('reversals', ({ reversals }) => String(reversals)),
    row('above a band', ({ aboveSeconds, seconds }) => time(aboveSeconds, seconds)),
    row('below a band', ({ belowSeconds, seconds }) => time(belowSeconds, seconds)),
    row('without data', ({ unknownSeconds, seconds }) => time(unknownSeconds, seconds)),
    ...(runs.some(({ simulation }) => simulation.summary.queuedSeconds > 0)
      ? [
          row('requests waited', ({ queuedSeconds, seconds }) => time(queuedSeconds, seconds)),
          row('longest wait', ({ longestWaitSeconds }) => duration(longestWaitSeconds * 1000)),
        ]
      : []),
  ];
}

function chart(runs: readonly SimulationRun[]): readonly string[] {
  const most = Math.max(1, ...runs.map(({ simulation }) => simulation.summary.peak));
  const rows: (readonly [label: string, bars: string, scale: string])[] = [];
  let drawn = '';
  for (const { name, simulation } of runs) {
    const { load, instances, above, below } = seriesOf(simulation.rounds, COLUMNS);
    const peak = load.reduce<number>((largest, value) => Math.max(largest, value ?? 0), 0);
    // Configurations with the same first rule share a load.
    if (simulation.metric !== drawn)
      rows.push([simulation.metric, bars(load, peak), `up to ${metricValue(simulation.metric, peak)}`]);
    drawn = simulation.metric;
    rows.push([name, bars(instances, most), `${simulation.summary.least} to ${simulation.summary.peak} instances`]);
    const marks = above.map((seconds, index) => (seconds > 0 ? MISSED : below[index]! > 0 ? WASTED : ' ')).join('');
    rows.push(['', marks, `${MISSED} above a band, ${WASTED} below`]);
  }
  const [first] = runs;
  const rounds = first?.simulation.rounds ?? [];
  const width = Math.max(...rows.map(([, line]) => line.length));
  const [from, until] = [rounds[0], rounds.at(-1)].map((round) => moment(round?.atMs ?? 0));
  rows.push(['', `${from}${' '.repeat(Math.max(1, width - 2 * MOMENT_LENGTH))}${until}`, 'UTC']);
  const labels = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, line, scale]) => `${printable(label).padEnd(labels)}  ${line.padEnd(width)}  ${scale}`.trimEnd());
}

function bars(values: readonly (number | null)[], most: number): string {
  const level = (value: number): number => Math.min(BARS.length - 1, Math.ceil((value / most) * (BARS.length - 1)));
  return values.map((value) => (value === null || most === 0 ? '?' : BARS[level(value)])).join('');
}

const MOMENT_LENGTH = '2026-11-21 12:00'.length;
export const moment = (ms: number): string => new Date(ms).toISOString().slice(0, MOMENT_LENGTH).replace('T', ' ');
