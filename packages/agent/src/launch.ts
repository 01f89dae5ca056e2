import {
  type Container,
  type ContainerEngine,
  hashToken,
  type InstanceRecord,
  type LinkedAddresses,
  ReactorError,
  TOKEN_VARIABLE,
} from '@reactor/core';
import type { PortPool } from './port-pool.js';

/** Brings one instance's container up: image, port, create, start. */
export interface LaunchOptions {
  readonly engine: ContainerEngine;
  readonly ports: PortPool;
  /** Ports that containers on this host hold or are about to. */
  readonly portsInUse: () => ReadonlySet<number>;
  /** This host's address, where containers are published. */
  readonly address: string;
  /** What a container reaches the API at. */
  readonly apiUrl: string;
  /** What the container is told of other endpoints. Throws when one of them is not there. */
  readonly linked: (record: InstanceRecord) => Promise<LinkedAddresses>;
  /** A secret that nobody can guess. */
  readonly newToken: () => string;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
  /** The image is here; what follows is short. */
  readonly starting: () => Promise<() => void>;
}

/** A foreign program may sit on a port of our range; it will not sit on five in a row. */
const PORT_TRIES = 5;

/** Throws `image_unavailable`, `docker_*`, `port_taken`. Repeating it after an ambiguous failure never makes a second container. */
export async function launch(record: InstanceRecord, options: LaunchOptions): Promise<Container> {
  const { engine } = options;
  await engine.prepare(record.container.image, options.progress, options.signal);
  const release = await options.starting();
  const token = options.newToken();
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await engine.start({
          name: containerName(record),
          instance: record.id,
          endpoint: record.endpoint,
          slots: record.slots,
          hash: record.hash,
          tokenHash: hashToken(token),
          container: record.container,
          environment: [
            ['REACTOR_API', options.apiUrl],
            ['REACTOR_ENDPOINT', record.endpoint],
            ['REACTOR_INSTANCE', record.id],
            [TOKEN_VARIABLE, token],
            ['_REACTOR_SCHEDULER_SLOTS', String(record.slots)],
          ],
          linked: await options.linked(record),
          publish: publication(record, options),
        });
      } catch (error) {
        const again =
          error instanceof ReactorError && error.code === 'port_taken' && record.hostPort === null && attempt < PORT_TRIES;
        if (!again) throw error;
      }
    }
  } finally {
    release();
  }
}

/** Deterministic: whoever starts this instance, and however often, means this one container. */
export function containerName(record: Pick<InstanceRecord, 'id' | 'endpoint'>): string {
  return `reactor-${record.endpoint}-${record.id}`;
}

function publication(
  record: InstanceRecord,
  { ports, portsInUse, address }: LaunchOptions,
): { containerPort: number; hostAddress: string; hostPort: number } | null {
  const { network } = record.container;
  // Without a network of its own, or on another container's, there is nothing to publish.
  if (record.port === 0 || network === 'none' || network?.startsWith('container:')) return null;
  const hostPort = record.hostPort ?? ports.take(portsInUse());
  if (hostPort === null) throw new ReactorError('port_taken', 'every port of [cloud:docker] port_range is in use on this host');
  return { containerPort: record.port, hostAddress: address, hostPort };
}
