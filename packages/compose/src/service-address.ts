import { SCHEMA } from '@reactor/config';
import type { Draft } from './draft.js';
import { below, isList, isMap, scalar, words } from './value.js';
import type { Yaml, YamlMap } from './yaml-text.js';

/**
 * Which port of a service is served, how, and where. In Compose every service answers at its name and its own port; here
 * the load balancer of the host does, so each service that has a port gets a URL: what it publishes, or its name and its
 * port for the other services alone.
 */
export interface ServicePort {
  /** In the container. */
  readonly target: number;
  /** On the hosts; null for what only the other services use. */
  readonly published: number | null;
  readonly protocol: 'http' | 'tcp';
}

/** What speaks no HTTP, by the port it is known for. */
const TCP_PORTS: ReadonlySet<number> = new Set([
  22, 25, 389, 465, 587, 993, 1433, 1521, 1883, 2181, 3306, 4222, 5432, 5433, 5672, 6379, 6380, 8883, 9042, 9092, 11211, 26257,
  27017,
]);

/** Images of which every Compose file knows the port without saying so. */
const IMAGE_PORTS: Readonly<Record<string, number>> = {
  caddy: 80,
  elasticsearch: 9200,
  httpd: 80,
  mariadb: 3306,
  memcached: 11211,
  mongo: 27017,
  mysql: 3306,
  nats: 4222,
  nginx: 80,
  postgis: 5432,
  postgres: 5432,
  rabbitmq: 5672,
  redis: 6379,
  traefik: 80,
  valkey: 6379,
  wordpress: 80,
};

const balancers = SCHEMA.find(({ section, key }) => section === 'endpoint' && key === 'loadbalancer')?.type.words ?? [];
/** Whether this version has a load balancer for what is not HTTP. */
export const SERVES_TCP = balancers.includes('tcp');

/** The one port of the service that is served; null when it has none. */
export function portOf(service: YamlMap, draft: Draft): ServicePort | null {
  const [first, ...others] = [...published(service.get('ports'), draft), ...exposed(service.get('expose'), draft)];
  for (const other of others) {
    if (other.target === first?.target && other.published === null) continue;
    const port = other.published === null ? `${other.target}` : `${other.published}:${other.target}`;
    draft.note('ports', `${port} is left out: an endpoint serves one port; make the service a second time for another one`);
  }
  if (first !== undefined) return first;
  const target = IMAGE_PORTS[imageName(service.get('image'))];
  if (target === undefined) {
    draft.note('ports', 'none is given, so nothing is served: with expose the other services reach it');
    return null;
  }
  draft.note('ports', `none is given; ${target}, which the image is known for, is served to the other services`);
  return { target, published: null, protocol: protocolOf(target, null) };
}

/** `registry:5000/library/postgres:16` is `postgres`. */
function imageName(value: Yaml | undefined): string {
  const [last = ''] = (scalar(value) ?? '').split('/').slice(-1);
  return last.split(/[:@]/, 1)[0] ?? '';
}

const protocolOf = (target: number, stated: string | null): 'http' | 'tcp' => {
  if (stated !== null) return /^(https?|http2|h2c|grpc)$/.test(stated) ? 'http' : 'tcp';
  return TCP_PORTS.has(target) ? 'tcp' : 'http';
};

function published(value: Yaml | undefined, draft: Draft): readonly ServicePort[] {
  if (value === undefined || value === null) return [];
  if (!isList(value)) {
    draft.mistake('ports', 'expected a list');
    return [];
  }
  return value.flatMap((entry) => {
    const port = isMap(entry) ? longForm(entry, draft) : shortForm(scalar(entry) ?? '', draft);
    return port === null ? [] : [port];
  });
}

function longForm(entry: YamlMap, draft: Draft): ServicePort | null {
  const text = (key: string): string | null => scalar(below(entry, key));
  for (const key of entry.keys()) {
    if (key === 'mode') draft.note('ports', 'mode: every host serves every endpoint');
    else if (key === 'host_ip') draft.note('ports', 'host_ip: the load balancer listens on all addresses');
  }
  return port(text('target') ?? '', text('published'), text('protocol') ?? 'tcp', text('app_protocol'), draft);
}

/** `[[IP:]PUBLISHED:]TARGET[/PROTOCOL]`. */
function shortForm(text: string, draft: Draft): ServicePort | null {
  const [, address, host, target = '', protocol = 'tcp'] =
    /^(?:(\[[^\]]*\]|[0-9.]+|):)??(?:([0-9-]*):)?([^:/]*)(?:\/(\w+))?$/.exec(text) ?? [];
  if (address) draft.note('ports', `${address}: the load balancer listens on all addresses, not on this one alone`);
  return port(target, host === undefined || host === '' ? null : host, protocol, null, draft);
}

function port(target: string, host: string | null, protocol: string, app: string | null, draft: Draft): ServicePort | null {
  const shown = host === null ? target : `${host}:${target}`;
  if (protocol !== 'tcp') {
    draft.note('ports', `${shown}/${protocol} is left out: only TCP is served`);
    return null;
  }
  if (/^\d+-\d+$/.test(target)) {
    draft.note('ports', `${shown} is left out but for its first port: an endpoint serves one`);
    return port(target.split('-')[0]!, host?.split('-')[0] ?? null, protocol, app, draft);
  }
  const valid = (text: string): boolean => /^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65_535;
  if (!valid(target) || (host !== null && !valid(host))) {
    draft.mistake('ports', `'${shown.slice(0, 80)}': expected [[ADDRESS:]PUBLISHED:]PORT, with ports of 1-65535`);
    return null;
  }
  const number = Number(target);
  return { target: number, published: host === null ? null : Number(host), protocol: protocolOf(number, app) };
}

function exposed(value: Yaml | undefined, draft: Draft): readonly ServicePort[] {
  if (value === undefined || value === null) return [];
  const all = words(value);
  if (all === null) draft.mistake('expose', 'expected a list of ports');
  return (all ?? []).flatMap((text) => {
    const [target = '', protocol = 'tcp'] = text.split('/');
    const one = port(target, null, protocol, null, draft);
    return one === null ? [] : [one];
  });
}

/** Gives every service with a port its URL; `taken` are the ports that are spoken for, by what speaks there. */
export function serve(service: string, port: ServicePort, taken: Map<number, 'http' | 'tcp'>, draft: Draft): void {
  draft.set('endpoint', 'port', String(port.target));
  if (port.protocol === 'tcp' && !SERVES_TCP) {
    draft.note(
      'ports',
      `${port.target} speaks no HTTP, which no load balancer of this version serves: nothing reaches it by name`,
    );
    return;
  }
  const wanted = port.published ?? port.target;
  const at = port.published ?? freePort(wanted, port.protocol, taken);
  if (at !== wanted) draft.note('ports', `${wanted} is taken by another service, so the others reach it at ${at}`);
  taken.set(at, port.protocol);
  const host = port.published === null ? service.toLowerCase() : '';
  draft.set('endpoint', 'loadbalancer', port.protocol === 'tcp' ? 'tcp' : 'nginx');
  draft.set('endpoint', 'url', port.protocol === 'tcp' ? `tcp://${at}` : `http://${host}${at === 80 ? '' : `:${at}`}`);
  if (port.protocol === 'tcp') draft.set('loadbalancer:tcp', 'exclusive', 'false');
  if (port.published === null) {
    draft.note('ports', `whoever reaches a host can reach it at port ${at}, too: keep the hosts behind a firewall`);
  } else if (port.published !== port.target) {
    draft.note('ports', `the other services reach it at ${service}:${at}, not at ${service}:${port.target}`);
  }
}

/** Names tell services of HTTP on one port apart; what is only TCP needs a port of its own. */
function freePort(wanted: number, protocol: 'http' | 'tcp', taken: ReadonlyMap<number, 'http' | 'tcp'>): number {
  const free = (at: number): boolean => !taken.has(at) || (protocol === 'http' && taken.get(at) === 'http');
  for (let at = wanted; at <= 65_535; at++) if (free(at)) return at;
  return wanted;
}
