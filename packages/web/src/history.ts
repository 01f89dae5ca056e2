import type { HistoryAnswer, LiveMetrics } from '@reactor/client';
import { RATES_MAX } from './board.js';
import { ask, endpointPath } from './exchange.js';

/** What the daemon has recorded, from before the page was opened. Its host may have recorded nothing. */

/** As many as a chart has room for. */
const POINTS_MAX = 600;

export async function recorded(name: string, spanSeconds: number): Promise<readonly LiveMetrics[]> {
  const sinceMs = Date.now() - spanSeconds * 1000;
  const points = Math.min(POINTS_MAX, spanSeconds);
  try {
    const path = endpointPath(name, `/history?since=${sinceMs}&points=${points}`);
    return (await ask<HistoryAnswer>('GET', path)).value.points.map(pointOf);
  } catch {
    return [];
  }
}

/** A second each, as many as a sparkline shows. */
export async function recordedRates(name: string): Promise<readonly number[]> {
  return (await recorded(name, RATES_MAX)).map(({ values, ready }) => (values['rate'] ?? 0) * Math.max(1, ready));
}

function pointOf({ atMs, metrics, ready, target, shadowTarget }: HistoryAnswer['points'][number]): LiveMetrics {
  const known = Object.entries(metrics).filter((each): each is [string, number] => each[1] !== null);
  return { atMs, values: Object.fromEntries(known), ready, target, shadowTarget };
}
