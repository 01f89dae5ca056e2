/**
 * One engine's socket, as calls that always end. What goes through here:
 * 1. Every call has a deadline and every answer a size limit; the limits say why.
 * 2. An engine that stopped answering is not asked again for a moment (see breaker.ts).
 * 3. The API version is agreed once per engine start and asked again after any break.
 * 4. An answer counts as Docker's own only when it is JSON, so that the 404 of some proxy is never read as "gone".
 * What an answer of 400 and above means is the caller's to say.
 *
 * dockerode is driven through its transport alone: its own calls collect any amount of body and never end when an answer
 * breaks off half-way.
 */
import { Agent, IncomingMessage } from 'node:http';
import { inspect } from 'node:util';
import type { LogLevel } from '@reactor/core';
import { ReactorError } from '@reactor/core';
import Docker from 'dockerode';
import { Breaker } from './breaker.js';
import { withDeadline } from './deadline.js';
import { plainWords } from './failure.js';
import type { Limits } from './limits.js';
import { MAX_BODY_BYTES } from './limits.js';
import { at, text } from './loose-json.js';

/** Docker 20.10, 2020. */
export const OLDEST_API = '1.41';

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Without the version, e.g. `/containers/json`. */
  readonly path: string;
  /** Objects are sent as JSON. */
  readonly query?: Readonly<Record<string, string | number | object>>;
  readonly body?: object;
  readonly deadlineMs: number;
  /** Its slowness says nothing about the engine (a program that takes its time to stop, a registry). */
  readonly patient?: boolean;
  readonly signal?: AbortSignal;
}

/** Any answer Docker itself gave, good or bad. */
export interface Answer {
  readonly status: number;
  /** Null when there is no body. */
  readonly json: unknown;
  /** Docker's message of a status of 400 and above, else empty. */
  readonly message: string;
}

export interface Connection {
  call(call: Call): Promise<Answer>;
  /** The body as it comes; ends when the call's signal aborts. A status of 400 and above is answered instead of a stream. */
  open(call: Call): Promise<IncomingMessage | Answer>;
  /** The engine's `GET /version`, asked anew. Fails with `docker_too_old`. */
  version(): Promise<EngineVersion>;
}

export interface EngineVersion {
  readonly version: string;
  /** The one spoken from now on. */
  readonly api: string;
}

type Transport = Docker['modem'];

/** Every status is ours to judge: dockerode would read the body of one it does not expect without a limit. */
const ANY_STATUS: Readonly<Record<number, true>> = Object.fromEntries(
  Array.from({ length: 500 }, (_, index) => [100 + index, true as const]),
);

export function createConnection(options: {
  readonly socket: string;
  readonly limits: Limits;
  readonly log: (level: LogLevel, message: string) => void;
}): Connection {
  const { socket, limits, log } = options;
  const transport = createTransport(socket);
  const breaker = new Breaker(limits.breakerOpenMs, performance.now.bind(performance), (open, reason) =>
    open
      ? log('error', `Docker does not answer, calls are refused until it does: ${reason}`)
      : log('info', 'Docker answers again'),
  );
  let agreed: Promise<EngineVersion> | null = null;

  /** Lets the breaker know how `work` went. */
  async function guarded<T>(call: Call, work: () => Promise<T>): Promise<T> {
    const admission = breaker.admit();
    if (admission === 'refused') throw new ReactorError('docker_unavailable', breaker.reason);
    try {
      const result = await work();
      // An engine that hangs over its containers still tells its version, so that answer proves nothing.
      if (call.path === '/version') breaker.abandoned(admission);
      else breaker.succeeded();
      return result;
    } catch (error) {
      const known = explain(error, call, socket);
      const late = known instanceof ReactorError && 'deadlineMs' in known.details;
      // Only after a broken connection can the engine be another version than before.
      if (isUnavailable(known) && !late) agreed = null;
      if (!(known instanceof ReactorError) || (late && call.patient === true)) breaker.abandoned(admission);
      else if (isUnavailable(known)) breaker.failed(admission, known.message);
      else breaker.succeeded();
      throw known;
    }
  }

  async function version(): Promise<EngineVersion> {
    const call: Call = { method: 'GET', path: '/version', deadlineMs: limits.readMs };
    const asked = guarded(call, () => exchange(transport, '', call)).then(agreeVersion);
    agreed = asked;
    // A failure is thrown to whoever waits and not kept.
    asked.catch(() => {
      if (agreed === asked) agreed = null;
    });
    return asked;
  }

  const prefix = async () => `/v${(await (agreed ?? version())).api}`;

  return {
    version,
    async call(call) {
      const base = await prefix();
      return guarded(call, () => exchange(transport, base, call));
    },
    async open(call) {
      const base = await prefix();
      return guarded(call, async () => {
        // The deadline covers the head; how long the body may take is the caller's to say, by the signal.
        const response = await withDeadline(call.deadlineMs, place(call), call.signal, (signal) =>
          dial(transport, base, call, signal),
        );
        destroyOnAbort(response, call.signal);
        if (status(response) < 400) return response;
        return withDeadline(limits.readMs, place(call), call.signal, () => readAnswer(response, call));
      });
    },
  };
}

function createTransport(socket: string): Transport {
  const agent = new Agent({ keepAlive: false, maxSockets: 64 });
  // docker-modem prints its request options into a string at every call, debugging or not, to any depth: with every socket.
  Object.defineProperty(agent, inspect.custom, { value: () => 'agent' });
  const options = {
    socketPath: socket,
    // An empty host and a fixed protocol keep DOCKER_HOST in the environment from redirecting us.
    host: '',
    protocol: 'http' as const,
    // A connection per call: a kept one may be half dead after the engine restarted, and a new one costs about 50 us.
    agent,
  };
  return new Docker(options).modem;
}

function exchange(transport: Transport, base: string, call: Call): Promise<Answer> {
  return withDeadline(call.deadlineMs, place(call), call.signal, async (signal) =>
    readAnswer(await dial(transport, base, call, signal), call),
  );
}

/**
 * The head of an answer. The request itself is given a signal that ends with the head: Node aborts a request by destroying
 * its socket, and doing that to one whose answer has just ended raises an error nobody can catch.
 */
function dial(transport: Transport, base: string, call: Call, signal: AbortSignal): Promise<IncomingMessage> {
  const head = new AbortController();
  const giveUp = () => head.abort();
  signal.addEventListener('abort', giveUp, { once: true });
  return new Promise<IncomingMessage>((resolve, reject) => {
    transport.dial(
      {
        // The transport puts the query behind a `?` it finds at the end.
        path: `${base}${call.path}?`,
        method: call.method,
        options: { _query: call.query ?? {}, _body: call.body ?? {} },
        isStream: true,
        statusCodes: ANY_STATUS,
        abortSignal: head.signal,
      },
      (error, response) => {
        signal.removeEventListener('abort', giveUp);
        if (!(response instanceof IncomingMessage)) return reject(error);
        // Who reads it is told by the reading; an error must not end the process while nobody does.
        response.on('error', () => undefined);
        destroyOnAbort(response, signal);
        resolve(response);
      },
    );
  });
}

function destroyOnAbort(response: IncomingMessage, signal: AbortSignal | undefined): void {
  const giveUp = () => response.destroy();
  signal?.addEventListener('abort', giveUp, { once: true });
  response.once('close', () => signal?.removeEventListener('abort', giveUp));
  if (signal?.aborted) giveUp();
}

async function readAnswer(response: IncomingMessage, call: Call): Promise<Answer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop early destroys the response, and with it the connection.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) {
      throw new ReactorError('docker_refused', `the answer to ${place(call)} is larger than ${MAX_BODY_BYTES / 1024 / 1024} MiB`);
    }
    chunks.push(chunk);
  }
  const code = status(response);
  const body = Buffer.concat(chunks).toString('utf8');
  if (body.trim() === '' && code < 400) return { status: code, json: null, message: '' };
  const json = parse(body);
  const message = code < 400 ? '' : text(at(json, 'message'));
  if (json === undefined || message === null) throw new NotDockers(code);
  return { status: code, json, message };
}

const status = (response: IncomingMessage) => response.statusCode ?? 0;
const place = (call: Call) => `${call.method} ${call.path}`;

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** The lowest version both sides speak: engines then differ least. Docker 29 has raised its own lowest to 1.44. */
function agreeVersion(answer: Answer): EngineVersion {
  const offered = text(at(answer.json, 'ApiVersion'));
  const version = text(at(answer.json, 'Version')) ?? 'unknown';
  if (answer.status >= 400 || offered === null || !/^\d+\.\d+$/.test(offered)) {
    throw new ReactorError('docker_unavailable', `what answers GET /version is no Docker engine (status ${answer.status})`);
  }
  if (compareVersions(offered, OLDEST_API) < 0) {
    throw new ReactorError(
      'docker_too_old',
      `Docker API ${offered} is what this engine offers (Docker ${plainWords(version)}), ${OLDEST_API} is needed: Docker 20.10 or newer`,
    );
  }
  const lowest = text(at(answer.json, 'MinAPIVersion')) ?? OLDEST_API;
  const api = /^\d+\.\d+$/.test(lowest) && compareVersions(lowest, OLDEST_API) > 0 ? lowest : OLDEST_API;
  return { version, api };
}

/** By number: 1.9 is older than 1.41. */
export function compareVersions(left: string, right: string): number {
  const [leftMajor = 0, leftMinor = 0] = left.split('.').map(Number);
  const [rightMajor = 0, rightMinor = 0] = right.split('.').map(Number);
  return leftMajor - rightMajor || leftMinor - rightMinor;
}

class NotDockers extends Error {
  constructor(readonly code: number) {
    super();
  }
}

const isUnavailable = (error: unknown): error is ReactorError =>
  error instanceof ReactorError && error.code === 'docker_unavailable';

/** A failed exchange in plain words; what the caller aborted stays what it is. */
function explain(error: unknown, call: Call, socket: string): unknown {
  if (error instanceof ReactorError || call.signal?.aborted === true) return error;
  const unavailable = (words: string) => new ReactorError('docker_unavailable', words, { cause: error });
  if (error instanceof NotDockers) {
    return unavailable(`what answered ${place(call)} was not the Docker engine's (status ${error.code}, not its JSON)`);
  }
  switch (at(error, 'code')) {
    case 'ENOENT':
      return unavailable(`there is no Docker engine at ${socket}: is it installed and running?`);
    case 'ECONNREFUSED':
      return unavailable(`nothing listens at ${socket}: is the Docker engine running?`);
    case 'EACCES':
      return unavailable(`no permission to use ${socket}: run as root or in the group docker`);
    default:
      return unavailable(`the Docker engine broke off its answer to ${place(call)} (${String(at(error, 'code') ?? error)})`);
  }
}
