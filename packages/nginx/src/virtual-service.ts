import { isIP } from 'node:net';
import {
  addressText,
  type Backend,
  backendFault,
  byPlace,
  compareText,
  type EndpointUrl,
  groupByUrl,
  HEADERS_MAX,
  HOST_NAME,
  headerFault,
  hostCertificates,
  isPem,
  isPort,
  isWhole,
  type KeyPair,
  type NginxConfig,
  type NginxService as Service,
  serverKey,
  shortHash,
  URL_PATH,
  urlText,
} from '@reactor/core';

/**
 * Endpoints with one URL are one virtual service: their backends are merged, each with its own weight, which splits the
 * traffic between versions (as in 2013). Whatever a user wrote is held to an allow-list here once more, whoever checked it
 * before: what passes needs no quoting in nginx's text, what does not sets its endpoint aside and nobody else's.
 */

/** How requests are passed on to backends. */
export type Passing = Pick<
  NginxConfig,
  | 'maxBodyBytes'
  | 'connectTimeoutMs'
  | 'sendTimeoutMs'
  | 'readTimeoutMs'
  | 'clientKeepaliveMs'
  | 'buffering'
  | 'requestBuffering'
  | 'requestHeaders'
  | 'responseHeaders'
>;

export interface VirtualService {
  /** 12 hex digits of the URL: names its upstream and stands first on its log lines. 48 bits, so it is an exact number too. */
  readonly token: string;
  readonly url: EndpointUrl;
  /** By name. The first one's settings hold where they differ; requests that reached no backend count for it. */
  readonly endpoints: readonly string[];
  /** Hosts in turn, each address once, without weight 0. */
  readonly backends: readonly Backend[];
  readonly redirect: string | null;
  readonly sticky: 'cookie' | 'address' | null;
  /** Idle connections to the backends kept per worker. */
  readonly keepalive: number;
  /** Null speaks plain HTTP/1.1. A null pair is to be generated; all of one host and port have the same. */
  readonly tls: { readonly pair: KeyPair | null; readonly http2: boolean } | null;
  readonly passing: Passing;
  /** A place of http that only sends clients on to https at this port; null is any other place. */
  readonly httpsPort: number | null;
}

export interface Grouping {
  /** By port, host (none first), path. */
  readonly virtual: readonly VirtualService[];
  readonly setAside: Readonly<Record<string, string>>;
  /** What is not as an endpoint would have it: its certificate, its place of http. It is served all the same. */
  readonly remarks: readonly string[];
}

/** Enough to carry the bursts of one worker; more idle sockets would count as nothing but memory at the backends. */
const KEEPALIVE_CONNECTIONS = 32;
const KEEPALIVE_LIMIT = 10_000;
const TIME_LIMIT_MS = 86_400_000;
const HTTP_PORT = 80;

const REDIRECT = /^https?:\/\/([A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?(?:[/?#][A-Za-z0-9._~!&()*+,:=@%/?#-]{0,1023})?$/;

/** Pure; the same services in any order give the same grouping. Backends' hosts must be addresses already. */
export function groupServices(services: readonly Service[]): Grouping {
  const { groups, setAside, schemes } = groupByUrl(services, faultOf);
  const kept = [...groups.values()].flat();
  const { pairs, remarks: choices } = hostCertificates(
    kept.map(({ endpoint, url, nginx }) => ({ endpoint, url, settings: nginx })),
  );
  const merged = [...groups.values()].map((members) => merge(members, pairs.get(serverKey(members[0]!.url)) ?? null));
  const holder = schemes.get(HTTP_PORT);
  const sent = holder?.scheme === 'https' ? [] : sentToHttps(groups);
  const unsent = kept
    .filter(({ nginx }) => nginx.redirectHttp && holder?.scheme === 'https')
    .map(({ endpoint }) => `redirect_http of '${endpoint}': port ${HTTP_PORT} serves https for endpoint '${holder!.endpoint}'`);
  return { virtual: [...merged, ...sent].sort(byPlace), setAside, remarks: [...choices, ...unsent] };
}

/** Places of http that send clients on; a place that an endpoint serves itself is that endpoint's. */
function sentToHttps(groups: ReadonlyMap<string, readonly Service[]>): readonly VirtualService[] {
  return [...groups.values()].flatMap((members) => {
    const { url } = members[0]!;
    const place: EndpointUrl = { ...url, scheme: 'http', port: HTTP_PORT };
    if (!members.some(({ nginx }) => nginx.redirectHttp) || groups.has(urlText(place))) return [];
    const virtual = merge(members, null);
    return [{ ...virtual, token: shortHash(urlText(place)), url: place, backends: [], tls: null, httpsPort: url.port }];
  });
}

function merge(members: readonly Service[], pair: KeyPair | null): VirtualService {
  const first = members[0]!;
  const backends = new Map<string, Backend>();
  for (const member of members) {
    for (const backend of member.backends) {
      const address = addressText(backend.host, backend.port);
      if (backend.weight > 0 && !backends.has(address)) backends.set(address, backend);
    }
  }
  return {
    token: shortHash(urlText(first.url)),
    url: first.url,
    endpoints: members.map((member) => member.endpoint),
    backends: hostsInTurn([...backends].sort(([a], [b]) => compareText(a, b)).map(([, backend]) => backend)),
    redirect: members.map(redirectOf).find((redirect) => redirect !== null) ?? null,
    sticky: first.nginx.stickySessions ? first.nginx.stickyBy : null,
    keepalive: Math.max(...members.map((member) => member.nginx.keepalive)) || KEEPALIVE_CONNECTIONS,
    tls: first.url.scheme === 'https' ? { pair, http2: members.every(({ nginx }) => nginx.http2) } : null,
    passing: first.nginx,
    httpsPort: null,
  };
}

/**
 * The first backend of every host, then the second of every host, and so on: nginx asks one after the other in this
 * order, and the tries of one request must not all go to a host that has just died.
 */
function hostsInTurn(byAddress: readonly Backend[]): readonly Backend[] {
  const seen = new Map<string, number>();
  const turns = byAddress.map((backend) => {
    const turn = seen.get(backend.host) ?? 0;
    seen.set(backend.host, turn + 1);
    return { backend, turn };
  });
  // Sorting keeps the order of equals: by address within a turn.
  return turns.sort((a, b) => a.turn - b.turn).map(({ backend }) => backend);
}

const redirectOf = (service: Service) => service.redirect ?? service.nginx.redirect;

/** Why a service cannot be written, or null. Values are not repeated: this text is shown to whoever may read the endpoint. */
function faultOf(service: Service): string | null {
  const { url, nginx, backends } = service;
  const redirect = redirectOf(service);
  if (url.scheme !== 'http' && url.scheme !== 'https') return `url: nginx does not serve ${url.scheme}://`;
  if (url.host !== null && !HOST_NAME.test(url.host) && isIP(url.host.replace(/^\[(.*)\]$/, '$1')) === 0) {
    return 'url: the host is not a host name or an address';
  }
  if (!isPort(url.port)) return 'url: the port is not 1 to 65535';
  if (!URL_PATH.test(url.path)) return 'url: the path has a character that nginx could misread';
  if (redirect !== null && !HOST_NAME.test(REDIRECT.exec(redirect)?.[1]?.toLowerCase() ?? ''))
    return 'redirect: expected an http or https URL';
  if (!isWhole(nginx.keepalive, 0, KEEPALIVE_LIMIT)) return `keepalive: expected 0 to ${KEEPALIVE_LIMIT}`;
  const fault = backends.map((backend) => backendFault(backend, (host) => isIP(host) !== 0)).find((each) => each !== null);
  return fault ?? tlsFaultOf(service) ?? passingFaultOf(nginx);
}

function passingFaultOf(passing: Passing): string | null {
  const times = [passing.connectTimeoutMs, passing.sendTimeoutMs, passing.readTimeoutMs];
  if (times.some((ms) => !isWhole(ms, 1, TIME_LIMIT_MS)) || !isWhole(passing.clientKeepaliveMs, 0, TIME_LIMIT_MS))
    return 'a time is outside of what nginx takes';
  if (!isWhole(passing.maxBodyBytes, 0, Number.MAX_SAFE_INTEGER)) return 'max_body: expected bytes';
  for (const side of ['request', 'response'] as const) {
    const headers = side === 'request' ? passing.requestHeaders : passing.responseHeaders;
    if (headers.length > HEADERS_MAX) return `${side}_headers: more than ${HEADERS_MAX}`;
    const fault = headers.map((header) => headerFault(side, header)).find((each) => each !== null);
    if (fault) return `${side}_headers: ${fault}`;
  }
  return null;
}

function tlsFaultOf({ url, nginx }: Service): string | null {
  if (url.scheme !== 'https') return nginx.ssl ? 'ssl: needs a url that starts with https://' : null;
  if (!nginx.ssl) return 'url: https needs ssl = true in [loadbalancer:nginx]';
  if (nginx.sslCertificate === null && nginx.sslKey === null) return null;
  if (nginx.sslCertificate === null || nginx.sslKey === null) return 'ssl: needs ssl_certificate and ssl_key, or neither';
  for (const [key, text] of [
    ['ssl_certificate', nginx.sslCertificate],
    ['ssl_key', nginx.sslKey],
  ] as const) {
    if (!isPem(text)) return `${key}: expected PEM text and nothing else`;
  }
  return null;
}
