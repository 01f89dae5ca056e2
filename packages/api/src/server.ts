import { setMaxListeners } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ContainerEngine, type LogLevel, type Meter, ReactorError, type StateStore } from '@reactor/core';
import { createApplication } from './application.js';
import { type ApiContext, type MetricHistory, momentReader } from './context.js';
import { createErrorTeller } from './error-reply.js';
import { createGate } from './gate.js';
import { type LastView, openReading } from './last-view.js';
import { createLive } from './live.js';
import { settingsReader } from './settings.js';
import { createMeter, type Telemetry } from './telemetry.js';
import { createClaimChecker } from './url-claim.js';

export interface ApiOptions {
  readonly store: StateStore;
  /** Wall clock, milliseconds. */
  readonly now: () => number;
  readonly newId: () => string;
  /** Of the product; `GET /` tells it. */
  readonly version: string;
  /** This daemon's host id. */
  readonly host: string;
  /** What `/readyz` says. */
  readonly health: () => { readonly ok: boolean; readonly problems: readonly string[] };
  readonly log: (level: LogLevel, message: string) => void;
  /** This host's containers, to read what they write. */
  readonly engine?: Pick<ContainerEngine, 'list' | 'output'>;
  /** Recorded by this host. */
  readonly history?: MetricHistory;
  /** From createMeter, where the loops need the meter before the API exists; made here otherwise. */
  readonly telemetry?: Telemetry;
  /** When the daemon saw the cluster state go; without it, an outage begins with the first request that meets it. */
  readonly downSinceMs?: () => number | null;
  /** What reads are answered from while the state is away, from rememberViews; without it they are refused then. */
  readonly lastView?: () => LastView | null;
  /** The directory of the web pages; without it there are none. */
  readonly pages?: string | null;
  /** Lets the key be cleared although others than this machine reach the API. */
  readonly openToAll?: boolean;
  /** Keys in URLs, and the answers of 2013 where today's differ. */
  readonly compat2013?: boolean;
  readonly timeouts?: Timeouts;
}

export interface Timeouts {
  /** For the request line and headers. */
  readonly headersMs: number;
  /** For the whole request; an answer may take as long as it likes. */
  readonly requestMs: number;
}

export interface Api {
  /** Port 0 takes a free one. Throws `port_taken`, or `config_invalid` for an address that is not this machine's. */
  listen(host: string, port: number): Promise<{ readonly port: number }>;
  /** Ends followers, lets answers in flight finish, and returns when nothing is open any more. */
  close(): Promise<void>;
  readonly meter: Meter;
}

/** A request of 256 KiB over a poor line takes a few seconds. */
const TIMEOUTS: Timeouts = { headersMs: 10_000, requestMs: 30_000 };
const KEEP_ALIVE_MS = 5_000;
/** How often sockets are checked against the timeouts; a timeout is late by at most this. */
const CHECK_INTERVAL_MS = 2_000;
/** A key of 10 kB is answered, not cut off. */
const HEADER_LIMIT_BYTES = 16_384;
const CONNECTION_LIMIT = 1_024;
/** Each polls the state twice a second. */
const FOLLOWER_LIMIT = 64;
/** What a handler may still take when the server closes; its calls to the state have deadlines of their own. */
const CLOSE_GRACE_MS = 3_000;

export function createApi(options: ApiOptions): Api {
  const telemetry = options.telemetry ?? createMeter();
  const closing = new AbortController();
  // Every request in flight listens to it.
  setMaxListeners(CONNECTION_LIMIT, closing.signal);
  const teller = createErrorTeller({ now: options.now, log: options.log, downSinceMs: options.downSinceMs ?? (() => null) });
  const compat2013 = options.compat2013 ?? false;
  const gate = createGate({ now: options.now, keyInQuery: compat2013 });
  const settings = settingsReader(options.store);
  const lastView = options.lastView ?? (() => null);
  let listensTo = '127.0.0.1';
  let listensAt: number | null = null;
  let followers = 0;
  const place = (): (() => void) | null => {
    if (followers >= FOLLOWER_LIMIT) return null;
    followers++;
    return () => {
      followers--;
    };
  };
  const { now, version, host, health } = options;
  const reading = () => openReading(context, settings, lastView);

  const context: ApiContext = {
    store: options.store,
    ...{ now, version, host, health },
    newId: options.newId,
    log: options.log,
    telemetry,
    moment: momentReader(options.store),
    engine: options.engine ?? null,
    claims: createClaimChecker(() => listensAt),
    history: options.history ?? null,
    keyNeeded: () => (options.openToAll ? null : keyNeeded(listensTo)),
    follow: place,
    live: createLive({ reading, place, now, version, host, health }),
  };
  const server = httpServer(
    createApplication({
      ...{ context, gate, teller, settings, lastView, compat2013 },
      pages: options.pages ?? null,
      closing: closing.signal,
    }),
    options.timeouts ?? TIMEOUTS,
  );

  return {
    meter: telemetry.meter,
    async listen(host, port) {
      listensTo = host;
      listensAt = await listen(server, host, port);
      return { port: listensAt };
    },
    async close() {
      closing.abort();
      if (!server.listening) return;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const impatience = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
      await closed;
      clearTimeout(impatience);
    },
  };
}

function keyNeeded(host: string): string | null {
  if (host === 'localhost' || host === '::1' || host.startsWith('127.')) return null;
  return `the key stays: this daemon listens on ${host || 'all addresses'}, and without a key everybody there could change everything`;
}

// ------------------------------------------------------------------------------------------------------------- the server

function httpServer(application: RequestListener, timeouts: Timeouts): Server {
  const server = createServer({
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, timeouts.headersMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: HEADER_LIMIT_BYTES,
  });
  server.maxConnections = CONNECTION_LIMIT;
  const answers = new WeakMap<Duplex, ServerResponse>();
  server.on('request', (request, response) => {
    answers.set(request.socket, response);
    application(request, response);
  });
  server.on('clientError', (error, socket) => refuse(error, socket, answers.get(socket)));
  // Never accepted: it would hand the raw connection to whoever asks.
  server.on('connect', (_request, socket) => socket.destroy());
  server.on('upgrade', (_request, socket) => socket.destroy());
  return server;
}

/** Answers what is not HTTP, or never becomes a whole request, unless an answer is on its way already. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex, answer: ServerResponse | undefined): void {
  const answering = answer?.headersSent === true && !answer.writableEnded;
  if (!socket.writable || answering || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, code, message] = refusalOf(error.code);
  const body = JSON.stringify({ error: { code, message, details: {} } });
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

function refusalOf(code: string | undefined): readonly [status: string, code: string, message: string] {
  if (code === 'HPE_HEADER_OVERFLOW')
    return ['431 Request Header Fields Too Large', 'too_large', `the headers are larger than ${HEADER_LIMIT_BYTES} bytes`];
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return ['408 Request Timeout', 'timeout', 'the request did not arrive in time'];
  return ['400 Bad Request', 'request_invalid', 'this is not an HTTP/1.1 request'];
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, ...(host === '' ? {} : { host }) }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const where = `${host || '*'}:${port}`;
    if (code === 'EADDRINUSE')
      throw new ReactorError('port_taken', `cannot listen on ${where}: another program does`, { cause: error });
    const why =
      code === 'EACCES' ? 'permission denied' : code === 'EADDRNOTAVAIL' ? 'not an address of this machine' : String(code);
    throw new ReactorError('config_invalid', `cannot listen on ${where}: ${why}`, { cause: error });
  }
  return (server.address() as AddressInfo).port;
}
