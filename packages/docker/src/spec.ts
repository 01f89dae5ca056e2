/**
 * What is asked of Docker for one container: `ContainerSpec` in, the body of `POST /containers/create` out. Pure.
 *
 * Not set on purpose: `Init` (needs docker-init on the host, which minimal installs lack) and `MemorySwap` (the engine's
 * own default is what `docker run --memory` gives).
 */
import { posix } from 'node:path';
import type { ContainerSpec } from '@reactor/core';
import { ReactorError } from '@reactor/core';
import { LABELS } from './labels.js';

/**
 * Docker's default capabilities less four. Kept are those with which stock images of web servers bind port 80, take over
 * their directories and step down to another user; dropping all would break most of them. Gone are NET_RAW (forging packets
 * to the neighbours on the bridge), MKNOD (making devices), AUDIT_WRITE (writing to the host's audit log) and SETFCAP (a
 * build's business). A list of what is allowed, so that another engine's defaults change nothing.
 */
export const CAPABILITIES: readonly string[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
];

/** At most 30 MB of output per container: Docker's own default is without limit and fills the host's disk. */
export const LOG_CONFIG = { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } } as const;

/** Whoever can write to one of these owns the host. */
const ENGINE_SOCKETS: readonly string[] = [
  '/var/run/docker.sock',
  '/run/docker.sock',
  '/run/containerd/containerd.sock',
  '/var/run/containerd/containerd.sock',
];

/** `socket` is the engine's own, wherever it is. Fails with `config_invalid`. */
export function createBody(spec: ContainerSpec, cluster: string, socket: string): object {
  const { container, publish } = spec;
  refuseSockets(container.volumes, socket);
  refuseNetworkConflicts(spec);
  const portKey = publish === null ? null : `${publish.containerPort}/tcp`;
  const onBridge = portKey !== null && publish !== null && container.network !== 'host';
  return {
    Image: container.image,
    ...((container.entrypoint ?? null) === null ? {} : { Entrypoint: container.entrypoint }),
    ...(container.command === null ? {} : { Cmd: container.command }),
    ...(container.user === null ? {} : { User: container.user }),
    ...(container.hostname === null ? {} : { Hostname: container.hostname }),
    Env: environment(spec),
    Labels: labels(spec, cluster),
    Tty: false,
    OpenStdin: false,
    ...(portKey === null ? {} : { ExposedPorts: { [portKey]: {} } }),
    HostConfig: {
      // Restarting is the controller's: an engine that restarts by itself would bring back what was retired.
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
      Privileged: false,
      SecurityOpt: ['no-new-privileges'],
      CapDrop: ['ALL'],
      CapAdd: CAPABILITIES,
      ...(container.pidsLimit > 0 ? { PidsLimit: container.pidsLimit } : {}),
      LogConfig: LOG_CONFIG,
      Memory: container.memLimitBytes,
      MemoryReservation: container.memReservationBytes,
      NanoCpus: Math.round(container.cpus * 1e9),
      Dns: container.dns,
      ...(spec.linked.hostNames.length > 0 ? { ExtraHosts: spec.linked.hostNames.map((name) => `${name}:host-gateway`) } : {}),
      Binds: container.volumes,
      VolumesFrom: container.volumesFrom,
      NetworkMode: container.network ?? 'default',
      PublishAllPorts: false,
      // Only on the host's own address: Docker opens what it publishes in front of the host's firewall.
      PortBindings: onBridge ? { [portKey]: [{ HostIp: publish.hostAddress, HostPort: String(publish.hostPort) }] } : {},
    },
  };
}

/** Docker hands doubled names on as they are and programs then take the first, so the last one is kept here. */
function environment(spec: ContainerSpec): readonly string[] {
  const byName = new Map([...spec.linked.environment, ...spec.container.environment, ...spec.environment]);
  return [...byName].map(([name, value]) => `${name}=${value}`);
}

function labels(spec: ContainerSpec, cluster: string): Readonly<Record<string, string>> {
  const { publish } = spec;
  return {
    [LABELS.cluster]: cluster,
    [LABELS.endpoint]: spec.endpoint,
    [LABELS.instance]: spec.instance,
    [LABELS.slots]: String(spec.slots),
    [LABELS.hash]: spec.hash,
    [LABELS.token]: spec.tokenHash,
    ...(publish !== null && spec.container.network === 'host'
      ? { [LABELS.address]: `${publish.hostAddress}:${publish.containerPort}` }
      : {}),
  };
}

function refuseSockets(volumes: readonly string[], socket: string): void {
  for (const volume of volumes) {
    const source = volume.split(':')[0] ?? '';
    if (!source.startsWith('/')) continue;
    const path = posix.join(posix.normalize(source), '/');
    const reached = [socket, ...ENGINE_SOCKETS].find((candidate) => `${candidate}/`.startsWith(path));
    if (reached !== undefined) {
      throw new ReactorError('config_invalid', `volumes: '${volume}' gives the container ${reached}, and with it the whole host`);
    }
  }
}

function refuseNetworkConflicts({ container, publish }: ContainerSpec): void {
  const network = container.network ?? '';
  const shared = network === 'host' || network.startsWith('container:');
  if (shared && container.hostname !== null) {
    throw new ReactorError('config_invalid', `hostname: cannot be set with network=${network}, which shares the other's name`);
  }
  if (publish !== null && (network === 'none' || network.startsWith('container:'))) {
    throw new ReactorError('config_invalid', `port: nothing can be published with network=${network}; set port=0`);
  }
}
