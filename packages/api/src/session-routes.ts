import { resolveEndpoint } from '@reactor/config';
import {
  type Cluster,
  type HostSessions,
  KEYS,
  type KillRecord,
  ReactorError,
  SESSION_BALANCERS,
  type Session,
  sessionsOfHosts,
  TOPICS,
} from '@reactor/core';
import type { ApiContext } from './context.js';
import { list, map, TEXT } from './json-schema.js';
import { type LiveEndpoint, liveEndpoint } from './names.js';
import { quoted } from './offending-value.js';
import { readFlag } from './request-form.js';
import { ENDPOINT_OF_PATH, json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

/**
 * The clients of an endpoint, over the load balancers of all hosts. They are published, so the list is about a second old;
 * ending one is a wish that the agent of its host carries out.
 */
export const SESSION_ROUTES: readonly Route[] = [
  route('GET', '/endpoints/:endpoint/sessions', listSessions, {
    summary: 'Its clients, and what they are connected to',
    gives: { anyOf: [map(TEXT), list(shape('Session'))] },
    query: ['detail'],
    keeper: ENDPOINT_OF_PATH,
  }),
  route('GET', '/endpoints/:endpoint/sessions/:session', showSession, {
    summary: 'What a client is connected to',
    gives: TEXT,
    keeper: ENDPOINT_OF_PATH,
  }),
  route('DELETE', '/endpoints/:endpoint/sessions/:session', killSession, {
    summary: 'Cut a client off',
    gives: shape('SessionEnded'),
    keeper: ENDPOINT_OF_PATH,
  }),
];

/** A wish that nobody has struck out for so long belongs to a host that is gone. */
const FORGOTTEN_MS = 60_000;
/** `[v6]:port` is 48 characters. */
const NAME_FORM = /^[0-9a-fA-F.:[\]%a-z]{3,64}$/;

interface Found extends Session {
  readonly host: string;
}

interface Clients extends LiveEndpoint {
  readonly sessions: readonly Found[];
  /** Hosts that have more than they list. */
  readonly unlisted: readonly string[];
}

async function clientsOf(request: RouteRequest, context: ApiContext): Promise<Clients> {
  const live = await liveEndpoint(request, context);
  const { loadBalancer } = resolveEndpoint(live.endpoint.value.document).config;
  if (loadBalancer === null || !SESSION_BALANCERS.includes(loadBalancer)) {
    const which = loadBalancer === null ? 'it has none' : `${loadBalancer} does not`;
    const known = SESSION_BALANCERS.join(', ');
    throw new ReactorError(
      'unsupported',
      `the load balancer of ${quoted(live.called)} lists no sessions: ${which}; expected ${known}`,
    );
  }
  const hosts: readonly (readonly [string, HostSessions])[] = [...sessionsOfHosts(await context.store.latest(TOPICS.sessions))];
  const sessions = hosts.flatMap(([host, said]) =>
    said.sessions.filter(({ endpoint }) => endpoint === live.name).map((session) => ({ ...session, host })),
  );
  return {
    ...live,
    sessions: sessions.sort((a, b) => a.sinceMs - b.sinceMs || (a.client < b.client ? -1 : 1)),
    unlisted: hosts.filter(([, { more }]) => more > 0).map(([host]) => host),
  };
}

/** `{"client": "backend"}` as in 2013; with `detail=1` a row each. */
async function listSessions(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const detail = readFlag(request.query, 'detail');
  const { sessions } = await clientsOf(request, context);
  return json(detail ? sessions : Object.fromEntries(sessions.map(({ client, backend }) => [client, backend])));
}

async function showSession(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const client = sessionName(request);
  const { called, sessions } = await clientsOf(request, context);
  const found = sessions.find((session) => session.client === client);
  if (found === undefined) throw noSession(called, client);
  return json(found.backend);
}

async function killSession(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const client = sessionName(request);
  const { name, called, sessions, unlisted, cluster } = await clientsOf(request, context);
  const listed = sessions.filter((session) => session.client === client).map(({ host }) => host);
  const hosts = listed.length > 0 ? listed : unlisted;
  if (hosts.length === 0) throw noSession(called, client);
  const wishes = hosts.map((host): KillRecord => ({ id: context.newId(), host, endpoint: name, client, atMs: context.now() }));
  await context.store.commit({
    expect: [],
    write: [
      ...forgotten(cluster, context.now()).map((key) => ({ key, value: null })),
      ...wishes.map((wish) => ({ key: KEYS.kill(wish.host, wish.id), value: { ...wish } })),
    ],
  });
  return json({ client, hosts });
}

function forgotten(cluster: Cluster, nowMs: number): readonly string[] {
  return [...cluster.kills.values()]
    .filter(({ value }) => nowMs - value.atMs > FORGOTTEN_MS)
    .map(({ value }) => KEYS.kill(value.host, value.id));
}

function sessionName(request: RouteRequest): string {
  const name = request.params['session'] ?? '';
  if (NAME_FORM.test(name)) return name;
  throw new ReactorError('request_invalid', `${quoted(name)} is not a session: expected ADDRESS:PORT of the client`);
}

const noSession = (endpoint: string, client: string): ReactorError =>
  new ReactorError('not_found', `no session of ${quoted(client)} at endpoint ${quoted(endpoint)}`, {
    details: { session: client },
  });
