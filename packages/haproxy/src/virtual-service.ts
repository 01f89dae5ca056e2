import { isIP } from 'node:net';
import {
  addressText,
  type Backend,
  backendFault,
  byPlace,
  compareText,
  type EndpointUrl,
  groupByUrl,
  type HaproxyConfig,
  type HaproxyService,
  HOST_NAME,
  hostCertificates,
  isPem,
  isPort,
  isWhole,
  type KeyPair,
  plainPem,
  serverKey,
  shortHash,
  URL_PATH,
  urlText,
} from '@reactor/core';

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
  /** What is not as an endpoint would have it: its certificate. It is served all the same. */
  readonly remarks: readonly string[];
}

const HAPROXY_WEIGHT_LIMIT = 256;
const TIMEOUT_LIMIT_MS = 86_400_000;

const CHECK_URL = /^\/[A-Za-z0-9._~!&()*+,:=@/?-]{0,1023}$/;
const TARGET = /^(?:https?:\/\/([A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?)?(?:\/(?!\/)[A-Za-z0-9._~!&()*+,:=@/?-]{0,1023})?$/;
const BALANCES: readonly string[] = ['roundrobin', 'leastconn', 'uri', 'source'];

/** Pure; the same services in any order give the same grouping. Backends' hosts must be addresses already. */
export function groupServices(services: readonly HaproxyService[]): Grouping {
  const { groups, setAside } = groupByUrl(services, faultOf);
  const members = [...groups.values()];
  const givers = members.flat().map(({ endpoint, url, haproxy }) => ({ endpoint, url, settings: haproxy }));
  const { pairs, remarks } = hostCertificates(givers);
  const virtual = members.map((each) => merge(each, pairs.get(serverKey(each[0]!.url)) ?? null));
  return { virtual: virtual.sort(byPlace), setAside, remarks };
}

/** The server of a backend at an address; another address is another server, so that what runs can be compared by name. */
export function serverName({ id, host, port }: Backend): string {
  return `s${shortHash(`${id} ${addressText(host, port)}`)}`;
}

function merge(members: readonly HaproxyService[], pair: KeyPair | null): VirtualService {
  const first = members[0]!;
  const byAddress = new Map<string, Backend>();
  for (const backend of members.flatMap((member) => member.backends)) {
    const address = addressText(backend.host, backend.port);
    if (backend.weight > 0 && !byAddress.has(address)) byAddress.set(address, backend);
  }
  return {
    token: `r${shortHash(urlText(first.url))}`,
    url: first.url,
    endpoints: members.map((member) => member.endpoint),
    servers: serversOf([...byAddress.values()]),
    redirect: members.map(({ redirect }) => redirect).find((redirect) => redirect !== null) ?? null,
    settings: first.haproxy,
    pem: pair === null ? null : plainPem(pair.certificate) + plainPem(pair.key),
  };
}

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
    .sort((a, b) => compareText(a.name, b.name));
}

/** Why a service cannot be written, or null. Values are not repeated: this text is shown to whoever may read the endpoint. */
function faultOf(service: HaproxyService): string | null {
  const { url, haproxy, backends, redirect } = service;
  if (!['http', 'https', 'tcp'].includes(url.scheme)) return 'url: haproxy serves http://, https:// and tcp://';
  if (url.scheme === 'tcp' && (url.host !== null || url.path !== '/')) return 'url: tcp:// has a port and nothing else';
  if (url.host !== null && !HOST_NAME.test(url.host) && isIP(url.host.replace(/^\[(.*)\]$/, '$1')) === 0) {
    return 'url: the host is not a host name or an address';
  }
  if (url.host?.includes('%')) return 'url: the host is not a host name or an address';
  if (!isPort(url.port)) return 'url: the port is not 1 to 65535';
  if (!URL_PATH.test(url.path)) return 'url: the path has a character that haproxy could misread';
  if (redirect !== null && !isTarget(redirect, false)) return 'redirect: expected an http or https URL, without # and %';
  const fault = backends.map((backend) => backendFault(backend, (host) => isIP(host) !== 0)).find((each) => each !== null);
  return settingsFaultOf(haproxy) ?? fault ?? tlsFaultOf(service);
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

function tlsFaultOf({ url, haproxy }: HaproxyService): string | null {
  if (url.scheme !== 'https') return haproxy.ssl ? 'ssl: needs a url that starts with https://' : null;
  if (!haproxy.ssl) return 'url: https needs ssl = true in [loadbalancer:haproxy]';
  const { sslCertificate, sslKey } = haproxy;
  if (sslCertificate === null || sslKey === null) return 'ssl: needs ssl_certificate and ssl_key';
  if (!isPem(sslCertificate)) return 'ssl_certificate: expected PEM text and nothing else';
  return isPem(sslKey) ? null : 'ssl_key: expected PEM text and nothing else';
}

function isTarget(text: string, orPath: boolean): boolean {
  const match = TARGET.exec(text);
  if (match === null || text === '') return false;
  return match[1] === undefined ? orPath : HOST_NAME.test(match[1].toLowerCase());
}
