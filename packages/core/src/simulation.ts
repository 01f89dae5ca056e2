import { decide } from './decision.js';
import { BURST_WINDOW_MS, type Measurement, type MetricReading } from './decision-input.js';
import { type FollowingCount, followTarget } from './following-count.js';
import type { LoadTape, TapeMoment } from './load-tape.js';
import type { Comparison, Rule, ScalingConfig } from './model.js';
import { asIfCount } from './shadow.js';
import { NO_HISTORY } from './target-history.js';

/**
 * What a configuration would have done with the load of the past, a round a second: the decision is the controller's own
 * function, and only what hosts and instances do about it is a model. An instance is ready `startMs` after it was started
 * and serves until it is retired; the pace of both is the planned one. Hosts have room, nothing fails.
 *
 * With a `capacity` requests wait in one queue, however long, for instances that each serve so many a second: the load
 * balancers then see what was served, and times grow by the wait. Without one every request is served as it comes, and a
 * mean changes with the count in proportion, as the rules reckon, where the recording tells its count; else not at all.
 */
export interface SimulationInput {
  readonly scaling: ScalingConfig;
  readonly decommissionedTimeoutMs: number;
  readonly startMs: number;
  /** Requests a second that one instance serves; null is as many as come. */
  readonly capacity: number | null;
  readonly tape: LoadTape;
  /** At the beginning, all of them ready. */
  readonly instances: number;
}

export interface SimulatedRound {
  readonly atMs: number;
  /** Of the metric that is drawn: the total of a load, or a mean; null while nobody knows. */
  readonly load: number | null;
  readonly instances: number;
  readonly ready: number;
  readonly target: number;
  readonly band: Band;
  /** Requests that wait. */
  readonly queue: number;
}

/** `above`: some rule's upper bound is passed. `below`: some lower bound is not reached, with more than min_instances. */
export type Band = 'inside' | 'above' | 'below' | 'unknown';

export interface Simulation {
  /** What `load` is. */
  readonly metric: string;
  readonly rounds: readonly SimulatedRound[];
  readonly summary: SimulationSummary;
}

export interface SimulationSummary {
  readonly seconds: number;
  /** Of everything that takes room: starting, serving and draining. */
  readonly instanceHours: number;
  readonly peak: number;
  readonly least: number;
  readonly started: number;
  readonly takenBack: number;
  readonly retired: number;
  /** How often the count turned round, from growing to shrinking or back. */
  readonly reversals: number;
  readonly aboveSeconds: number;
  readonly belowSeconds: number;
  readonly unknownSeconds: number;
  readonly queuedSeconds: number;
  readonly longestWaitSeconds: number;
}

const ROUND_MS = 1_000;

export function simulate(input: SimulationInput): Simulation {
  const { tape, scaling } = input;
  const metric = scaling.rules.find((rule) => rule.metric !== 'instances')?.metric ?? 'rate';
  const fleet = openFleet(input.instances);
  const queue = input.capacity === null ? null : openQueue(input.capacity, scaling.windowMs);
  const tally = openTally();
  const rounds: SimulatedRound[] = [];
  let count: FollowingCount = { instances: input.instances, drained: [] };
  let history = NO_HISTORY;
  for (let atMs = tape.fromMs; atMs <= tape.untilMs; atMs += ROUND_MS) {
    const ready = fleet.ready(atMs);
    const moment = tape.at(atMs, fleet.ready(atMs - scaling.windowMs));
    const { instances } = count;
    const seen = queue === null ? scaledMeans(moment, instances) : queue.serve(moment, ready);
    const { stable, burst } = seen;
    const decision = decide({ endpoint: '', atMs, epoch: 0, state: 'RUNNING', scaling, instances, stable, burst, history });
    history = decision.history;
    const { target } = decision.record;
    const band = bandOf(scaling, stable.metrics, ready, instances);
    const waiting = queue?.waiting() ?? 0;
    const load = moment.stable.metrics[metric]?.value ?? null;
    rounds.push({ atMs, load, instances, ready, target, band, queue: waiting });
    tally.round(count, atMs, input.decommissionedTimeoutMs, { band, waiting, waitSeconds: queue?.waitSeconds() ?? 0 });

    const next = followTarget(count, decision.record, input.decommissionedTimeoutMs);
    tally.change(next.instances - instances, next.started);
    fleet.change(next.instances - instances, next.started, atMs + input.startMs);
    count = next;
  }
  return { metric, rounds, summary: tally.summary() };
}

function scaledMeans({ stable, burst, over }: TapeMoment, count: number): Pick<TapeMoment, 'stable' | 'burst'> {
  return over === null ? { stable, burst } : { stable: asIfCount(stable, over, count), burst: asIfCount(burst, over, count) };
}

// ---------------------------------------------------------------------------------------------------------- what is modelled

interface Fleet {
  /** How many were ready at a moment, and are still there. */
  ready(atMs: number): number;
  change(by: number, started: number, readyAtMs: number): void;
}

/** The youngest go first, as those that never became ready do, and others that are equally busy. */
function openFleet(instances: number): Fleet {
  const cohorts: { readyAtMs: number; count: number }[] = [{ readyAtMs: Number.NEGATIVE_INFINITY, count: instances }];
  return {
    ready: (atMs) => cohorts.reduce((sum, cohort) => (cohort.readyAtMs <= atMs ? sum + cohort.count : sum), 0),
    change(by, started, readyAtMs) {
      // What is taken back has served before.
      if (by > started) cohorts[0]!.count += by - started;
      if (started > 0) cohorts.push({ readyAtMs, count: started });
      for (let left = -by; left > 0; ) {
        const youngest = cohorts.at(-1)!;
        const gone = Math.min(left, youngest.count);
        youngest.count -= gone;
        left -= gone;
        if (youngest.count === 0 && cohorts.length > 1) cohorts.pop();
      }
      // Those that have long been ready are all alike.
      while (cohorts.length > COHORTS_MAX) cohorts[0]!.count += cohorts.splice(1, 1)[0]!.count;
    },
  };
}

const COHORTS_MAX = 64;

interface Queue {
  serve(moment: TapeMoment, ready: number): Pick<TapeMoment, 'stable' | 'burst'>;
  waiting(): number;
  /** Of who comes last. */
  waitSeconds(): number;
}

function openQueue(capacity: number, windowMs: number): Queue {
  const seconds: { served: number; wait: number }[] = [];
  let waiting = 0;
  let wait = 0;
  const over = (measuredMs: number): { readonly served: number; readonly wait: number; readonly seconds: number } => {
    const recent = seconds.slice(-Math.ceil(measuredMs / ROUND_MS));
    const served = recent.reduce((sum, one) => sum + one.served, 0);
    const waited = recent.reduce((sum, one) => sum + one.served * one.wait, 0);
    return { served, wait: served === 0 ? 0 : waited / served, seconds: recent.length };
  };
  const seen = (measurement: Measurement, measuredMs: number): Measurement => {
    const { served, wait, seconds } = over(measuredMs);
    const metrics = Object.entries(measurement.metrics).map(([name, one]): readonly [string, MetricReading] => {
      if (name === 'rate') return [name, { ...one, value: (served / seconds) * (ROUND_MS / 1000) }];
      if (name === 'active') return [name, { ...one, value: one.value + waiting }];
      return [name, name === 'response' || /^p\d\d$/.test(name) ? { ...one, value: one.value + wait } : one];
    });
    return { ...measurement, metrics: Object.fromEntries(metrics), requests: served };
  };
  return {
    serve({ stable, burst, arrived }, ready) {
      const able = ready * capacity;
      const come = waiting + (arrived ?? 0);
      const served = Math.min(come, able);
      waiting = come - served;
      wait = waiting / Math.max(able, capacity);
      seconds.push({ served, wait });
      if (seconds.length * ROUND_MS > Math.max(windowMs, BURST_WINDOW_MS)) seconds.shift();
      return { stable: seen(stable, windowMs), burst: seen(burst, BURST_WINDOW_MS) };
    },
    waiting: () => waiting,
    waitSeconds: () => wait,
  };
}

// ------------------------------------------------------------------------------------------------------------ what is counted

function bandOf({ rules, minInstances }: ScalingConfig, metrics: Measurement['metrics'], ready: number, n: number): Band {
  let band: Band = 'inside';
  for (const rule of rules) {
    const value = rule.metric === 'instances' ? n : eachOf(metrics[rule.metric], ready);
    if (value === null) band = band === 'inside' ? 'unknown' : band;
    else if (rule.upper !== null && !holds(value, rule.upper.op, rule.upper.value)) return 'above';
    else if (passesBelow(rule, value) && n > minInstances) band = 'below';
  }
  return band;
}

function eachOf(reading: MetricReading | undefined, ready: number): number | null {
  if (reading === undefined) return null;
  if (reading.kind !== 'total') return reading.value;
  return reading.value === 0 ? 0 : reading.value / ready;
}

const passesBelow = ({ lower }: Rule, value: number): boolean => lower !== null && !holds(lower.value, lower.op, value);
const holds = (a: number, op: Comparison, b: number): boolean => (op === '<' ? a < b : a <= b);

interface Tally {
  round(
    count: FollowingCount,
    atMs: number,
    decommissionedTimeoutMs: number,
    seen: { readonly band: Band; readonly waiting: number; readonly waitSeconds: number },
  ): void;
  change(by: number, started: number): void;
  summary(): SimulationSummary;
}

function openTally(): Tally {
  const bands: Record<Band, number> = { inside: 0, above: 0, below: 0, unknown: 0 };
  let [seconds, instanceSeconds, peak, least] = [0, 0, 0, Number.POSITIVE_INFINITY];
  let [started, takenBack, retired, reversals, direction] = [0, 0, 0, 0, 0];
  let [queuedSeconds, longestWaitSeconds] = [0, 0];
  return {
    round({ instances, drained }, atMs, decommissionedTimeoutMs, { band, waiting, waitSeconds }) {
      const draining = drained.reduce((sum, [leftMs, count]) => (atMs - leftMs < decommissionedTimeoutMs ? sum + count : sum), 0);
      seconds += 1;
      instanceSeconds += instances + draining;
      peak = Math.max(peak, instances);
      least = Math.min(least, instances);
      bands[band] += 1;
      if (waiting > 0) queuedSeconds += 1;
      longestWaitSeconds = Math.max(longestWaitSeconds, waitSeconds);
    },
    change(by, begun) {
      started += begun;
      takenBack += Math.max(0, by - begun);
      retired += Math.max(0, -by);
      if (by === 0) return;
      if (direction === -Math.sign(by)) reversals += 1;
      direction = Math.sign(by);
    },
    summary: () => ({
      ...{ seconds, instanceHours: instanceSeconds / 3600, peak, least: seconds === 0 ? 0 : least },
      ...{ started, takenBack, retired, reversals },
      ...{ aboveSeconds: bands.above, belowSeconds: bands.below, unknownSeconds: bands.unknown },
      ...{ queuedSeconds, longestWaitSeconds },
    }),
  };
}
