import type { Client } from '@reactor/client';
import {
  decideAgain,
  type LoadTape,
  logTape,
  METRIC_KINDS,
  ReactorError,
  type RecordedRound,
  roundTape,
  ruleOf,
  type ScalingConfig,
  sampleTape,
} from '@reactor/core';
import { readAccessLog } from './access-log.js';
import { readMetricsCsv } from './metrics-csv.js';

/** Where the load comes from that a simulation is given. */
export interface LoadSource {
  readonly name: string;
  /** What there is to say about it, a line each. */
  readonly remarks: readonly string[];
  readonly tape: (scaling: ScalingConfig) => LoadTape;
  /** Metrics it can tell of; a rule on another never decides. */
  readonly tells: ReadonlySet<string>;
  /** How many ran when it begins; null when nobody knows. */
  readonly instances: number | null;
  /** Of recorded rounds: what was in force last, and how they were decided again. */
  readonly recorded: Recorded | null;
}

export interface Recorded {
  readonly scaling: ScalingConfig;
  readonly replayed: number;
  readonly divergent: number;
}

/** What a queue of requests changes. */
const DRIVEN = ['rate', 'active', 'response'];
const QUANTILE = /^p\d\d$/;

export async function logSource(path: string, site: string | null): Promise<LoadSource> {
  const log = await readAccessLog(path, site);
  const bad = `${log.badLines} of ${log.lines} lines could not be read, the first is line ${log.firstBadLine}`;
  return {
    name: path,
    remarks: [`${log.requests} requests${log.firstBadLine === null ? '' : `; ${bad}`}`],
    tape: ({ windowMs, rules }) => {
      const asked = new Set([...rules.map(({ metric }) => metric), ...DRIVEN]);
      const quantiles = rules.some(({ metric }) => QUANTILE.test(metric));
      return logTape(log.seconds, { windowMs, metrics: new Set([...asked].filter((name) => log.tells.has(name))), quantiles });
    },
    tells: log.tells,
    instances: null,
    recorded: null,
  };
}

export async function csvSource(path: string): Promise<LoadSource> {
  const samples = await readMetricsCsv(path);
  return {
    name: path,
    remarks: [`${samples.length} lines`],
    tape: ({ windowMs }) => sampleTape(samples, windowMs),
    tells: new Set(samples.flatMap(({ values }) => Object.keys(values))),
    instances: samples[0]?.values['instances'] ?? null,
    recorded: null,
  };
}

export async function recordedSource(
  client: Client,
  name: string,
  range: { sinceMs: number; untilMs: number },
): Promise<LoadSource> {
  const rounds: RecordedRound[] = [];
  let scaling: ScalingConfig | null = null;
  let [replayed, divergent, thinned] = [0, 0, 0];
  let firstMs: number | null = null;
  for await (const recording of client.recording(name, range)) {
    rounds.push(...recording.rounds);
    scaling = { ...recording.scaling, rules: recording.scaling.rules.map(ruleOf) };
    if (recording.thinned) thinned += recording.rounds.length;
    else {
      for (const [round, again] of decideAgain(recording)) {
        replayed += 1;
        if (again.target === round.target) continue;
        divergent += 1;
        firstMs ??= round.atMs;
      }
    }
  }
  if (scaling === null) throw new ReactorError('not_found', `nothing is recorded of '${name}' in that time at ${client.api}`);
  const first = firstMs === null ? '' : `, the first at ${new Date(firstMs).toISOString()}`;
  const older = thinned === 0 ? '' : `; ${thinned} older ones are too few to tell`;
  return {
    name,
    remarks: [`${replayed} recorded rounds decided again, ${divergent} otherwise than live${first}${older}`],
    tape: () => roundTape(rounds),
    tells: new Set(rounds.flatMap(({ metrics }) => Object.keys(metrics))),
    instances: rounds[0]?.instances ?? null,
    recorded: { scaling, replayed, divergent },
  };
}

/** What the rules ask for and the source cannot tell. */
export function untold({ tells }: LoadSource, { rules }: ScalingConfig): readonly string[] {
  const asked = [...new Set(rules.map(({ metric }) => metric))].filter((metric) => METRIC_KINDS[metric] !== 'direct');
  return asked
    .filter((metric) => !tells.has(metric))
    .map((metric) => `it tells nothing of ${metric}: rules on it are skipped, and the count never falls`);
}
