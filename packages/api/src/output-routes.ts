import { type Container, type ContainerEngine, describeError, type OutputLine, ReactorError } from '@reactor/core';
import type { ApiContext } from './context.js';
import { createFunnel } from './funnel.js';
import { liveEndpoint } from './names.js';
import { readFlag, readNumber } from './request-form.js';
import type { Reply, Route, RouteRequest } from './route.js';
import { route } from './route.js';

/**
 * What an endpoint's containers on this host wrote, interleaved by time, one JSON row per line:
 * `[seconds, instance, "stdout" | "stderr", text]`, and `[seconds, "", "note", text]` for what is to be known about it.
 */
export const OUTPUT_ROUTES: readonly Route[] = [
  route('GET', '/endpoints/:endpoint/output', readOutput, { query: ['tail', 'since', 'follow'] }),
];

type Row = readonly [seconds: number, instance: string, stream: OutputLine['stream'] | 'note', text: string];

const DEFAULT_TAIL = 1_000;
const TAIL_LIMIT = 10_000;
/** Held in memory while it is put in order; of longer outputs the newest part is shown. */
const GATHER_LIMIT_BYTES = 16 * 2 ** 20;
/** A disk under load reads the logs of a host's containers in less. */
const GATHER_DEADLINE_MS = 20_000;
/** How soon the output of an instance that has just started is followed, too. */
const LOOK_EVERY_MS = 1_000;
/** Keeps proxies from closing a silent stream and lets both sides notice a dead one. */
const HEARTBEAT_MS = 15_000;
/** Then the follower comes back by itself; so a changed key locks out whoever was following, within ten minutes. */
const FOLLOW_LIMIT_MS = 600_000;
/** The end of the year 5138, in seconds. */
const LATEST_SINCE = 99_999_999_999;

type Engine = Pick<ContainerEngine, 'list' | 'output'>;

interface Asked {
  readonly context: ApiContext;
  readonly engine: Engine;
  readonly endpoint: string;
  readonly tail: number;
  readonly sinceMs: number | null;
  readonly signal: AbortSignal;
  /** Instances on other hosts, which only the daemons there can read. */
  readonly note: string | null;
}

async function readOutput(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { query, signal } = request;
  const tail = readNumber(query, 'tail', { limit: TAIL_LIMIT, fraction: false }) ?? DEFAULT_TAIL;
  const since = readNumber(query, 'since', { limit: LATEST_SINCE, fraction: true });
  const follow = readFlag(query, 'follow');
  const { name, cluster } = await liveEndpoint(request, context);
  const { engine, host } = context;
  if (engine === null) throw new ReactorError('docker_unavailable', 'this daemon runs no containers');
  const elsewhere = (cluster.instancesOf.get(name) ?? []).map(({ value }) => value.host).filter((other) => other !== host);
  const others = [...new Set(elsewhere)].sort();
  const note = others.length === 0 ? null : `instances on ${others.join(', ')} are not shown: ask the daemon there (--api)`;
  const sinceMs = since === null ? null : Math.round(since * 1000);
  const asked: Asked = { context, engine, endpoint: name, tail, sinceMs, signal, note };
  // Read before the answer begins, so that a Docker that does not answer is told by the status.
  const gathered = await gather(asked, await containersOf(asked));
  return { kind: 'lines', lines: follow ? followed(asked, gathered) : once(gathered, asked) };
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
  const signal = AbortSignal.any([asked.signal, AbortSignal.timeout(GATHER_DEADLINE_MS)]);
  const limitBytes = GATHER_LIMIT_BYTES / Math.max(1, containers.length);
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
    .flatMap(({ container, lines }) => lines.map((line) => rowOf(container, line)))
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
  const lines: OutputLine[] = [];
  let first = 0;
  let bytes = 0;
  for await (const line of engine.output(container.id, { tail, sinceMs, follow: false }, signal)) {
    lines.push(line);
    bytes += line.text.length;
    for (; bytes > limitBytes; first += 1) bytes -= lines[first]?.text.length ?? bytes;
  }
  return lines.slice(first);
}

async function* once({ rows }: Gathered, { note, context }: Asked): AsyncGenerator<string, void, void> {
  yield [...rows, ...noteRows(note, context)].map(lineOf).join('');
}

// ---------------------------------------------------------------------------------------------------- what is yet to come

async function* followed(asked: Asked, gathered: Gathered): AsyncGenerator<string, void, void> {
  const { context, signal } = asked;
  const startMs = context.now();
  const release = context.follow();
  const leaving = new AbortController();
  const ended = AbortSignal.any([signal, leaving.signal]);
  const funnel = createFunnel<Row>();
  const known = new Set<string>();
  const attach = (container: Container, position: Position | null): void => {
    known.add(container.id);
    const pump = async (): Promise<void> => {
      for await (const row of linesAfter(asked, container, position, startMs, ended)) await funnel.put(row);
    };
    const broken = (error: unknown): Promise<void> =>
      funnel.put([context.now() / 1000, '', 'note', `${container.instance}: ${describeError(error)}`]);
    void pump().catch(broken);
  };
  try {
    // At least a blank line at once: it carries the headers, so the follower knows that the connection stands.
    yield `\n${[...noteRows(asked.note, context), ...gathered.rows].map(lineOf).join('')}`;
    let saidMs = context.now();
    while (release !== null && !signal.aborted && context.now() - startMs < FOLLOW_LIMIT_MS) {
      const containers = await containersOf(asked);
      for (const each of containers) if (!known.has(each.id)) attach(each, gathered.positions.get(each.id) ?? null);
      const lookAtMs = performance.now() + LOOK_EVERY_MS;
      for (let left = LOOK_EVERY_MS; left > 0 && !signal.aborted; left = lookAtMs - performance.now()) {
        const row = await funnel.take(left, signal);
        if (row === null && context.now() - saidMs < HEARTBEAT_MS) continue;
        saidMs = context.now();
        yield row === null ? '\n' : lineOf(row);
      }
    }
  } finally {
    leaving.abort();
    release?.();
  }
}

/** From the newest line that was gathered; those of its very millisecond come again and are passed over. */
async function* linesAfter(
  { engine, tail, sinceMs }: Asked,
  container: Container,
  position: Position | null,
  startMs: number,
  signal: AbortSignal,
): AsyncGenerator<Row, void, void> {
  const from = position?.atMs ?? (tail === 0 ? startMs : sinceMs);
  let known = position?.lines ?? 0;
  for await (const line of engine.output(container.id, { tail: TAIL_LIMIT, sinceMs: from, follow: true }, signal)) {
    if (known > 0 && line.atMs === position?.atMs) known -= 1;
    else yield rowOf(container, line);
  }
}

const rowOf = (container: Container, { atMs, stream, text }: OutputLine): Row => [atMs / 1000, container.instance, stream, text];

const noteRows = (note: string | null, context: ApiContext): readonly Row[] =>
  note === null ? [] : [[context.now() / 1000, '', 'note', note]];

const lineOf = (row: Row): string => `${JSON.stringify(row)}\n`;
