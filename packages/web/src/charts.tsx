import type { LiveMetrics } from '@reactor/client';
import { type Rule, type ScalingConfig, shownQuantity } from '@reactor/core';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { joined, logOf, marksOf } from './board.js';
import { Chart } from './chart.js';
import { recorded } from './history.js';
import type { LiveState } from './stream.js';

/** The count of instances and every metric, the ones that rules are about first. */

const SPANS = [
  { seconds: 120, words: '2 min' },
  { seconds: 600, words: '10 min' },
  { seconds: 3_600, words: '1 h' },
] as const;

/** Shown without a rule about them, where they are measured. */
const USUAL = ['rate', 'response', 'p95', 'errors', 'active'];

export function Charts({ name, live, scaling }: { name: string; live: LiveState; scaling: ScalingConfig | null }) {
  const [span, setSpan] = useState<number>(SPANS[0].seconds);
  const past = usePast(name, span);
  const points = useMemo(() => within(joined(past, live.points), span), [past, live.points, span]);
  const seconds = points.map(({ atMs }) => atMs / 1000);
  const marks = marksOf(logOf(live.endpoint));
  const rules = scaling?.rules ?? [];
  const common = { seconds, marks, spanSeconds: span };
  return (
    <section aria-labelledby="charts">
      <div class="head">
        <h2 id="charts">Now and before</h2>
        <fieldset class="choice">
          <legend class="hidden">How far back</legend>
          {SPANS.map(({ seconds: each, words }) => (
            <label key={each}>
              <input type="radio" name="span" checked={each === span} onChange={() => setSpan(each)} />
              <span>{words}</span>
            </label>
          ))}
        </fieldset>
      </div>
      <div class="charts">
        <Chart
          {...common}
          title="Instances"
          bands={scaling === null ? [] : [{ lower: scaling.minInstances, upper: scaling.maxInstances }]}
          show={(value) => String(Math.round(value * 10) / 10)}
          lines={[
            { label: 'ready', tone: 'main', stepped: true, values: points.map(({ ready }) => ready) },
            { label: 'wanted', tone: 'second', stepped: true, values: points.map(({ target }) => target) },
            ...(points.some(({ shadowTarget }) => shadowTarget !== null)
              ? [{ label: 'candidate', tone: 'third', stepped: true, values: points.map((each) => each.shadowTarget) } as const]
              : []),
          ]}
        />
        {shownMetrics(rules, points).map((metric) => (
          <Chart
            {...common}
            key={metric}
            title={titleOf(metric)}
            bands={bandsOf(rules, metric)}
            show={(value) => shownQuantity(metric, Number(value.toPrecision(3)))}
            lines={[{ label: metric, tone: 'main', stepped: false, values: points.map(({ values }) => values[metric] ?? null) }]}
          />
        ))}
      </div>
      <p class="quiet legend-marks">
        <span class="mark is-start">▲</span> start <span class="mark is-recommission">▲</span> back into service{' '}
        <span class="mark is-drain">▼</span> drain <span class="mark is-failure">▼</span> failure; shaded: where the rules want it
      </p>
    </section>
  );
}

/** Asked for anew with every span: the longer, the coarser. */
function usePast(name: string, span: number): readonly LiveMetrics[] {
  const [past, setPast] = useState<readonly LiveMetrics[]>([]);
  useEffect(() => {
    let isWanted = true;
    void recorded(name, span).then((found) => isWanted && setPast(found));
    return () => {
      isWanted = false;
    };
  }, [name, span]);
  return past;
}

function within(points: readonly LiveMetrics[], seconds: number): readonly LiveMetrics[] {
  const sinceMs = (points.at(-1)?.atMs ?? 0) - seconds * 1000;
  return points.filter(({ atMs }) => atMs >= sinceMs);
}

function shownMetrics(rules: readonly Rule[], points: readonly LiveMetrics[]): readonly string[] {
  const measured = new Set(points.flatMap(({ values }) => Object.keys(values)));
  const asked = rules.map(({ metric }) => metric).filter((metric) => metric !== 'instances');
  const posted = [...measured].filter((metric) => !BUILT_IN.has(metric)).sort();
  return [...new Set([...asked, ...USUAL.filter((metric) => measured.has(metric)), ...posted])];
}

const BUILT_IN: ReadonlySet<string> = new Set([
  'rate',
  'bytes',
  'active',
  'pending',
  'response',
  'errors',
  'p50',
  'p90',
  'p95',
  'p99',
]);

const bandsOf = (rules: readonly Rule[], metric: string) =>
  rules
    .filter((rule) => rule.metric === metric)
    .map(({ lower, upper }) => ({ lower: lower?.value ?? null, upper: upper?.value ?? null }));

const PER_INSTANCE: ReadonlySet<string> = new Set(['rate', 'bytes', 'active', 'pending']);

const titleOf = (metric: string): string => (PER_INSTANCE.has(metric) ? `${metric} per instance` : metric);
