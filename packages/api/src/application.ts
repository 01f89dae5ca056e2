import { once } from 'node:events';
import { describeError, endpointCalled, ReactorError } from '@reactor/core';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { endpointLock, type Lock } from './auth-key.js';
import { checkOrigin } from './browser.js';
import { callerOf, TOKEN_HEADER } from './caller.js';
import { asks2013, refusal2013, reply2013 } from './compat-2013.js';
import type { ApiContext } from './context.js';
import type { ErrorTeller } from './error-reply.js';
import { type Gate, KEY_PARAMETER, keyHeaders } from './gate.js';
import { readIfMatch } from './if-match.js';
import { type LastView, openReading, type Reading } from './last-view.js';
import { quoted } from './offending-value.js';
import { servePages } from './pages.js';
import { checkTarget, readBody, readQuery, refuseKeyInQuery } from './request-form.js';
import type { Body, Browser, Method, Reply, Route } from './route.js';
import { PATHS } from './route-table.js';
import type { StoredSettings } from './settings.js';
import { usableConfig } from './usable-config.js';

/**
 * The way of every request: form of the target, origin, route and method, key, body, handler, reply. Each step may
 * refuse, and what is refused is answered in one place. A body is read only for those who may send one.
 */

export interface ApplicationParts {
  readonly context: ApiContext;
  readonly gate: Gate;
  readonly teller: ErrorTeller;
  readonly settings: () => Promise<StoredSettings>;
  /** What reads are answered from while the state is away; null answers none then. */
  readonly lastView: () => LastView | null;
  /** Where the web pages are; null where they were not built. */
  readonly pages: string | null;
  /** Aborts when the server closes; followers end then. */
  readonly closing: AbortSignal;
  /** Keys in URLs, and the answers of 2013 for whoever asks for nothing else. */
  readonly compat2013: boolean;
}

/** The API serves data only: nothing in it may run, be framed or be kept. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

export function createApplication(parts: ApplicationParts): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  // Queries are read by readQuery, which knows what each route takes.
  app.set('query parser', false);

  app.use((request: Request, response: Response, next: NextFunction) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const { search } = checkTarget(request.originalUrl);
    checkOrigin(request);
    if (!parts.compat2013) refuseKeyInQuery(search);
    next();
  });
  app.use(servePages(parts.pages));
  for (const [path, routes] of PATHS) {
    app.all(path, async (request: Request, response: Response) => {
      await answer(parts, routes, request, response);
    });
  }
  app.use((request: Request) => {
    throw new ReactorError('not_found', `no such route: ${quoted(request.path)}`);
  });
  // Express knows an error handler by its four parameters.
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    sendError(parts, error, request, response);
  });
  return app;
}

async function answer(
  parts: ApplicationParts,
  routes: ReadonlyMap<Method, Route>,
  request: Request,
  response: Response,
): Promise<void> {
  const { gate, teller, closing } = parts;
  const route = routeFor(routes, request, response);
  response.locals['route'] = route;
  const query = readQuery(searchOf(request, parts), route);
  const { context, settings, staleSinceMs } = readingFor(route, request, parts);
  const caller = route.caller === undefined ? null : callerOf((await context.moment()).cluster, request.headers[TOKEN_HEADER]);
  const guarded = !route.open && route.caller !== 'token';
  const login = guarded ? await gate.admit(request, settings, () => ownLock(route, request, context)) : null;
  if (!route.open && staleSinceMs() === null) teller.reached();
  const left = new AbortController();
  const leave = (): void => left.abort();
  response.once('close', leave);
  const ends = [closing, ...(login === null ? [] : [login.ended])];
  for (const end of ends) end.addEventListener('abort', leave, { once: true });
  try {
    if (closing.aborted) leave();
    const reply = await route.answer(
      {
        params: { ...textParams(request.params), ...(caller === null ? {} : { endpoint: caller.endpoint }) },
        caller,
        query,
        body: hasBody(request) ? await readBody(request) : NO_BODY,
        ifMatch: readIfMatch(request),
        keyHeaders: keyHeaders(request, parts.compat2013),
        browser: browserOf(request, gate, settings),
        signal: left.signal,
      },
      context,
    );
    const staleMs = staleSinceMs();
    if (staleMs !== null) response.setHeader('stale-since', new Date(staleMs).toISOString());
    const said = parts.compat2013 && asks2013(request) ? reply2013(reply, { method: request.method, route }) : reply;
    await send(said, request, response, context);
  } finally {
    for (const end of ends) end.removeEventListener('abort', leave);
  }
}

/** Without the key, which the gate has looked at where it may stand there. */
function searchOf(request: Request, { compat2013 }: ApplicationParts): string {
  const { search } = checkTarget(request.originalUrl);
  if (!compat2013) return search;
  const parameters = new URLSearchParams(search);
  parameters.delete(KEY_PARAMETER);
  return parameters.toString();
}

function browserOf(request: Request, gate: Gate, settings: () => Promise<StoredSettings>): Browser {
  return {
    logIn: (key) => gate.logIn(request, settings, key),
    logOut: () => gate.logOut(request),
    async standing() {
      const stored = (await settings()).settings;
      return { keyNeeded: stored.auth !== null, loggedIn: gate.isLoggedIn(request, stored) };
    },
  };
}

/** A configuration that cannot be used has no key, so it is for the admin to mend. */
async function ownLock({ keeper }: Route, request: Request, context: ApiContext): Promise<Lock | null> {
  if (keeper === null) return null;
  const { cluster } = await context.moment();
  const name = keeper(textParams(request.params), cluster);
  const endpoint = name === null ? null : endpointCalled(cluster, name);
  const key = endpoint === null ? null : (usableConfig(endpoint.value.document)?.key ?? null);
  return key === null ? null : endpointLock(key);
}

/** Whatever only reads the cluster's contents may be old; a write may not, nor what monitors us but for the key it needs. */
function readingFor(route: Route, request: Request, { context, settings, lastView }: ApplicationParts): Reading {
  const reads = ['GET', 'HEAD'].includes(request.method) || route.fromLastView;
  if (!reads) return { context, settings, staleSinceMs: () => null };
  const reading = openReading(context, settings, lastView);
  return route.versions.length > 0 ? reading : { ...reading, context };
}

/** How long a refused body may go on coming. A client that reads the answer stops or leaves well before. */
const LINGER_MS = 1_000;

const NO_BODY: Body = { bytes: Buffer.alloc(0), type: null };

const hasBody = (request: Request): boolean => !['GET', 'HEAD', 'DELETE'].includes(request.method);

function routeFor(routes: ReadonlyMap<Method, Route>, request: Request, response: Response): Route {
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const route = routes.get(method as Method);
  if (route !== undefined) return route;
  const allowed = [...routes.keys(), ...(routes.has('GET') ? ['HEAD'] : [])].sort().join(', ');
  response.setHeader('allow', allowed);
  throw new ReactorError('method_not_allowed', `${quoted(request.method)} is not allowed here; ${allowed} is`);
}

function textParams(params: Request['params']): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)]));
}

async function send(reply: Reply, request: Request, response: Response, context: ApiContext): Promise<void> {
  if (reply.kind === 'lines') return sendLines(reply, request, response, context);
  const text = reply.kind === 'json' ? JSON.stringify(reply.body) : reply.body;
  if (reply.revision !== undefined) response.setHeader('etag', `"${reply.revision}"`);
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  response.statusCode = reply.kind === 'json' ? (reply.status ?? 200) : 200;
  response.setHeader('content-type', reply.kind === 'json' ? 'application/json; charset=utf-8' : reply.type);
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

async function sendLines(
  { lines, type }: Extract<Reply, { kind: 'lines' }>,
  request: Request,
  response: Response,
  context: ApiContext,
): Promise<void> {
  response.setHeader('content-type', type ?? 'application/x-ndjson');
  // nginx would otherwise hold lines back until a buffer is full.
  response.setHeader('x-accel-buffering', 'no');
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  try {
    for await (const line of lines) {
      if (response.destroyed) break;
      if (!response.write(line)) await writable(response);
    }
  } catch (error) {
    // The head has gone out, so the status says 200; ending early makes the client come back and be told.
    context.log('warning', `a followed log ended early: ${describeError(error)}`);
  }
  response.end();
}

/** Until the client has taken what was written, or has left. */
async function writable(response: Response): Promise<void> {
  const either = new AbortController();
  const events = ['drain', 'close'].map((event) => once(response, event, { signal: either.signal }));
  await Promise.race(events);
  either.abort();
  await Promise.allSettled(events);
}

function sendError({ teller, compat2013 }: ApplicationParts, error: unknown, request: Request, response: Response): void {
  const reply = teller.reply(error);
  const asked = { method: request.method, route: (response.locals['route'] as Route | undefined) ?? null };
  const former = compat2013 && error instanceof ReactorError && asks2013(request) ? refusal2013(error, asked) : null;
  const { status, headers, body } = { ...reply, ...former };
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  // A body that was not read to its end would be taken for the next request, or cost its whole length to skip.
  if (!request.complete) response.setHeader('connection', 'close');
  const isText = typeof body === 'string';
  const text = isText ? body : JSON.stringify(body);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.statusCode = status;
  response.setHeader('content-type', `${isText ? 'text/plain' : 'application/json'}; charset=utf-8`);
  response.setHeader('content-length', Buffer.byteLength(text));
  if (request.complete) response.end(text);
  else endLate(text, request, response);
}

/**
 * Answers while the body still comes. Closing at once would reset the connection under the client's next packet, and
 * a client whose write fails so may never read why; what comes meanwhile is read and forgotten (nginx: lingering_close).
 */
function endLate(text: string, request: Request, response: Response): void {
  response.write(text);
  request.resume();
  const end = (): void => {
    clearTimeout(patience);
    response.end();
  };
  const patience = setTimeout(end, LINGER_MS);
  request.once('end', end);
  response.once('close', () => clearTimeout(patience));
}
