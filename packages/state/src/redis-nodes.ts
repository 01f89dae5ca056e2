import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectSecurely } from 'node:tls';
import { AbstractConnector } from 'ioredis';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Where the nodes of a Redis cluster are. All keys of a state share one slot, so one node is all it ever needs: the master that
 * holds that slot, which any other node names when it is asked for a key of it. ioredis's own `Cluster` keeps connections to all
 * nodes, and sends what names no key (WAIT, INFO) to any of them and refused calls again by rules of its own.
 */
export class RedisNodes {
  #told: readonly RedisAddress[] = [];
  #tried = 0;
  #current: RedisAddress | null = null;

  /** @param named in the state URL; they may be gone by the time they are needed. */
  constructor(private readonly named: readonly RedisAddress[]) {}

  /** Whom to connect to. */
  current(): RedisAddress {
    this.#current ??= this.#next();
    return this.#current;
  }

  /** A connection to that node ended: then another one is tried, unless that is so already. */
  left(node: RedisAddress): void {
    if (this.#current !== null && textOf(this.#current) === textOf(node)) this.#current = null;
  }

  /** @param refusal `MOVED SLOT HOST:PORT`; without a host it is the one of the node that says so. */
  moved(refusal: string): void {
    const [, host, port] = /\bMOVED \d+ (\S*):(\d+)/.exec(refusal) ?? [];
    const named = host === '' ? this.#current?.host : host;
    this.#current = named === undefined ? null : { host: named, port: Number(port) };
  }

  /** @param nodes the answer to CLUSTER NODES. */
  learn(nodes: string): void {
    const told = parseNodes(nodes).flatMap(({ address }) => address ?? []);
    // One that knows nobody else was put out of the cluster.
    if (told.length > 1) this.#told = told;
  }

  #next(): RedisAddress {
    const all = [...new Map([...this.named, ...this.#told].map((node) => [textOf(node), node])).values()];
    const next = all[this.#tried % all.length];
    if (next === undefined) throw new RangeError('a cluster has nodes');
    this.#tried += 1;
    return next;
  }
}

/** Whether the cluster has replicas of the node that answered CLUSTER NODES so, in reach or not. */
export function hasReplicas(nodes: string): boolean {
  const known = parseNodes(nodes);
  const own = known.find(({ flags }) => flags.includes('myself'));
  return known.some(({ master }) => own !== undefined && master === own.id);
}

/** What ioredis connects by: each time to the current node. */
export function connectorTo(
  nodes: RedisNodes,
  farewellMs: number,
  tls: ConnectionOptions | undefined,
): new () => AbstractConnector {
  return class extends AbstractConnector {
    constructor() {
      super(farewellMs);
    }

    override async connect(): Promise<Socket> {
      const node = nodes.current();
      this.connecting = true;
      const stream = tls === undefined ? connect(node) : connectSecurely({ ...node, ...tls });
      stream.once('error', (error) => {
        this.firstError = error;
      });
      stream.once('close', () => nodes.left(node));
      this.stream = stream;
      return stream;
    }
  };
}

interface Node {
  readonly id: string;
  /** Null: the cluster does not know it. */
  readonly address: RedisAddress | null;
  readonly flags: readonly string[];
  /** Id of the master of a replica, '-' of a master. */
  readonly master: string;
}

/** A line for each: id, `HOST:PORT@BUS[,NAME]`, flags, master, ... */
function parseNodes(text: string): readonly Node[] {
  return text.split('\n').flatMap((line) => {
    const [id = '', place = '', flags = '', master = ''] = line.trim().split(' ');
    if (id === '') return [];
    const [, address, port, name] = /^(.*):(\d+)@\d+(?:,([^,]*))?/.exec(place) ?? [];
    // A name is announced because certificates are made for it.
    const host = name || address;
    const isKnown = host !== undefined && host !== '' && Number(port) > 0;
    return [{ id, address: isKnown ? { host, port: Number(port) } : null, flags: flags.split(','), master }];
  });
}

function textOf({ host, port }: RedisAddress): string {
  return `${host}:${port}`;
}
