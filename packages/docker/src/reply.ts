/**
 * What Docker says about one container, read: a row of the listing or an inspect in, `Container` out. Pure, and total:
 * whatever the reply lacks or garbles becomes null here and nothing throws.
 */
import type { Container } from '@reactor/core';
import { LABELS } from './labels.js';
import { at, decimal, fields, instantMs, items, port, text, whole } from './loose-json.js';

type Status = Container['status'];
type Address = NonNullable<Container['address']>;

/** Whose container it is; null when its labels do not make it this cluster's. */
export interface Ownership {
  readonly instance: string;
  readonly endpoint: string;
  readonly slots: number;
  readonly hash: string;
  readonly tokenHash: string | null;
}

export function ownership(labels: unknown, cluster: string): Ownership | null {
  const instance = text(at(labels, LABELS.instance));
  const endpoint = text(at(labels, LABELS.endpoint));
  const slots = decimal(at(labels, LABELS.slots));
  const hash = text(at(labels, LABELS.hash));
  if (at(labels, LABELS.cluster) !== cluster || instance === null || endpoint === null || slots === null || hash === null) {
    return null;
  }
  return { instance, endpoint, slots, hash, tokenHash: text(at(labels, LABELS.token)) };
}

/** One row of `GET /containers/json`. */
export interface Row {
  /** What the row alone can say: neither when it started nor how it ended. */
  readonly container: Container;
  /**
   * Same key, same start of the same container, so that what an inspect said still holds. The network's end point is made
   * anew at every start. Null where there is none (network=container:…): then only an inspect can tell.
   */
  readonly startKey: string | null;
}

/** Null for what is not this cluster's. */
export function readRow(row: unknown, cluster: string): Row | null {
  const own = ownership(at(row, 'Labels'), cluster);
  const id = text(at(row, 'Id'));
  if (own === null || id === null) return null;
  const status = readStatus(at(row, 'State'));
  const bindings = items(at(row, 'Ports')).map((entry) => ({
    protocol: at(entry, 'Type'),
    containerPort: port(at(entry, 'PrivatePort')),
    host: at(entry, 'IP'),
    hostPort: port(at(entry, 'PublicPort')),
  }));
  const address =
    text(at(row, 'HostConfig', 'NetworkMode')) === 'host' ? labelledAddress(at(row, 'Labels')) : publishedAddress(bindings);
  const endpoints = fields(at(row, 'NetworkSettings', 'Networks')).map(
    ([name, value]) => `${name}=${text(at(value, 'EndpointID'))}`,
  );
  const container: Container = {
    id,
    name: nameOf(items(at(row, 'Names'))[0], id),
    ...own,
    status,
    startedAtMs: null,
    exitCode: null,
    oomKilled: false,
    address: runs(status) ? address : null,
  };
  return {
    container,
    startKey: endpoints.length === 0 ? null : [status, ...endpoints.sort(), JSON.stringify(bindings)].join(' '),
  };
}

/** `GET /containers/ID/json`: all facts of one moment. Null for what is not this cluster's. */
export function readInspect(reply: unknown, cluster: string): Container | null {
  const own = ownership(at(reply, 'Config', 'Labels'), cluster);
  const id = text(at(reply, 'Id'));
  if (own === null || id === null) return null;
  const status = readStatus(at(reply, 'State', 'Status'));
  const bindings = fields(at(reply, 'NetworkSettings', 'Ports')).flatMap(([key, value]) => {
    const [containerPort, protocol] = key.split('/');
    return items(value).map((entry) => ({
      protocol,
      containerPort: port(containerPort),
      host: at(entry, 'HostIp'),
      hostPort: port(at(entry, 'HostPort')),
    }));
  });
  const address =
    text(at(reply, 'HostConfig', 'NetworkMode')) === 'host'
      ? labelledAddress(at(reply, 'Config', 'Labels'))
      : publishedAddress(bindings);
  const exitCode = whole(at(reply, 'State', 'ExitCode'));
  return {
    id,
    name: nameOf(at(reply, 'Name'), id),
    ...own,
    status,
    startedAtMs: instantMs(at(reply, 'State', 'StartedAt')),
    exitCode: finished(status) || (status === 'created' && exitCode !== 0) ? exitCode : null,
    oomKilled: at(reply, 'State', 'OOMKilled') === true,
    address: runs(status) ? address : null,
  };
}

/** The host ports of a row, for anybody's container. With network=host the exposed ports are the host's own. */
export function hostPorts(row: unknown): readonly number[] {
  const onHost = at(row, 'HostConfig', 'NetworkMode') === 'host';
  const ports = items(at(row, 'Ports'))
    .filter((entry) => at(entry, 'Type') === 'tcp')
    .map((entry) => port(at(entry, onHost ? 'PrivatePort' : 'PublicPort')))
    .filter((value) => value !== null);
  return [...new Set(ports)].sort((left, right) => left - right);
}

/** Docker writes names with a leading slash. */
export function nameOf(value: unknown, otherwise: string): string {
  return text(value)?.replace(/^\//, '') ?? otherwise;
}

/** The host port an inspect says the container asks for, running or not; null when it asks for none. */
export function wantedHostPort(reply: unknown): number | null {
  for (const [, value] of fields(at(reply, 'HostConfig', 'PortBindings'))) {
    for (const entry of items(value)) {
      const wanted = port(at(entry, 'HostPort'));
      if (wanted !== null) return wanted;
    }
  }
  return null;
}

const STATUSES: readonly Status[] = ['created', 'running', 'paused', 'restarting', 'exited', 'dead'];

/** `removing` is on its way out; a word this version does not know is taken for one nobody acts upon. */
function readStatus(value: unknown): Status {
  if (value === 'removing') return 'dead';
  return STATUSES.find((status) => status === value) ?? 'restarting';
}

const runs = (status: Status) => status === 'running' || status === 'paused';
const finished = (status: Status) => status === 'exited' || status === 'dead';

interface Binding {
  readonly protocol: unknown;
  readonly containerPort: number | null;
  readonly host: unknown;
  readonly hostPort: number | null;
}

/**
 * One port is published per container, on one address. Should a reply show more (an image's own, both families), the
 * first by family and container port is meant; an unspecified address (`0.0.0.0`) names no place to send requests to.
 */
function publishedAddress(bindings: readonly Binding[]): Address | null {
  const usable = bindings.flatMap(({ protocol, containerPort, host, hostPort }) => {
    const name = text(host);
    if (protocol !== 'tcp' || containerPort === null || hostPort === null || name === null || isUnspecified(name)) return [];
    return [{ containerPort, address: { host: name, port: hostPort } }];
  });
  usable.sort(
    (left, right) =>
      Number(left.address.host.includes(':')) - Number(right.address.host.includes(':')) ||
      left.containerPort - right.containerPort ||
      left.address.port - right.address.port,
  );
  return usable[0]?.address ?? null;
}

const isUnspecified = (host: string) => /^[0:.]+$/.test(host);

function labelledAddress(labels: unknown): Address | null {
  const label = text(at(labels, LABELS.address));
  const split = label?.lastIndexOf(':') ?? -1;
  if (label === null || split < 1) return null;
  const number = port(label.slice(split + 1));
  return number === null ? null : { host: label.slice(0, split), port: number };
}
