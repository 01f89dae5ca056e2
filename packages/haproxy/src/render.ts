import { addressText, compareText, shortHash } from '@reactor/core';
import type { Server, VirtualService } from './virtual-service.js';

/**
 * Virtual services to haproxy's text: pure, sorted, the same input gives the same bytes. Everything written comes from
 * `groupServices`, which let only harmless characters through, or from us.
 *
 * The text falls in two: who the servers are, which changes with every instance and is told to the running process; and
 * all else, its structure, which takes a reload. The running process tells us the digest of its structure as its description.
 */
export interface Rendered {
  readonly text: string;
  /** Digest of all but the servers. */
  readonly structure: string;
  /** Certificates with their keys, by file name. A new one has a new name. */
  readonly pems: ReadonlyMap<string, string>;
}

export interface Surroundings {
  readonly directory: string;
  /** Null: not ours to choose, because we are not root. */
  readonly account: { readonly user: string; readonly group: string } | null;
  readonly globalOptions: readonly string[];
  readonly maxConnections: number;
  readonly clientTimeoutMs: number;
  readonly statsPath: string | null;
  readonly statsMode: string;
  /** Whether this machine has IPv6. */
  readonly ipv6: boolean;
}

/** How a server is checked, in its line as well as when it is added to the running process. */
export const CHECK = 'check inter 2s fastinter 500ms downinter 1s fall 2 rise 1';
/** An idle connection is closed by us before a backend's own idle timeout (gunicorn 2 s, node 5 s) closes it under a request. */
export const POOL = 'pool-purge-delay 1s';

/** One line per request, or per connection of tcp, tab-separated, the fields of access-log.ts. None is the client's text. */
const HTTP_LOG = '%b\\t%s\\t%ST\\t%B\\t%Tr\\t%Td\\t%ts\\t%rc';
const TCP_LOG = '%b\\t%s\\t-\\t%B\\t-1\\t-1\\t%ts\\t%rc';
/** Long enough for downloads and websockets to end by themselves, bounded so that old workers cannot pile up for ever. */
const HARD_STOP = '1h';
const ERROR_CODES = [400, 403, 408, 500, 502, 503, 504];
const UNKNOWN = 'reactor_unknown';
const DESCRIPTION = 'reactor-';

export function render(virtual: readonly VirtualService[], surroundings: Surroundings): Rendered {
  const pems = new Map(virtual.flatMap(({ pem }) => (pem === null ? [] : [[pemName(pem), pem] as const])));
  const ports = new Map<number, VirtualService[]>();
  for (const service of virtual) ports.set(service.url.port, [...(ports.get(service.url.port) ?? []), service]);
  const frontends = [...ports].sort(([a], [b]) => a - b).map(([port, services]) => renderFrontend(port, services, surroundings));
  const backends = [...virtual].sort((a, b) => compareText(a.token, b.token));
  const unknown = virtual.some(({ url }) => url.scheme !== 'tcp') ? renderUnknown() : '';
  const rest = `${renderDefaults(surroundings)}${virtual.length === 0 ? renderIdle(surroundings) : ''}${frontends.join('')}${unknown}`;
  const bare = `${renderGlobal(surroundings, '')}${rest}${backends.map((each) => renderBackend(each, [])).join('')}`;
  const structure = shortHash(bare);
  const full = backends.map((each) => renderBackend(each, each.servers)).join('');
  return { text: `${renderGlobal(surroundings, structure)}${rest}${full}`, structure, pems };
}

/** The structure that a process with this description runs; null when it is not ours. */
export function structureIn(description: string): string | null {
  return description.startsWith(DESCRIPTION) ? description.slice(DESCRIPTION.length) : null;
}

/** Ports the given text listens on, read from our own words. */
export function portsOf(text: string): ReadonlySet<number> {
  return new Set([...text.matchAll(/^ {4}bind :(\d+)/gm)].map((match) => Number(match[1])));
}

export const serverSettings = ({ host, port, weight }: Omit<Server, 'name'>): string =>
  `${addressText(host, port)} weight ${weight} ${POOL} ${CHECK}`;

/** Keeps a client at its server over restarts and on every host: what it hashes is public, so this is no secret. */
export const cookieKey = (token: string): string => shortHash(`cookie ${token}`);

export const isSticky = ({ url, settings }: VirtualService): boolean => settings.sticky && url.scheme !== 'tcp';

const pemName = (pem: string): string => `${shortHash(pem)}.pem`;

function renderGlobal(around: Surroundings, structure: string): string {
  const { account, globalOptions, statsPath, statsMode } = around;
  const own = (word: string) => globalOptions.some((line) => line.startsWith(`${word} `));
  const asUser = account === null ? [] : [`user ${account.user}`, `group ${account.group}`];
  const lines = [
    `description ${DESCRIPTION}${structure}`,
    `maxconn ${around.maxConnections}`,
    ...asUser.filter((line) => !own(line.split(' ')[0]!)),
    ...globalOptions.filter((line) => account !== null || !/^(user|group) /.test(line)).map(globalLine),
    'log stdout format raw local0 info',
    `hard-stop-after ${HARD_STOP}`,
    'ssl-default-bind-options ssl-min-ver TLSv1.2',
    ...(statsPath === null ? [] : [`stats socket ${statsPath} mode ${statsMode} level user`]),
  ];
  return `# Written by reactor. Changes are overwritten.\nglobal\n${indented(lines)}`;
}

/** As 2013 wrote it, without an address, syslog is meant. */
const globalLine = (line: string): string => line.replace(/^log (?=(?:local[0-7]|daemon|user)\b)/, 'log /dev/log ');

function renderDefaults({ maxConnections, clientTimeoutMs }: Surroundings): string {
  return `defaults\n${indented([
    'log global',
    'mode http',
    `maxconn ${maxConnections}`,
    `timeout client ${clientTimeoutMs}ms`,
    'timeout connect 5000ms',
    'timeout server 50000ms',
    'timeout http-request 30s',
    'timeout tunnel 1h',
    'retries 3',
    'option redispatch 1',
    'option dontlognull',
  ])}`;
}

/** haproxy wants something to listen on; this one nobody is told of. */
function renderIdle({ directory }: Surroundings): string {
  return `frontend reactor_idle\n${indented([`bind unix@${directory}/idle.sock mode 600`, 'http-request deny'])}`;
}

function renderFrontend(port: number, services: readonly VirtualService[], { directory, ipv6 }: Surroundings): string {
  const certificates = [...new Set(services.flatMap(({ pem }) => (pem === null ? [] : [pemName(pem)])))].sort(compareText);
  const tls = certificates.length === 0 ? '' : ` ssl${certificates.map((name) => ` crt ${directory}/pems/${name}`).join('')}`;
  const binds = [`bind :${port}${tls}`, ...(ipv6 ? [`bind [::]:${port} v6only${tls}`] : [])];
  if (services[0]!.url.scheme === 'tcp') {
    return `frontend port_${port}\n${indented([...binds, 'mode tcp', `log-format "${TCP_LOG}"`, `default_backend ${services[0]!.token}`])}`;
  }
  const routes = [...services].sort(byPrecedence).map(renderRoute);
  const headers = [
    'option forwardfor',
    'http-request set-header X-Real-IP %[src]',
    `http-request set-header X-Forwarded-Proto ${certificates.length === 0 ? 'http' : 'https'}`,
    'http-request del-header Proxy',
  ];
  return `frontend port_${port}\n${indented([...binds, `log-format "${HTTP_LOG}"`, ...headers, ...routes, `default_backend ${UNKNOWN}`])}`;
}

/** A host before none; then the exact path, then the longest prefix. */
function byPrecedence(a: VirtualService, b: VirtualService): number {
  const rank = ({ url }: VirtualService) => (url.host === null ? 1 : 0);
  const exact = ({ url }: VirtualService) => (url.path.endsWith('/') ? 1 : 0);
  return (
    rank(a) - rank(b) ||
    exact(a) - exact(b) ||
    b.url.path.length - a.url.path.length ||
    compareText(a.url.path, b.url.path) ||
    compareText(a.url.host ?? '', b.url.host ?? '')
  );
}

function renderRoute({ token, url: { host, path } }: VirtualService): string {
  const named = host === null ? '' : `{ req.hdr(host),host_only -i -m str ${host} } `;
  const route = (condition: string) => `use_backend ${token}${condition === '' ? '' : ` if ${condition.trim()}`}`;
  if (path === '/') return route(named);
  if (!path.endsWith('/')) return route(`${named}{ path -m str ${path} }`);
  return [route(`${named}{ path -m beg ${path} }`), route(`${named}{ path -m str ${path.slice(0, -1)} }`)].join('\n    ');
}

function renderUnknown(): string {
  return `backend ${UNKNOWN}\n${indented(['http-request deny deny_status 404'])}`;
}

function renderBackend(service: VirtualService, servers: readonly Server[]): string {
  const lines = service.url.scheme === 'tcp' ? tcpLines(service) : httpLines(service);
  const { connectTimeoutMs, serverTimeoutMs, checkUrl } = service.settings;
  const check =
    checkUrl === null ? [] : ['option httpchk', `http-check send meth GET uri ${checkUrl}`, 'http-check expect status 200-399'];
  return `backend ${service.token}\n${indented([
    ...lines,
    'hash-type consistent',
    `timeout connect ${connectTimeoutMs}ms`,
    `timeout server ${serverTimeoutMs}ms`,
    ...check,
    ...servers.map((server) => `server ${server.name} ${serverSettings(server)}`),
  ])}`;
}

/** A client's address names its server, unless that one is gone. */
function tcpLines({ settings }: VirtualService): readonly string[] {
  const sticky = ['stick-table type ipv6 size 200k expire 30m', 'stick on src'];
  // There is no uri to look at.
  return ['mode tcp', `balance ${settings.balance === 'uri' ? 'source' : settings.balance}`, ...(settings.sticky ? sticky : [])];
}

function httpLines(service: VirtualService): readonly string[] {
  const { url, settings, redirect, token } = service;
  const sticky = ['cookie REACTOR insert indirect nocache httponly dynamic', `dynamic-cookie-key ${cookieKey(token)}`];
  const location = settings.errorLocation;
  return [
    `balance ${settings.balance}`,
    ...(isSticky(service) ? sticky : []),
    ...(redirect === null ? [] : [`http-request redirect location ${redirect} code 302 if { nbsrv eq 0 }`]),
    ...rewriting(url.path),
    // A request whose answer never began is tried again, elsewhere, where that can do no harm.
    'retry-on conn-failure empty-response',
    'http-request disable-l7-retry unless METH_GET or { method HEAD OPTIONS }',
    ...(location === null ? [] : ERROR_CODES.map((code) => `errorloc302 ${code} ${location.replaceAll('CODE', String(code))}`)),
  ];
}

/** The endpoint's prefix is not the instance's business. What would climb out of it is refused, also in disguise. */
function rewriting(path: string): readonly string[] {
  if (path === '/') return [];
  const climbing = ['{ path,url_dec -m sub /../ }', '{ path,url_dec -m end /.. }'];
  const refusal = `http-request deny deny_status 400 if ${climbing.join(' or ')}`;
  if (!path.endsWith('/')) return [refusal, 'http-request set-path /'];
  const bare = `http-request redirect location ${path} code 301 if { path -m str ${path.slice(0, -1)} }`;
  return [refusal, bare, `http-request set-path %[path,bytes(${path.length - 1})]`];
}

const indented = (lines: readonly string[]): string => lines.map((line) => `    ${line}\n`).join('');
