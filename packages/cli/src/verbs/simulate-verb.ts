import { writeFileSync } from 'node:fs';
import { CONFIG_SIZE_MAX, parseDuration, readDocument, resolveEndpoint } from '@reactor/config';
import { type LoadTape, ReactorError, type ScalingConfig, simulate } from '@reactor/core';
import { fileError, readFile } from '../file-text.js';
import { csvSource, type LoadSource, logSource, recordedSource, untold } from '../simulate/load-source.js';
import { seriesOf } from '../simulate/series.js';
import { simulationHtml } from '../simulate/simulation-html.js';
import { moment, type SimulationRun, simulationText } from '../simulate/simulation-text.js';
import { sinceTime } from '../since-time.js';
import { UsageError } from '../usage-error.js';
import { type Call, DONE, type Perform } from '../verb.js';

/** `reactor simulate`: the controller's own decision on the load of the past, in this process. Nothing is changed anywhere. */
export const simulateVerb: Perform = async (call) => {
  const model = modelOf(call);
  const source = await openSource(call);
  const wanted = [...configurations(call, source)];
  const runs = wanted.map(({ name, scaling, decommissionedTimeoutMs }): SimulationRun => {
    const instances = Math.min(Math.max(source.instances ?? 0, scaling.minInstances), scaling.maxInstances);
    const tape = withinLimit(source.tape(scaling), source.name);
    const simulation = simulate({ scaling, decommissionedTimeoutMs, ...model, tape, instances });
    return { name, rules: scaling.rules.map(({ text }) => text), simulation };
  });
  const remarks = [...source.remarks, ...new Set(wanted.flatMap(({ scaling }) => untold(source, scaling)))];
  const { html } = call.options;
  if (html !== undefined) writePage(html, simulationHtml(titleOf(source, runs), remarks, runs));
  if (call.output.json) call.output.value(answer(source, remarks, runs));
  else {
    for (const remark of remarks) call.output.say(`${source.name}: ${remark}`);
    call.output.lines(simulationText(runs));
  }
  return DONE;
};

/** As long as the daemon's own history is kept, and a day. */
const SPAN_LIMIT_MS = 8 * 86_400_000;
const DAY_MS = 86_400_000;
const JSON_POINTS = 1_440;
const DEFAULT_START = '2s';
const DEFAULT_DECOMMISSIONED_MS = 60_000;

async function openSource(call: Call): Promise<LoadSource> {
  const { log, metrics, recorded, since, site } = call.options;
  const given = [log, metrics, recorded].filter((one) => one !== undefined);
  if (given.length !== 1) throw new UsageError('expected one of --log FILE, --metrics FILE and --recorded ENDPOINT');
  if (since !== undefined && recorded === undefined) throw new UsageError('--since belongs to --recorded');
  if (site !== undefined && log === undefined) throw new UsageError('--site belongs to --log');
  if (log !== undefined) return logSource(log, site ?? null);
  if (metrics !== undefined) return csvSource(metrics);
  const untilMs = call.io.now();
  const sinceMs = since === undefined ? untilMs - DAY_MS : sinceTime(since, untilMs) * 1000;
  if (!(sinceMs < untilMs)) throw new UsageError('--since: expected a time that has passed');
  return recordedSource(await call.client(), recorded ?? '', { sinceMs, untilMs });
}

interface Configuration {
  readonly name: string;
  readonly scaling: ScalingConfig;
  readonly decommissionedTimeoutMs: number;
}

function* configurations(call: Call, { recorded, name }: LoadSource): Generator<Configuration> {
  const file = call.args[0];
  if (file !== undefined) yield configurationOf(file);
  else if (recorded !== null) {
    yield { name: `${name} as recorded`, scaling: recorded.scaling, decommissionedTimeoutMs: DEFAULT_DECOMMISSIONED_MS };
  } else throw new UsageError('expected a configuration: reactor simulate web.conf --log access.log');
  if (call.options.compare !== undefined) yield configurationOf(call.options.compare);
}

function configurationOf(file: string): Configuration {
  const text = readFile(file, CONFIG_SIZE_MAX);
  if (text === null) throw new ReactorError('not_found', `no file '${file}'`);
  const { document, places } = readDocument(text, { source: file });
  const { scaling, decommissionedTimeoutMs } = resolveEndpoint(document, places).config;
  return { name: file, scaling, decommissionedTimeoutMs };
}

function modelOf(call: Call): { readonly startMs: number; readonly capacity: number | null } {
  const { 'start-time': startTime = DEFAULT_START, capacity } = call.options;
  const start = parseDuration(startTime);
  if (!start.ok) throw new UsageError(`--start-time: ${start.fault.message}`);
  if (capacity === undefined) return { startMs: start.value, capacity: null };
  const [, perSecond] = /^(\d{1,9}(?:\.\d{1,9})?)(?:\/s)?$/.exec(capacity) ?? [];
  if (perSecond === undefined || Number(perSecond) === 0) {
    throw new UsageError(`--capacity: expected requests per second of one instance, such as 50/s, not '${capacity}'`);
  }
  return { startMs: start.value, capacity: Number(perSecond) };
}

/** One stray date would ask for years. */
function withinLimit(tape: LoadTape, name: string): LoadTape {
  if (tape.untilMs - tape.fromMs <= SPAN_LIMIT_MS) return tape;
  throw new ReactorError(
    'too_large',
    `${name} goes from ${moment(tape.fromMs)} to ${moment(tape.untilMs)}; expected eight days at most`,
  );
}

const titleOf = (source: LoadSource, runs: readonly SimulationRun[]): string =>
  `${runs.map(({ name }) => name).join(' and ')} on ${source.name}`;

function writePage(path: string, page: string): void {
  try {
    writeFileSync(path, page);
  } catch (cause) {
    throw fileError(path, cause, 'written');
  }
}

function answer(source: LoadSource, remarks: readonly string[], runs: readonly SimulationRun[]): object {
  const replay = source.recorded === null ? null : { rounds: source.recorded.replayed, divergent: source.recorded.divergent };
  return {
    source: source.name,
    remarks,
    replay,
    runs: runs.map(({ name, rules, simulation }) => ({
      ...{ name, rules, metric: simulation.metric },
      summary: simulation.summary,
      series: seriesOf(simulation.rounds, JSON_POINTS),
    })),
  };
}
