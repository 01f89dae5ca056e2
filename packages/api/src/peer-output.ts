import { type IncomingMessage, request } from 'node:http';
import { type Cluster, describeError, ReactorError } from '@reactor/core';
import type { Funnel } from './funnel.js';
import { newestWithin, type OutputAsked, ROW_BYTES, type Row, type Source } from './output-row.js';

/**
 * What an endpoint's containers on another host wrote, and write: its daemon is asked in the caller's name, with the key
 * the caller showed, which is kept nowhere. Which address that is stands in the cluster state, where only the daemons of
 * this cluster write it; redirects are not followed.
 */

export interface Peer {
  readonly host: string;
  /** Null: its API answers on loopback only. */
  readonly url: string | null;
  readonly lost: boolean;
}

/** Asked all at once; more hosts than this for one endpoint are named, not asked. */
export const PEERS_MAX = 100;
/** Until a host has told all it wrote so far. Less than the ten seconds after which the command gives up, so that the others are still shown. */
const PAST_WITHIN_MS = 6_000;
/** The daemon sends a blank line every 15 s; three missing ones mean that the connection is dead. */
const SILENCE_LIMIT_MS = 45_000;
/** Longer lines come in pieces. */
const LINE_LIMIT = 262_144;
const REFUSAL_LIMIT_BYTES = 4_096;

/** Other hosts with instances of the endpoint, ascending. */
export function peersOf(cluster: Cluster, endpoint: string, own: string): readonly Peer[] {
  const hosts = (cluster.instancesOf.get(endpoint) ?? []).map(({ value }) => value.host).filter((host) => host !== own);
  return [...new Set(hosts)].sort().map((host) => {
    const record = cluster.hosts.get(host)?.value;
    return { host, url: record?.apiUrl ?? null, lost: record === undefined };
  });
}

/** From where on; `tail` and `sinceMs` are as asked unless a broken connection is taken up again. */
export interface PeerRange {
  readonly tail: number;
  readonly sinceMs: number | null;
}

/** Throws in words that say what to do. */
export async function peerOutput(
  peer: Peer,
  asked: OutputAsked,
  range: PeerRange,
  keyHeaders: Readonly<Record<string, string>>,
): Promise<Source> {
  const { host, url } = peer;
  if (peer.lost) throw new ReactorError('unreachable', 'the host is lost');
  if (url === null) {
    throw new ReactorError(
      'unreachable',
      'its API answers on loopback only: set listen = :8080 under [api] in /etc/reactor/reactor.conf there',
    );
  }
  const ending = new AbortController();
  const signal = AbortSignal.any([asked.signal, ending.signal]);
  const timer = setTimeout(() => ending.abort(), PAST_WITHIN_MS);
  try {
    const response = await ask(`${url}${pathOf(asked, range)}`, keyHeaders, signal);
    const lines = linesOf(response);
    const rows = newestWithin<Row>(asked.limitBytes, (row) => row[3].length + ROW_BYTES);
    // A blank line opens what is followed and another one ends what was there already; what is not followed ends by itself.
    for (let blanks = 0; blanks < 2; ) {
      const { value: line, done } = await lines.next();
      if (done === true) break;
      if (line === '') blanks += 1;
      else rows.push(rowFrom(line, host));
    }
    return { host, past: rows.items(), live: (funnel) => pump(lines, host, response, funnel) };
  } catch (error) {
    const tooLate = ending.signal.aborted && !asked.signal.aborted;
    ending.abort();
    if (tooLate) throw new ReactorError('timeout', `no answer within ${PAST_WITHIN_MS / 1000} s`, { cause: error });
    throw error instanceof ReactorError ? error : new ReactorError('unreachable', describeError(error), { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function pathOf({ endpoint, follow }: OutputAsked, { tail, sinceMs }: PeerRange): string {
  const query = [
    'local=1',
    `tail=${tail}`,
    ...(sinceMs === null ? [] : [`since=${(sinceMs / 1000).toFixed(3)}`]),
    ...(follow ? ['follow=1'] : []),
  ];
  return `/v1.1/endpoints/${encodeURIComponent(endpoint)}/output?${query.join('&')}`;
}

async function ask(url: string, keyHeaders: Readonly<Record<string, string>>, signal: AbortSignal): Promise<IncomingMessage> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { accept: 'application/x-ndjson', ...keyHeaders };
    const sent = request(url, { headers, signal, agent: false, timeout: SILENCE_LIMIT_MS }, resolve);
    sent.on('timeout', () => sent.destroy(new Error('the connection has fallen silent')));
    sent.on('error', reject);
    sent.end();
  });
  if (response.statusCode === 200) return response;
  throw new ReactorError('unreachable', `it answers ${response.statusCode}: ${await refusalOf(response)}`);
}

async function refusalOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > REFUSAL_LIMIT_BYTES) break;
  }
  try {
    const { error } = JSON.parse(text) as { readonly error?: { readonly message?: unknown } };
    return typeof error?.message === 'string' ? error.message : 'not the API of a reactord';
  } catch {
    return 'not the API of a reactord';
  }
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void, void> {
  response.setEncoding('utf8');
  let rest = '';
  for await (const chunk of response as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_LIMIT) throw new ReactorError('unreachable', 'its lines are too long for an output');
    yield* lines;
  }
}

function rowFrom(line: string, host: string): Row {
  const row = parsedOrNull(line);
  const streams: readonly unknown[] = ['stdout', 'stderr', 'note'];
  if (!Array.isArray(row) || typeof row[0] !== 'number' || typeof row[1] !== 'string' || typeof row[3] !== 'string')
    throw notOurs();
  if (!streams.includes(row[2])) throw notOurs();
  return [row[0], row[1], row[2] as Row[2], row[3], row[2] === 'note' ? '' : host];
}

const notOurs = (): ReactorError => new ReactorError('unreachable', 'it answers in a form that this version does not know');

function parsedOrNull(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

async function pump(lines: AsyncIterable<string>, host: string, response: IncomingMessage, funnel: Funnel<Row>): Promise<void> {
  try {
    for await (const line of lines) if (line !== '') await funnel.put(rowFrom(line, host));
  } finally {
    response.destroy();
  }
}
