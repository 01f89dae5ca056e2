import { type Container, describeError, type OutputLine, ReactorError } from '@reactor/core';
import type { Funnel } from './funnel.js';
import { newestWithin, noteOf, type OutputAsked, ROW_BYTES, type Row, rowOf, type Source } from './output-row.js';
import { pause } from './pause.js';

/** What an endpoint's containers on this host wrote, and write. */

/** The most that may be asked for. */
export const TAIL_LIMIT = 10_000;
/** A disk under load reads the logs of a host's containers in less. */
const GATHER_DEADLINE_MS = 20_000;
/** How soon the output of an instance that has just started is followed, too. */
const LOOK_EVERY_MS = 1_000;

interface Engine {
  readonly engine: NonNullable<OutputAsked['engine']>;
}
type Asked = OutputAsked & Engine;

/** Read at once, so that a Docker that does not answer is told before the answer begins. */
export async function ownOutput(asked: OutputAsked): Promise<Source> {
  const { engine, context } = asked;
  if (engine === null) throw new ReactorError('docker_unavailable', 'this daemon runs no containers');
  const own = { ...asked, engine };
  const startMs = context.now();
  const { rows, positions } = await gather(own, await containersOf(own));
  return { host: context.host, past: rows, live: (funnel) => follow(own, positions, startMs, funnel) };
}

async function containersOf({ engine, endpoint }: Asked): Promise<readonly Container[]> {
  return (await engine.list()).filter((container) => container.endpoint === endpoint);
}

// -------------------------------------------------------------------------------------------------- what is there already

interface Gathered {
  readonly rows: readonly Row[];
  /** By container: the time of its newest line and how many lines have it, for following to go on from there. */
  readonly positions: ReadonlyMap<string, Position>;
}

interface Position {
  readonly atMs: number;
  readonly lines: number;
}

async function gather(asked: Asked, containers: readonly Container[]): Promise<Gathered> {
  const { host } = asked.context;
  const signal = AbortSignal.any([asked.signal, AbortSignal.timeout(GATHER_DEADLINE_MS)]);
  const limitBytes = asked.limitBytes / Math.max(1, containers.length);
  const outputs = await Promise.all(
    containers.map(async (container) => ({ container, lines: await newestLines(asked, container, limitBytes, signal) })),
  );
  const positions = outputs.flatMap(({ container, lines }) => {
    const atMs = lines.at(-1)?.atMs;
    return atMs === undefined
      ? []
      : [[container.id, { atMs, lines: lines.filter((line) => line.atMs === atMs).length }] as const];
  });
  const rows = outputs
    .flatMap(({ container, lines }) => lines.map((line) => rowOf(container, line, host)))
    // Equal times keep the order of their container: the sort is stable.
    .sort((a, b) => a[0] - b[0]);
  return { rows: asked.tail === 0 ? [] : rows.slice(-asked.tail), positions: new Map(positions) };
}

async function newestLines(
  { engine, tail, sinceMs }: Asked,
  container: Container,
  limitBytes: number,
  signal: AbortSignal,
): Promise<readonly OutputLine[]> {
  const lines = newestWithin<OutputLine>(limitBytes, ({ text }) => text.length + ROW_BYTES);
  for await (const line of engine.output(container.id, { tail, sinceMs, follow: false }, signal)) lines.push(line);
  return lines.items();
}

// ---------------------------------------------------------------------------------------------------- what is yet to come

async function follow(
  asked: Asked,
  positions: ReadonlyMap<string, Position>,
  startMs: number,
  funnel: Funnel<Row>,
): Promise<void> {
  const { context, signal } = asked;
  const known = new Set<string>();
  const attach = (container: Container, position: Position | null): void => {
    known.add(container.id);
    const pump = async (): Promise<void> => {
      for await (const row of linesAfter(asked, container, position, startMs)) await funnel.put(row);
    };
    void pump().catch((error: unknown) => funnel.put(noteOf(`${container.instance}: ${describeError(error)}`, context)));
  };
  let problem: string | null = null;
  while (!signal.aborted) {
    try {
      for (const each of await containersOf(asked)) if (!known.has(each.id)) attach(each, positions.get(each.id) ?? null);
      problem = null;
    } catch (error) {
      if (problem === null && !signal.aborted) void funnel.put(noteOf(`${context.host}: ${describeError(error)}`, context));
      problem = describeError(error);
    }
    await pause(LOOK_EVERY_MS, signal);
  }
}

/** From the newest line that was gathered; those of its very millisecond come again and are passed over. */
async function* linesAfter(
  { engine, tail, sinceMs, signal, context }: Asked,
  container: Container,
  position: Position | null,
  startMs: number,
): AsyncGenerator<Row, void, void> {
  const from = position?.atMs ?? (tail === 0 ? startMs : sinceMs);
  let known = position?.lines ?? 0;
  for await (const line of engine.output(container.id, { tail: TAIL_LIMIT, sinceMs: from, follow: true }, signal)) {
    if (known > 0 && line.atMs === position?.atMs) known -= 1;
    else yield rowOf(container, line, context.host);
  }
}
