import { addressText, compare, shortHash, type VirtualService } from './virtual-service.js';

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

/**
 * Backends a request is tried on. A host that dies leaves all its backends in the list for some seconds, and each worker
 * has to find out about each of them: with 3, one in some thousand requests met three of them. As many as the connect
 * timeout fits into the 10 s below; not more, for a request that crashes its backend crashes this many.
 */
const MOST_TRIES = 5;

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

const UNAVAILABLE =
  '<!doctype html><meta charset=utf-8><title>Not available</title><h1>Not available</h1><p>Nothing serves this address right now. Please try again shortly.</p>\\n';

const HEADER = '# Written by reactor. Changes are overwritten.\n';

/** What all sites share, at http level. */
export function renderShared(): string {
  return `${HEADER}map $http_upgrade $reactor_upgrade { default ''; ~*^websocket$ websocket; }
map $reactor_upgrade $reactor_connection { default upgrade; '' ''; }
map $http_host $reactor_host { default $http_host; '' $host; }
`;
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
    include shared.conf;
${sites.map((site) => `    include sites/${site};\n`).join('')}}
`;
}

/** One file per host and port, holding every virtual service (path) of it; and one default server per port. */
export function renderSites(virtual: readonly VirtualService[], layout: SiteLayout): Files {
  const servers = new Map<string, VirtualService[]>();
  for (const service of virtual) {
    const key = serverKey(service.url.host, service.url.port);
    servers.set(key, [...(servers.get(key) ?? []), service]);
  }
  const files = new Map<string, RenderedFile>();
  for (const services of servers.values()) {
    const { host, port } = services[0]!.url;
    const name = shortHash(serverKey(host, port));
    const { tls } = services[0]!;
    if (tls !== null) {
      files.set(`reactor.${name}.pem`, { text: pem(tls.certificate), secret: false });
      files.set(`reactor.${name}.key`, { text: pem(tls.key), secret: true });
    }
    files.set(siteFile(name), { text: renderServer(name, services, layout), secret: false });
  }
  for (const { url } of virtual) {
    if (servers.has(serverKey(null, url.port))) continue;
    const name = siteFile(shortHash(serverKey(null, url.port)));
    files.set(name, { text: renderUnknownHost(url.port, url.scheme === 'https', layout), secret: false });
  }
  return new Map([...files].sort(([a], [b]) => compare(a, b)));
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

const serverKey = (host: string | null, port: number) => `${host ?? ''}:${port}`;
const siteFile = (name: string) => `reactor.${name}.conf`;
const pem = (text: string) => `${text.trim().replace(/\r/g, '')}\n`;

function renderServer(name: string, services: readonly VirtualService[], layout: SiteLayout): string {
  const { host, port } = services[0]!.url;
  const tls = services[0]!.tls !== null;
  const blocks = services.map((service) => renderLocation(service, layout));
  const covered = services.some(({ url }) => url.path === '/');
  return `${HEADER}${services.map(renderUpstream).join('')}server {
${renderListen(port, tls, host === null, layout.ipv6)}    server_name ${host === null ? '_' : serverName(host)};
${tls ? renderTls(name, layout) : ''}    access_log off;
    absolute_redirect off;
    client_max_body_size 0;
${PROXY}${blocks.join('')}${covered ? '' : '    location / { return 404; }\n'}}
`;
}

/**
 * Buffering is off both ways. Answers stream to the client as they come (as in 2013), so server-sent events work unasked
 * and no temporary file fills the disk. Request bodies go to the backend as they arrive, of any size; this costs a retry
 * only where a body was already being sent. `error timeout` without `non_idempotent` retries what cannot do harm twice.
 */
const PROXY = `    proxy_http_version 1.1;
    proxy_buffering off;
    proxy_buffer_size 16k;
    proxy_buffers 8 16k;
    proxy_request_buffering off;
    proxy_connect_timeout 2s;
    proxy_send_timeout 60s;
    proxy_read_timeout 60s;
    proxy_next_upstream error timeout;
    proxy_next_upstream_tries ${MOST_TRIES};
    proxy_next_upstream_timeout 10s;
    proxy_set_header Host $reactor_host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $reactor_upgrade;
    proxy_set_header Connection $reactor_connection;
    proxy_set_header Proxy "";
`;

function renderUpstream(service: VirtualService): string {
  const format = `log_format reactor_${service.token} "${service.token}\\t${LOG_FIELDS}";\n`;
  if (service.backends.length === 0) return format;
  const servers = service.backends.map(
    ({ host, port, weight }) => `    server ${addressText(host, port)} weight=${weight} ${PASSIVE_FAILURE};\n`,
  );
  return `${format}upstream reactor_${service.token} {
${service.sticky ? '    hash $binary_remote_addr consistent;\n' : ''}${servers.join('')}    keepalive ${service.keepalive};
    keepalive_requests 10000;
    keepalive_timeout ${UPSTREAM_IDLE};
}
`;
}

function renderLocation(service: VirtualService, layout: SiteLayout): string {
  const { path } = service.url;
  // The log format is named per location, not fed by a variable: one copy less per request, and a request that fits no
  // service is never logged. Buffers are flushed every 100 ms, so metrics lag by no more.
  const log = `        access_log ${layout.logPath} reactor_${service.token} buffer=64k flush=100ms;\n`;
  return `    location ${path.endsWith('/') ? '' : '= '}${path} {\n${log}${renderAnswer(service)}    }\n`;
}

function renderAnswer(service: VirtualService): string {
  if (service.backends.length > 0) {
    // At the root the request goes on byte for byte; below a prefix nginx has to rewrite it, which strips the prefix.
    const rest = service.url.path === '/' ? '' : '/';
    return `        proxy_pass http://reactor_${service.token}${rest};\n`;
  }
  if (service.redirect !== null) {
    // 301 as in 2013, but never remembered by a browser: the backends come back.
    return `        add_header Cache-Control no-store always;\n        return 301 "${service.redirect}";\n`;
  }
  return `        default_type text/html;
        add_header Cache-Control no-store always;
        add_header Retry-After 5 always;
        return 503 "${UNAVAILABLE}";
`;
}

function renderListen(port: number, tls: boolean, isDefault: boolean, ipv6: boolean): string {
  const rest = `${port}${tls ? ' ssl' : ''}${isDefault ? ' default_server' : ''};\n`;
  return `    listen ${rest}${ipv6 ? `    listen [::]:${rest}` : ''}`;
}

function renderTls(name: string, layout: SiteLayout): string {
  return `    ssl_certificate ${layout.certificates}reactor.${name}.pem;
    ssl_certificate_key ${layout.certificates}reactor.${name}.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:reactor:10m;
`;
}

/** A port with named hosts only: an unknown one is told so, instead of being given to whichever comes first. */
function renderUnknownHost(port: number, tls: boolean, layout: SiteLayout): string {
  return `${HEADER}server {
${renderListen(port, tls, true, layout.ipv6)}    server_name _;
    access_log off;
${tls ? '    ssl_reject_handshake on;\n' : '    return 404;\n'}}
`;
}

const serverName = (host: string) => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host);
