import type { Header } from '@reactor/core';
import type { Passing, VirtualService } from './virtual-service.js';

/** How the requests for one place are passed on, or answered where nobody can. */

/** What a server block says for all its locations; a location repeats only what differs. The defaults of the endpoint's keys. */
const USUAL = {
  maxBodyBytes: 0,
  connectTimeoutMs: 2_000,
  sendTimeoutMs: 60_000,
  readTimeoutMs: 60_000,
  clientKeepaliveMs: 75_000,
} as const;

/**
 * Backends a request is tried on. A host that dies leaves all its backends in the list for some seconds, and each worker
 * has to find out about each of them: with 3, one in some thousand requests met three of them. As many as the connect
 * timeout fits into `proxy_next_upstream_timeout`; not more, for a request that crashes its backend crashes this many.
 */
const MOST_TRIES = 5;

/**
 * Who asks, and how, is said by us alone: what a client claims about that is overwritten or, where we say nothing, taken
 * away. `Proxy` would become HTTP_PROXY in a CGI.
 */
const REQUEST_HEADERS: readonly Header[] = [
  ['Host', '$reactor_host'],
  ['X-Real-IP', '$remote_addr'],
  ['X-Forwarded-For', '$proxy_add_x_forwarded_for'],
  ['X-Forwarded-Proto', '$scheme'],
  ['Upgrade', '$reactor_upgrade'],
  ['Connection', '$reactor_connection'],
  ['Forwarded', '""'],
  ['X-Forwarded-Host', '""'],
  ['X-Forwarded-Port', '""'],
  ['Proxy', '""'],
];

const UNAVAILABLE =
  '<!doctype html><meta charset=utf-8><title>Not available</title><h1>Not available</h1><p>Nothing serves this address right now. Please try again shortly.</p>\\n';

/**
 * Buffering is off both ways unless asked for. Answers stream to the client as they come (as in 2013), so server-sent events
 * work unasked and no temporary file fills the disk. Request bodies go to the backend as they arrive, of any size; this costs
 * a retry only where a body was already being sent. `error timeout` without `non_idempotent` retries what cannot do harm
 * twice. A backend may not send a request on to another endpoint's place (X-Accel-Redirect).
 */
export const USUAL_PASSING = `    client_max_body_size ${USUAL.maxBodyBytes};
    keepalive_timeout ${time(USUAL.clientKeepaliveMs)};
    proxy_http_version 1.1;
    proxy_buffering off;
    proxy_buffer_size 16k;
    proxy_buffers 8 16k;
    proxy_request_buffering off;
    proxy_ignore_headers X-Accel-Redirect X-Accel-Limit-Rate X-Accel-Charset;
    proxy_connect_timeout ${time(USUAL.connectTimeoutMs)};
    proxy_send_timeout ${time(USUAL.sendTimeoutMs)};
    proxy_read_timeout ${time(USUAL.readTimeoutMs)};
    proxy_next_upstream error timeout;
    proxy_next_upstream_tries ${MOST_TRIES};
    proxy_next_upstream_timeout ${time(USUAL.connectTimeoutMs * MOST_TRIES)};
${REQUEST_HEADERS.map(([name, value]) => `    proxy_set_header ${name} ${value};\n`).join('')}`;

export function renderLocation(service: VirtualService, logPath: string): string {
  const { path } = service.url;
  const lines = service.httpsPort === null ? answerLines(service, logPath) : httpsLines(service, service.httpsPort);
  return `    location ${path.endsWith('/') ? '' : '= '}${path} {\n${lines.map((line) => `        ${line}\n`).join('')}    }\n`;
}

/** Where https of a host is; an unnamed server takes the client's word for its own name. */
export function httpsAddress(host: string | null, port: number): string {
  return `https://${host ?? '$host'}${port === 443 ? '' : `:${port}`}`;
}

/** Never remembered by a browser, as nothing that an operator may change is; Strict-Transport-Security is for that. */
function httpsLines({ url }: VirtualService, port: number): readonly string[] {
  return ['add_header Cache-Control no-store always;', `return 308 ${httpsAddress(url.host, port)}$request_uri;`];
}

function answerLines(service: VirtualService, logPath: string): readonly string[] {
  // The log format is named per location, not fed by a variable: one copy less per request, and a request that fits no
  // service is never logged. Buffers are flushed every 100 ms, so metrics lag by no more.
  const log = `access_log ${logPath} reactor_${service.token} buffer=64k flush=100ms;`;
  const { clientKeepaliveMs, responseHeaders } = service.passing;
  const keepalive = differing('keepalive_timeout', clientKeepaliveMs, USUAL.clientKeepaliveMs, time);
  if (service.backends.length > 0) return [log, ...keepalive, ...passingLines(service)];
  const own = ['cache-control', 'retry-after'];
  const headers = addedHeaders(responseHeaders.filter(([name]) => !own.includes(name.toLowerCase())));
  const nobody = [log, ...keepalive, ...headers, 'add_header Cache-Control no-store always;'];
  // 301 as in 2013, but never remembered by a browser: the backends come back.
  if (service.redirect !== null) return [...nobody, `return 301 "${service.redirect}";`];
  return [...nobody, 'default_type text/html;', 'add_header Retry-After 5 always;', `return 503 "${UNAVAILABLE}";`];
}

function passingLines(service: VirtualService): readonly string[] {
  const { token, url, passing, sticky } = service;
  const { connectTimeoutMs } = passing;
  // At the root the request goes on byte for byte; below a prefix nginx has to rewrite it, which strips the prefix.
  const rest = url.path === '/' ? '' : '/';
  return [
    ...differing('client_max_body_size', passing.maxBodyBytes, USUAL.maxBodyBytes, String),
    ...differing('proxy_connect_timeout', connectTimeoutMs, USUAL.connectTimeoutMs, time),
    ...differing(
      'proxy_next_upstream_timeout',
      Math.max(connectTimeoutMs, USUAL.connectTimeoutMs) * MOST_TRIES,
      USUAL.connectTimeoutMs * MOST_TRIES,
      time,
    ),
    ...differing('proxy_send_timeout', passing.sendTimeoutMs, USUAL.sendTimeoutMs, time),
    ...differing('proxy_read_timeout', passing.readTimeoutMs, USUAL.readTimeoutMs, time),
    // A megabyte of memory at most, and never the disk.
    ...(passing.buffering ? ['proxy_buffering on;', 'proxy_buffers 64 16k;', 'proxy_max_temp_file_size 0;'] : []),
    ...(passing.requestBuffering ? ['proxy_request_buffering on;', 'client_body_buffer_size 128k;'] : []),
    ...requestHeaderLines(passing),
    ...passing.responseHeaders.map(([name]) => `proxy_hide_header ${name};`),
    ...addedHeaders(passing.responseHeaders),
    ...(sticky === 'cookie' ? [`add_header Set-Cookie $reactor_cookie_${token};`] : []),
    `proxy_pass http://reactor_${token}${rest};`,
  ];
}

/** One header of a location hides all of its server's, so the usual ones are said again. */
function requestHeaderLines({ requestHeaders }: Passing): readonly string[] {
  if (requestHeaders.length === 0) return [];
  const names = new Set(requestHeaders.map(([name]) => name.toLowerCase()));
  const usual = REQUEST_HEADERS.filter(([name]) => !names.has(name.toLowerCase()));
  const set = requestHeaders.map(([name, value]): Header => [name, quoted(value)]);
  return [...usual, ...set].map(([name, value]) => `proxy_set_header ${name} ${value};`);
}

const addedHeaders = (headers: readonly Header[]): readonly string[] =>
  headers.filter(([, value]) => value !== '').map(([name, value]) => `add_header ${name} ${quoted(value)} always;`);

/** groupServices let nothing through that has both kinds of quotes, or that means something inside of them. */
const quoted = (value: string): string => (value.includes('"') ? `'${value}'` : `"${value}"`);

function differing(name: string, value: number, usual: number, text: (value: number) => string): readonly string[] {
  return value === usual ? [] : [`${name} ${text(value)};`];
}

function time(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
