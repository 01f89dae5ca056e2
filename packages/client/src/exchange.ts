import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { describeError, ERRORS, type ErrorCode, type ErrorDetails, ReactorError } from '@reactor/core';

/** One HTTP exchange with a daemon. `node:http` rather than fetch: loading fetch takes longer than a local request. */

export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** Below the address, already encoded. */
  readonly path: string;
  readonly body?: { readonly type: string; readonly text: string };
  readonly ifMatch?: number;
  readonly accept?: string;
  /** A status above 299 whose body is an answer all the same. */
  readonly alsoFine?: number;
}

export interface Target {
  /** From parseApiAddress. */
  readonly api: string;
  readonly key: string | null;
  readonly token: string | null;
  /** Until the answer's head, and then between two pieces of its body. */
  readonly timeoutMs: number;
  readonly onStale: (asOfMs: number) => void;
}

/** The largest answer is the instances of a large cluster; beyond this something else answers. */
const ANSWER_LIMIT_BYTES = 64 * 2 ** 20;
/** What a proxy says instead of Reactor is cut to a line. */
const FOREIGN_TEXT_LIMIT = 200;

/** The whole answer as text; throws ReactorError for every status but 2xx and for every failure on the way. */
export async function exchange(target: Target, call: Call): Promise<{ readonly text: string; readonly status: number }> {
  const { response } = await open(target, call);
  const text = await readAll(response, target);
  const status = response.statusCode ?? 0;
  if ((status >= 200 && status < 300) || status === call.alsoFine) return { text, status };
  throw answeredError(target, status, text);
}

/** Sends the call and resolves with the head of the answer; the caller reads or destroys the body. */
export async function open(
  target: Target,
  call: Call,
  signal?: AbortSignal,
): Promise<{ readonly response: IncomingMessage; readonly sent: ClientRequest }> {
  const url = new URL(`${target.api}${call.path}`);
  const secure = url.protocol === 'https:';
  const send = secure ? (await import('node:https')).request : request;
  const options: RequestOptions = {
    method: call.method,
    headers: headersOf(target, call),
    timeout: target.timeoutMs,
    // One connection per call: a kept one may close just as it is used again, and nobody knows then what was done.
    agent: secure ? false : new Agent({ keepAlive: false }),
    ...(signal === undefined ? {} : { signal }),
  };
  return new Promise((resolve, reject) => {
    const sent = send(url, options);
    sent.on('response', (response) => {
      // Whoever reads the body learns why it ends only from the response itself.
      sent.on('timeout', () => response.destroy(timedOut(target)));
      const asOfMs = Date.parse(String(response.headers['stale-since']));
      if (!Number.isNaN(asOfMs)) target.onStale(asOfMs);
      resolve({ response, sent });
    });
    sent.on('timeout', () => sent.destroy(timedOut(target)));
    sent.on('error', (error) => reject(connectionError(target, error)));
    sent.end(call.body?.text);
  });
}

function headersOf(target: Target, call: Call): Record<string, string> {
  // Of a daemon that answers programs of 2013 as then, too, we are none.
  const headers: Record<string, string> = { accept: call.accept ?? 'application/json', 'x-reactor-compat': 'off' };
  if (target.key !== null) headers['x-auth-key'] = headerText(target.key);
  if (target.token !== null) headers['x-reactor-token'] = headerText(target.token);
  if (call.ifMatch !== undefined) headers['if-match'] = `"${call.ifMatch}"`;
  if (call.body) {
    headers['content-type'] = call.body.type;
    headers['content-length'] = String(Buffer.byteLength(call.body.text));
  }
  return headers;
}

/** A key that no header can carry cannot be right; said here, because Node's own error would show it. */
function headerText(key: string): string {
  if (/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(key)) return key;
  throw new ReactorError('unauthorized', 'the key has characters that no key can have (visible ASCII only)');
}

export async function readAll(response: IncomingMessage, target: Target): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > ANSWER_LIMIT_BYTES)
        throw new ReactorError('unreachable', `${target.api} answers more than 64 MiB; is it a Reactor API?`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw connectionError(target, error);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const timedOut = (target: Target): ReactorError =>
  new ReactorError('timeout', `${target.api} did not answer within ${target.timeoutMs / 1000} s`);

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused (is reactord running?)',
  ECONNRESET: 'the connection was closed before the answer (did reactord stop?)',
  EPIPE: 'the connection was closed before the answer (did reactord stop?)',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'its name cannot be looked up now',
  ETIMEDOUT: 'no answer from the host',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  EACCES: 'permission denied',
};

/** Whatever stopped the exchange, as one line that says what to look at. */
export function connectionError(target: Target, error: unknown): ReactorError {
  if (error instanceof ReactorError) return error;
  const code = errorCode(error);
  const reason = REASONS[code] ?? (isTls(code) ? `TLS: ${describeError(error)}` : describeError(error));
  return new ReactorError('unreachable', `cannot reach ${target.api}: ${reason}`, { cause: error });
}

function errorCode(error: unknown): string {
  const { code, errors } = error as NodeJS.ErrnoException & { readonly errors?: readonly unknown[] };
  // `localhost` is tried on both address families; Node then reports all attempts in one error.
  if (Array.isArray(errors) && errors.length > 0) return errorCode(errors[0]);
  return typeof code === 'string' ? code : '';
}

const isTls = (code: string): boolean => /^(ERR_SSL|ERR_TLS|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code);

/** The error an answer carries, with its code and message kept; otherwise what can be said from the status. */
export function answeredError(target: Target, status: number, text: string): ReactorError {
  const told = toldError(text);
  if (told) return told;
  const words = text
    .replace(/<[^>]*>|[\s\p{Cc}]+/gu, ' ')
    .replace(/ +/g, ' ')
    .trim()
    .slice(0, FOREIGN_TEXT_LIMIT);
  const message = `${target.api} answered ${status}${words === '' ? '' : `: ${words}`}`;
  const code = Object.entries(ERRORS).find(([, row]) => row.status === status)?.[0] as ErrorCode | undefined;
  return new ReactorError(status >= 500 ? 'unreachable' : (code ?? 'request_invalid'), message);
}

function toldError(text: string): ReactorError | null {
  const error = field(parsedOrNull(text), 'error');
  const code = field(error, 'code');
  const message = field(error, 'message');
  if (typeof code !== 'string' || typeof message !== 'string' || !Object.hasOwn(ERRORS, code)) return null;
  const details = field(error, 'details');
  return new ReactorError(code as ErrorCode, message, isDetails(details) ? { details } : {});
}

function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function isDetails(value: unknown): value is ErrorDetails {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((item) => item === null || typeof item === 'string' || typeof item === 'number');
}
