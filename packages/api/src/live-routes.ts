import { parseEndpointName, SCHEMA, type Scope } from '@reactor/config';
import { ReactorError } from '@reactor/core';
import type { ApiContext } from './context.js';
import { textOf } from './json-schema.js';
import { json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

/** What the pages of /ui ask besides: the boards as they change, and what the keys of a configuration are. */
export const LIVE_ROUTES: readonly Route[] = [
  route('GET', '/live', showLive, {
    summary: 'The cluster, and an endpoint, as they change: server-sent events',
    gives: textOf('text/event-stream'),
    query: ['endpoint'],
  }),
  route('GET', '/schema/endpoint', async () => json(schemaOf('endpoint')), {
    summary: 'Every key of an endpoint',
    gives: shape('Schema'),
  }),
  route('GET', '/schema/manager', async () => json(schemaOf('daemon')), {
    summary: 'Every key of a manager',
    gives: shape('Schema'),
  }),
];

async function showLive({ query, signal }: RouteRequest, context: ApiContext): Promise<Reply> {
  const asked = query.get('endpoint');
  if (asked === undefined) return { kind: 'lines', type: 'text/event-stream', lines: context.live.follow(null, signal) };
  const name = parseEndpointName(asked);
  if (!name.ok) throw new ReactorError('request_invalid', `endpoint ${name.fault.message}`);
  return { kind: 'lines', type: 'text/event-stream', lines: context.live.follow(name.value, signal) };
}

/** Every key in the order of the documents; `words` are the values it takes, where there is a list of them. */
function schemaOf(scope: Scope): object {
  const keys = SCHEMA.filter((key) => key.scope === scope).map(({ section, key, type, description, secret, ...rest }) => ({
    ...{ section, key, type: type.name, default: rest.default, description, words: type.words, lines: type.lines, secret },
  }));
  return { keys };
}
