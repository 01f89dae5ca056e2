import { describeError } from '@reactor/core';
import type { ApiContext } from './context.js';
import { createFunnel, type Funnel } from './funnel.js';
import { lines } from './json-schema.js';
import { liveEndpoint } from './names.js';
import { lineOf, noteOf, type OutputAsked, type Row, type Source } from './output-row.js';
import { ownOutput, TAIL_LIMIT } from './own-output.js';
import { pause } from './pause.js';
import { PEERS_MAX, type Peer, type PeerRange, peerOutput, peersOf } from './peer-output.js';
import { readFlag, readNumber } from './request-form.js';
import { type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

/**
 * What an endpoint's containers wrote on every host, interleaved by time, one JSON row per line; with `local=1`, which the
 * daemons ask of each other, only those of this host. A host that cannot be asked is named in a note, never left out
 * silently.
 */
export const OUTPUT_ROUTES: readonly Route[] = [
  route('GET', '/endpoints/:endpoint/output', readOutput, {
    summary: 'What its containers write, on every host',
    gives: lines(shape('OutputRow')),
    query: ['tail', 'since', 'follow', 'local'],
  }),
];

const DEFAULT_TAIL = 1_000;
/** Held in memory while it is put in order, over all hosts together. */
const GATHER_LIMIT_BYTES = 16 * 2 ** 20;
/** How soon a host that gets its first instance of the endpoint is followed, too. */
const LOOK_EVERY_MS = 1_000;
/** A host that broke off is asked again so often. */
const ASK_AGAIN_MS = 5_000;
/** Keeps proxies from closing a silent stream and lets both sides notice a dead one. */
const HEARTBEAT_MS = 15_000;
/** Then the follower comes back by itself; so a changed key locks out whoever was following, within ten minutes. */
const FOLLOW_LIMIT_MS = 600_000;
/** The end of the year 5138, in seconds. */
const LATEST_SINCE = 99_999_999_999;

async function readOutput(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { query } = request;
  const tail = readNumber(query, 'tail', { limit: TAIL_LIMIT, fraction: false }) ?? DEFAULT_TAIL;
  const since = readNumber(query, 'since', { limit: LATEST_SINCE, fraction: true });
  const follow = readFlag(query, 'follow');
  const local = readFlag(query, 'local');
  const { name, cluster } = await liveEndpoint(request, context);
  const peers = local ? [] : peersOf(cluster, name, context.host);
  const ended = new AbortController();
  const asked: OutputAsked = {
    context,
    engine: context.engine,
    endpoint: name,
    tail,
    sinceMs: since === null ? null : Math.round(since * 1000),
    follow,
    limitBytes: GATHER_LIMIT_BYTES / (1 + Math.min(peers.length, PEERS_MAX)),
    signal: AbortSignal.any([request.signal, ended.signal]),
  };
  const { sources, missing } = await gather(asked, peers, request.keyHeaders);
  const rows = inOrder(sources, tail);
  const notes = missing.size === 0 ? [] : [noteOf(notShown(missing), context)];
  if (!follow) return { kind: 'lines', lines: once([...rows, ...notes]) };
  const others = local ? null : followPeers(asked, request.keyHeaders, sources, missing);
  return { kind: 'lines', lines: followed(asked, { sources, rows: [...notes, ...rows], others, end: () => ended.abort() }) };
}

interface Gathered {
  readonly sources: readonly Source[];
  /** By host, why its output is not there. */
  readonly missing: ReadonlyMap<string, string>;
}

/** Fails only when nobody at all can be asked. */
async function gather(asked: OutputAsked, peers: readonly Peer[], keyHeaders: RouteRequest['keyHeaders']): Promise<Gathered> {
  const near = peers.slice(0, PEERS_MAX);
  const asking = [
    { host: asked.context.host, source: ownOutput(asked) },
    ...near.map((peer) => ({ host: peer.host, source: peerOutput(peer, asked, asked, keyHeaders) })),
  ];
  const results = await Promise.allSettled(asking.map(({ source }) => source));
  const sources = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const [first] = results;
  if (sources.length === 0 && first?.status === 'rejected') throw first.reason;
  const missing = new Map(
    results.flatMap((result, index) =>
      result.status === 'rejected' ? [[asking[index]!.host, describeError(result.reason)] as const] : [],
    ),
  );
  for (const { host } of peers.slice(PEERS_MAX)) missing.set(host, `more than ${PEERS_MAX} other hosts are not asked`);
  return { sources, missing };
}

/** Hosts with the same reason together, so that one setting is named once. */
function notShown(missing: ReadonlyMap<string, string>): string {
  const byReason = new Map<string, string[]>();
  for (const [host, reason] of missing) byReason.set(reason, [...(byReason.get(reason) ?? []), host]);
  return `not shown: ${[...byReason].map(([reason, hosts]) => `${hosts.join(', ')} (${reason})`).join('; ')}`;
}

function inOrder(sources: readonly Source[], tail: number): readonly Row[] {
  // Equal times keep the order of their hosts: the sort is stable.
  const rows = sources.flatMap(({ past }) => past).sort((a, b) => a[0] - b[0]);
  return tail === 0 ? [] : rows.slice(-tail);
}

async function* once(rows: readonly Row[]): AsyncGenerator<string, void, void> {
  yield rows.map(lineOf).join('');
}

// ---------------------------------------------------------------------------------------------------- what is yet to come

interface Following {
  readonly sources: readonly Source[];
  readonly rows: readonly Row[];
  readonly others: ((funnel: Funnel<Row>) => Promise<void>) | null;
  readonly end: () => void;
}

/** Every writer waits until its row is taken, so a slow reader slows all hosts, and nothing piles up here. */
async function* followed(asked: OutputAsked, { sources, rows, others, end }: Following): AsyncGenerator<string, void, void> {
  const { context, signal } = asked;
  const startMs = context.now();
  const release = context.follow();
  const funnel = createFunnel<Row>();
  try {
    // The blank line carries the headers, so the follower knows that the connection stands; another one ends the past.
    yield `\n${rows.map(lineOf).join('')}\n`;
    if (release === null) return;
    const own = sources.find(({ host }) => host === context.host);
    void own?.live(funnel).catch((error: unknown) => context.log('warning', `a followed output: ${describeError(error)}`));
    void others?.(funnel);
    let saidMs = context.now();
    while (!signal.aborted && context.now() - startMs < FOLLOW_LIMIT_MS) {
      const row = await funnel.take(LOOK_EVERY_MS, signal);
      if (row === null && context.now() - saidMs < HEARTBEAT_MS) continue;
      saidMs = context.now();
      yield row === null ? '\n' : lineOf(row);
    }
  } finally {
    end();
    release?.();
  }
}

/** Follows the other hosts, also those that get their first instance meanwhile, and asks again those that broke off. */
function followPeers(
  asked: OutputAsked,
  keyHeaders: RouteRequest['keyHeaders'],
  sources: readonly Source[],
  missing: ReadonlyMap<string, string>,
): (funnel: Funnel<Row>) => Promise<void> {
  const { context, signal, endpoint } = asked;
  const startMs = context.now();
  const open = new Map(sources.map((source) => [source.host, source]));
  const told = new Set(missing.keys());
  const newest = new Map(sources.map(({ host, past }) => [host, (past.at(-1)?.[0] ?? 0) * 1000]));
  const busy = new Set<string>();
  const againMs = new Map<string, number>();

  const follow = async (peer: Peer, funnel: Funnel<Row>): Promise<void> => {
    const { host } = peer;
    const noted: Funnel<Row> = {
      ...funnel,
      put: (row) => {
        if (row[2] !== 'note') newest.set(host, row[0] * 1000);
        return funnel.put(row);
      },
    };
    try {
      const known = open.get(host);
      open.delete(host);
      const source = known ?? (await peerOutput(peer, asked, resumed(newest.get(host) ?? 0, startMs), keyHeaders));
      told.delete(host);
      if (known === undefined) for (const row of source.past) await noted.put(row);
      await source.live(noted);
    } catch (error) {
      if (!told.has(host) && !signal.aborted) void funnel.put(noteOf(notShown(new Map([[host, describeError(error)]])), context));
      told.add(host);
    }
  };

  return async (funnel) => {
    while (!signal.aborted) {
      // While the state is away those that are known are followed on.
      const moment = await context.moment().catch(() => null);
      const peers = moment === null ? [] : peersOf(moment.cluster, endpoint, context.host).slice(0, PEERS_MAX);
      for (const peer of peers) {
        if (busy.has(peer.host) || context.now() < (againMs.get(peer.host) ?? 0)) continue;
        busy.add(peer.host);
        void follow(peer, funnel).finally(() => {
          busy.delete(peer.host);
          againMs.set(peer.host, context.now() + ASK_AGAIN_MS);
        });
      }
      await pause(LOOK_EVERY_MS, signal);
    }
  };
}

/** The millisecond after the newest row of a host; for a host never heard, from when following began. */
const resumed = (newestMs: number, startMs: number): PeerRange => ({
  tail: TAIL_LIMIT,
  sinceMs: newestMs === 0 ? startMs : Math.round(newestMs) + 1,
});
