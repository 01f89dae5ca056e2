import type { IncomingMessage } from 'node:http';
import type { ReactorError } from '@reactor/core';
import { PAGE_HEADER } from './browser.js';
import type { Method, Reply, Route } from './route.js';

/**
 * The answers of 2013 where today's differ, for programs written against those; `compat=2013` in [api] brings them back. The
 * table in this package's README has a row for each. Not brought back: what misled (a rename onto a taken name that
 * answered 200 and lost the endpoint), crashes (500 for a body that is not JSON) and replies called text/html.
 */

/** Programs that know both say so, and our own pages are never from 2013. */
export function asks2013({ headers }: IncomingMessage): boolean {
  return headers['x-reactor-compat'] === undefined && headers[PAGE_HEADER] === undefined;
}

export interface Asked {
  readonly method: string;
  /** Null where no route was found. */
  readonly route: Route | null;
}

/** The routes there were, below the version; those for callers have the same under `/endpoint`. */
const OF_2013: ReadonlySet<string> = new Set([
  '/login',
  '/logout',
  '/auth_key',
  '/url',
  '/register',
  '/unregister',
  '/register/:backend',
  '/unregister/:backend',
  '/managers/configs/:manager',
  ...['', '/alias', '/metrics', '/metrics/:backend', '/state', '/log'].map((below) => `/endpoints/:endpoint${below}`),
  ...['/sessions/:session', '/instances/:instance', '/metadata/:key'].map((below) => `/endpoints/:endpoint${below}`),
]);
const WRITES: readonly string[] = ['POST', 'PUT', 'DELETE'] satisfies readonly Method[];

const pathOf = ({ path, caller }: Route): string =>
  caller === undefined ? path : path.replace('/endpoint', '/endpoints/:endpoint');

/** A reply as 2013 gave it. */
export function reply2013(reply: Reply, { method, route }: Asked): Reply {
  if (route === null || reply.kind === 'lines') return reply;
  const path = pathOf(route);
  if (path === '/' && reply.kind === 'json') return { ...reply, body: { version: (reply.body as { version: string }).version } };
  if (WRITES.includes(method) && OF_2013.has(path))
    return { ...reply, kind: 'text', type: 'text/plain; charset=utf-8', body: '' };
  if (path.endsWith('/log') || path.startsWith('/managers/log/')) return threeOfEach(reply);
  return reply;
}

/** Programs take a row apart into time, severity and text. */
function threeOfEach(reply: Reply): Reply {
  return reply.kind === 'json' ? { ...reply, body: (reply.body as readonly unknown[][]).map((row) => row.slice(0, 3)) } : reply;
}

export interface Refusal2013 {
  readonly status: number;
  /** A text goes out as it is. */
  readonly body: unknown;
}

/** First come, first served. */
const REFUSALS: readonly {
  readonly of: (error: ReactorError, asked: Asked) => boolean;
  readonly answer: (error: ReactorError, asked: Asked) => Refusal2013;
}[] = [
  { of: ({ code }) => code === 'method_not_allowed', answer: () => ({ status: 403, body: '' }) },
  { of: ({ code }) => code === 'config_syntax', answer: () => ({ status: 403, body: '' }) },
  {
    of: ({ code }) => code === 'config_invalid',
    answer: ({ message, details }) => ({
      status: 400,
      body: { [details['section'] ?? 'endpoint']: { [details['key'] ?? '']: message } },
    }),
  },
  {
    of: ({ code, details }) => (code === 'not_found' || code === 'exists') && 'endpoint' in details,
    answer: ({ code, details }) => ({ status: code === 'exists' ? 409 : 404, body: String(details['endpoint']) }),
  },
  { of: ({ details }) => 'unknownAction' in details, answer: () => ({ status: 200, body: '' }) },
  {
    of: ({ code, details }) => code === 'not_found' && 'session' in details,
    answer: (_error, { method }) => ({ status: 200, body: method === 'GET' ? null : '' }),
  },
  {
    of: ({ code }, { method, route }) => code === 'unsupported' && method === 'GET' && route?.path.endsWith('/sessions') === true,
    answer: () => ({ status: 200, body: {} }),
  },
];

/** Null where 2013 would not have refused otherwise. */
export function refusal2013(error: ReactorError, asked: Asked): Refusal2013 | null {
  return REFUSALS.find(({ of }) => of(error, asked))?.answer(error, asked) ?? null;
}
