import { addressText, compareText, plainPem, serverKey, shortHash } from '@reactor/core';
import { httpsAddress, renderLocation, USUAL_PASSING } from './location.js';
import { ANSWERED_BY_MAP, renderStickyMaps, stickyWeights } from './sticky.js';
import type { VirtualService } from './virtual-service.js';

/**
 * Virtual services to nginx's text: pure, sorted, the same input gives the same bytes. Everything written comes from
 * `groupServices`, which let only harmless characters through, or from us.
 */
export interface RenderedFile {
  readonly text: string;
  /** Holds a private key: readable by its owner alone. */
  readonly secret: boolean;
}

/** By file name, in the order nginx reads them. */
export type Files = ReadonlyMap<string, RenderedFile>;

export interface SiteLayout {
  readonly logPath: string;
  /** As nginx is to look for certificates: absolute, or relative to the main file. Ends with `/`. */
  readonly certificates: string;
  /** Whether this machine has IPv6; without it a `[::]` socket would have the whole configuration refused. */
  readonly ipv6: boolean;
}

export interface OwnMain {
  readonly directory: string;
  readonly user: string | null;
  readonly workers: number;
  readonly connections: number;
}

/** Long enough for downloads and websockets to end by themselves, bounded so that old workers cannot pile up for ever. */
const WORKER_SHUTDOWN = '1h';
/** An idle connection is closed by us before a backend's own idle timeout (gunicorn 2 s, node 5 s) closes it under a request. */
const UPSTREAM_IDLE = '1s';
/** Two failures pass a backend over for five seconds; then one request tries it again. */
const PASSIVE_FAILURE = 'max_fails=2 fail_timeout=5s';

/** One line per request, tab-separated, the fields of log-line.ts. None is the client's text, so none needs escaping. */
const LOG_FIELDS = [
  '$msec',
  '$status',
  '$body_bytes_sent',
  '$upstream_addr',
  '$upstream_status',
  '$upstream_connect_time',
  '$upstream_response_time',
].join('\\t');

/**
 * The intermediate recommendation of Mozilla. Every server of a port needs it: the version is agreed on before the client has
 * named a host, by the rules of the default server. No tickets: their key would decrypt every session recorded before.
 */
const TLS = `    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;
    ssl_prefer_server_ciphers off;
    ssl_session_cache shared:reactor:10m;
    ssl_session_timeout 1d;
    ssl_session_tickets off;
`;

const HEADER = '# Written by reactor. Changes are overwritten.\n';

/** What all sites share, at http level. */
export function renderShared(): string {
  return `${HEADER}map $http_upgrade $reactor_upgrade { default ''; ~*^websocket$ websocket; }
map $reactor_upgrade $reactor_connection { default upgrade; '' ''; }
map $http_host $reactor_host { default $http_host; '' $host; }
${ANSWERED_BY_MAP}`;
}

/** nginx.conf of our own nginx; `sites` are included by name, so that a stray file means nothing. */
export function renderMain(own: OwnMain, sites: readonly string[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `    ${kind}_temp_path ${own.directory}/tmp/${kind};\n`,
  );
  return `${HEADER}${own.user === null ? '' : `user ${own.user};\n`}worker_processes ${own.workers === 0 ? 'auto' : own.workers};
worker_rlimit_nofile ${own.connections * 2 + 1024};
worker_shutdown_timeout ${WORKER_SHUTDOWN};
pid ${own.directory}/nginx.pid;
error_log ${own.directory}/logs/error.log error;
events { worker_connections ${own.connections}; }
http {
${temporary.join('')}    default_type application/octet-stream;
    access_log off;
    server_tokens off;
    tcp_nopush on;
    server_names_hash_max_size 16384;
    server_names_hash_bucket_size 512;
    types_hash_max_size 4096;
    map_hash_max_size 65536;
    map_hash_bucket_size 128;
    variables_hash_max_size 16384;
    include shared.conf;
${sites.map((site) => `    include sites/${site};\n`).join('')}}
`;
}

/** One file per host and port, holding every virtual service (path) of it; and one default server per port. */
export function renderSites(virtual: readonly VirtualService[], layout: SiteLayout): Files {
  const listening = listenersOf(virtual);
  const servers = new Map<string, VirtualService[]>();
  for (const service of virtual) {
    const key = serverKey(service.url);
    servers.set(key, [...(servers.get(key) ?? []), service]);
  }
  const files = new Map<string, RenderedFile>();
  for (const services of servers.values()) {
    const name = shortHash(serverKey(services[0]!.url));
    const { tls } = services[0]!;
    if (tls !== null) {
      files.set(`reactor.${name}.pem`, { text: plainPem(tls.pair!.certificate), secret: false });
      files.set(`reactor.${name}.key`, { text: plainPem(tls.pair!.key), secret: true });
    }
    files.set(siteFile(name), {
      text: renderServer(name, services, listening.get(services[0]!.url.port)!, layout),
      secret: false,
    });
  }
  for (const { url } of virtual) {
    const listener = listening.get(url.port)!;
    const unnamed = serverKey({ host: null, port: url.port });
    if (servers.has(unnamed)) continue;
    const name = siteFile(shortHash(unnamed));
    files.set(name, { text: renderUnknownHost(listener, layout), secret: false });
  }
  return new Map([...files].sort(([a], [b]) => compareText(a, b)));
}

/** Ports the given sites listen on, read from our own text. */
export function portsOf(files: Files): ReadonlySet<number> {
  const ports = new Set<number>();
  for (const { text } of files.values()) {
    for (const match of text.matchAll(/^ {4}listen (\d+)/gm)) ports.add(Number(match[1]));
  }
  return ports;
}

export const isSite = (name: string): boolean => name.endsWith('.conf');

const siteFile = (name: string) => `reactor.${name}.conf`;

function renderServer(name: string, services: readonly VirtualService[], listener: Listener, layout: SiteLayout): string {
  const { host, port } = services[0]!.url;
  const { tls } = listener;
  const blocks = services.map((service) => renderLocation(service, layout.logPath));
  const covered = services.some(({ url }) => url.path === '/');
  return `${HEADER}${services.map(renderUpstream).join('')}server {
${renderListen(listener, host === null, layout.ipv6)}    server_name ${host === null ? '_' : serverName(host)};
${tls ? renderTls(name, layout) + renderPlainHttp(host, port) : ''}    access_log off;
    server_tokens off;
    absolute_redirect off;
${USUAL_PASSING}${blocks.join('')}${covered ? '' : '    location / { return 404; }\n'}}
`;
}

function renderUpstream(service: VirtualService): string {
  // A place that only sends clients on to https is not the endpoint's traffic.
  if (service.httpsPort !== null) return '';
  const { token, backends, sticky } = service;
  const format = `log_format reactor_${token} "${token}\\t${LOG_FIELDS}";\n`;
  if (backends.length === 0) return format;
  const weights = sticky === null ? backends.map(({ weight }) => weight) : stickyWeights(backends);
  const servers = backends.map(
    ({ host, port }, position) => `    server ${addressText(host, port)} weight=${weights[position]} ${PASSIVE_FAILURE};\n`,
  );
  return `${format}${sticky === 'cookie' ? renderStickyMaps(service) : ''}upstream reactor_${token} {
${renderStickiness(service)}${servers.join('')}    keepalive ${service.keepalive};
    keepalive_requests 10000;
    keepalive_timeout ${UPSTREAM_IDLE};
}
`;
}

function renderStickiness({ sticky, token }: VirtualService): string {
  if (sticky === 'cookie') return `    hash $reactor_key_${token};\n`;
  return sticky === 'address' ? '    hash $binary_remote_addr consistent;\n' : '';
}

/** What all servers of a port have to say alike: nginx takes it for the socket, whichever server says it. */
interface Listener {
  readonly port: number;
  readonly tls: boolean;
  readonly http2: boolean;
}

function listenersOf(virtual: readonly VirtualService[]): ReadonlyMap<number, Listener> {
  const listeners = new Map<number, Listener>();
  for (const { url, tls } of virtual) {
    const http2 = (listeners.get(url.port)?.http2 ?? true) && tls?.http2 === true;
    listeners.set(url.port, { port: url.port, tls: tls !== null, http2 });
  }
  return listeners;
}

function renderListen({ port, tls, http2 }: Listener, isDefault: boolean, ipv6: boolean): string {
  const rest = `${port}${tls ? ' ssl' : ''}${http2 ? ' http2' : ''}${isDefault ? ' default_server' : ''};\n`;
  return `    listen ${rest}${ipv6 ? `    listen [::]:${rest}` : ''}`;
}

function renderTls(name: string, layout: SiteLayout): string {
  return `    ssl_certificate ${layout.certificates}reactor.${name}.pem;
    ssl_certificate_key ${layout.certificates}reactor.${name}.key;
${TLS}`;
}

/** Plain HTTP spoken to a port of TLS. */
function renderPlainHttp(host: string | null, port: number): string {
  return `    error_page 497 =308 ${httpsAddress(host === null ? null : serverName(host), port)}$request_uri;\n`;
}

/** A port with named hosts only: an unknown one is told so, instead of being given to whichever comes first. */
function renderUnknownHost(listener: Listener, layout: SiteLayout): string {
  return `${HEADER}server {
${renderListen(listener, true, layout.ipv6)}    server_name _;
    access_log off;
    server_tokens off;
${listener.tls ? `    ssl_reject_handshake on;\n${TLS}` : '    return 404;\n'}}
`;
}

const serverName = (host: string) => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host);
