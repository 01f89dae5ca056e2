import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { type Backend, type EndpointUrl, groupByUrl, type HaproxyConfig, type HaproxyService, urlText } from '@reactor/core';

/**
 * Endpoints with one URL are one virtual service: their backends are merged, each with its own weight, which splits the
 * traffic between versions. Whatever a user wrote is held to an allow-list here once more, whoever checked it before: what
 * passes needs no quoting in haproxy's text, what does not sets its endpoint aside and nobody else's.
 */
export interface VirtualService {
  /** Names its backend section and its log lines. */
  readonly token: string;
  readonly url: EndpointUrl;
  /** By name. The first one's settings hold where they differ; requests that reached no backend count for it. */
  readonly endpoints: readonly string[];
  /** By name, each address once, without weight 0. */
  readonly servers: readonly Server[];
  readonly redirect: string | null;
  readonly settings: HaproxyConfig;
  /** Certificate and key as one text, as haproxy wants them. */
  readonly pem: string | null;
}

export interface Server {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** 1 to 256, which is what haproxy takes. */
  readonly weight: number;
}

export interface Grouping {
  /** By port, host (none first), path. */
  readonly virtual: readonly VirtualService[];
  readonly setAside: Readonly<Record<string, string>>;
}

const WEIGHT_LIMIT = 65_535;
const HAPROXY_WEIGHT_LIMIT = 256;
const TIMEOUT_LIMIT_MS = 86_400_000;

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const HOST = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*$`);
/** haproxy ends a word at a blank, a comment at `#`, and knows `\`, quotes, `$`, `%[`, `{` and `}`; none of them is here. */
const PATH = /^\/[A-Za-z0-9._~!&()*+,:=@/-]{0,1023}$/;
const CHECK_URL = /^\/[A-Za-z0-9._~!&()*+,:=@/?-]{0,1023}$/;
const TARGET = /^(?:https?:\/\/([A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?)?(?:\/(?!\/)[A-Za-z0-9._~!&()*+,:=@/?-]{0,1023})?$/;
const BALANCES: readonly string[] = ['roundrobin', 'leastconn', 'uri', 'source'];
const PEM_BLOCK = '-----BEGIN [A-Z0-9 ]{3,40}-----\\r?\\n(?:[A-Za-z0-9+/=]{1,80}\\r?\\n)+-----END [A-Z0-9 ]{3,40}-----';
const PEM = new RegExp(`^(?:[ \\t\\r\\n]*${PEM_BLOCK})+[ \\t\\r\\n]*$`);
const PEM_LIMIT_BYTES = 262_144;

/** Pure; the same services in any order give the same grouping. Backends' hosts must be addresses already. */
export function groupServices(services: readonly HaproxyService[]): Grouping {
  const { groups, setAside } = groupByUrl(services, faultOf);
  return { virtual: [...groups.values()].map(merge).sort(byPlace), setAside };
}

/** The server of a backend at an address; another address is another server, so that what runs can be compared by name. */
export function serverName({ id, host, port }: Backend): string {
  return `s${shortHash(`${id} ${addressText(host, port)}`)}`;
}

export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

export function addressText(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function merge(members: readonly HaproxyService[]): VirtualService {
  const first = members[0]!;
  const byAddress = new Map<string, Backend>();
  for (const backend of members.flatMap((member) => member.backends)) {
    const address = addressText(backend.host, backend.port);
    if (backend.weight > 0 && !byAddress.has(address)) byAddress.set(address, backend);
  }
  const { sslCertificate, sslKey } = first.haproxy;
  return {
    token: `r${shortHash(urlText(first.url))}`,
    url: first.url,
    endpoints: members.map((member) => member.endpoint),
    servers: serversOf([...byAddress.values()]),
    redirect: members.map(({ redirect }) => redirect).find((redirect) => redirect !== null) ?? null,
    settings: first.haproxy,
    pem: first.url.scheme === 'https' ? `${plain(sslCertificate!)}${plain(sslKey!)}` : null,
  };
}

const plain = (pem: string) => `${pem.trim().replace(/\r/g, '')}\n`;

/** Weights keep their proportions as far as 256 steps can show them. */
function serversOf(backends: readonly Backend[]): readonly Server[] {
  const most = Math.max(1, ...backends.map(({ weight }) => weight));
  const scale = most > HAPROXY_WEIGHT_LIMIT ? HAPROXY_WEIGHT_LIMIT / most : 1;
  return backends
    .map((backend) => ({
      name: serverName(backend),
      host: backend.host,
      port: backend.port,
      weight: Math.max(1, Math.round(backend.weight * scale)),
    }))
    .sort((a, b) => compare(a.name, b.name));
}

function byPlace(a: VirtualService, b: VirtualService): number {
  return a.url.port - b.url.port || compare(a.url.host ?? '', b.url.host ?? '') || compare(a.url.path, b.url.path);
}

/** Why a service cannot be written, or null. Values are not repeated: this text is shown to whoever may read the endpoint. */
function faultOf(service: HaproxyService): string | null {
  const { url, haproxy, backends, redirect } = service;
  if (!['http', 'https', 'tcp'].includes(url.scheme)) return 'url: haproxy serves http://, https:// and tcp://';
  if (url.scheme === 'tcp' && (url.host !== null || url.path !== '/')) return 'url: tcp:// has a port and nothing else';
  if (url.host !== null && !HOST.test(url.host) && isIP(url.host.replace(/^\[(.*)\]$/, '$1')) === 0) {
    return 'url: the host is not a host name or an address';
  }
  if (url.host?.includes('%')) return 'url: the host is not a host name or an address';
  if (!isPort(url.port)) return 'url: the port is not 1 to 65535';
  if (!PATH.test(url.path)) return 'url: the path has a character that haproxy could misread';
  if (redirect !== null && !isTarget(redirect, false)) return 'redirect: expected an http or https URL, without # and %';
  return settingsFaultOf(haproxy) ?? backends.map(backendFaultOf).find((fault) => fault !== null) ?? tlsFaultOf(service);
}

function settingsFaultOf(settings: HaproxyConfig): string | null {
  if (!BALANCES.includes(settings.balance)) return `balance: expected one of ${BALANCES.join(', ')}`;
  if (settings.checkUrl !== null && !CHECK_URL.test(settings.checkUrl)) return 'check_url: expected a path, without # and %';
  if (settings.errorLocation !== null && !isTarget(settings.errorLocation, true)) {
    return 'errorloc: expected an http or https URL or a path, without # and %';
  }
  for (const [key, ms] of Object.entries({ contimeout: settings.connectTimeoutMs, srvtimeout: settings.serverTimeoutMs })) {
    if (!isWhole(ms, 1, TIMEOUT_LIMIT_MS)) return `${key}: expected 1 to ${TIMEOUT_LIMIT_MS} ms`;
  }
  return null;
}

function backendFaultOf({ id, host, port, weight }: Backend): string | null {
  if (isIP(host) === 0 || host.includes('%')) return `backend '${id}': its host is not an address`;
  if (!isPort(port)) return `backend '${id}': its port is not 1 to 65535`;
  return isWhole(weight, 0, WEIGHT_LIMIT) ? null : `weight: expected 0 to ${WEIGHT_LIMIT}`;
}

function tlsFaultOf({ url, haproxy }: HaproxyService): string | null {
  if (url.scheme !== 'https') return haproxy.ssl ? 'ssl: needs a url that starts with https://' : null;
  if (!haproxy.ssl) return 'url: https needs ssl = true in [loadbalancer:haproxy]';
  const { sslCertificate, sslKey } = haproxy;
  if (sslCertificate === null || sslKey === null) return 'ssl: needs ssl_certificate and ssl_key';
  const fits = (text: string) => text.length <= PEM_LIMIT_BYTES && PEM.test(text);
  if (!fits(sslCertificate)) return 'ssl_certificate: expected PEM text and nothing else';
  return fits(sslKey) ? null : 'ssl_key: expected PEM text and nothing else';
}

function isTarget(text: string, orPath: boolean): boolean {
  const match = TARGET.exec(text);
  if (match === null || text === '') return false;
  return match[1] === undefined ? orPath : HOST.test(match[1].toLowerCase());
}

const isPort = (port: number) => isWhole(port, 1, 65_535);
const isWhole = (value: number, low: number, high: number) => Number.isInteger(value) && value >= low && value <= high;
