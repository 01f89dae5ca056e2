import {
  type BalancerKind,
  type Clock,
  type ContainerEngine,
  describeError,
  type EpochMark,
  type HostRecord,
  KEYS,
  type Lease,
  ReactorError,
  type StateStore,
} from '@reactor/core';

/**
 * The host's entry in the cluster, under a lease: while the agent lives it is there, and a few seconds after it died it
 * is not. Written only when it changed, or when the state has another: a failover may have lost it, and what a former daemon
 * of this host wrote may arrive late and end with the lease of that one.
 */
export interface AdvertisementOptions {
  readonly store: StateStore;
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly host: string;
  readonly name: string;
  readonly address: string;
  /** Where other hosts' daemons reach this one's API; null when they do not. */
  readonly advertisedUrl: string | null;
  readonly slots: number;
  readonly overcommit: number;
  readonly labels: Readonly<Record<string, string>>;
  /** In place of the three above, where they can change while it runs; asked at every round. */
  readonly offer?: (() => HostOffer) | undefined;
  readonly version: string;
  /** Load balancers whose programs are here now. */
  readonly balancers?: (() => readonly BalancerKind[]) | undefined;
  /** The newest term of leadership this host has obeyed. */
  readonly epochSeen: () => EpochMark | null;
  /** What the state last had of this host, and when it was asked, by the monotonic clock; null before it was. */
  readonly stored: () => { readonly record: HostRecord | null; readonly askedAtMs: number } | null;
}

/** What this host gives to instances. */
export type HostOffer = Pick<HostRecord, 'slots' | 'overcommit' | 'labels'>;

export interface Advertisement {
  /** Keeps the lease, refreshes Docker's facts when they are due, writes what changed. */
  round(): Promise<void>;
  /** Leaves the cluster's list at once. */
  withdraw(): Promise<void>;
}

/** Three missed keeps and the host counts as lost. */
export const HOST_LEASE_MS = 15_000;
const KEEP_EVERY_MS = 4_000;
/** Images and foreign containers change rarely; asking Docker costs it a few milliseconds. */
const FACTS_EVERY_MS = 15_000;
/** A Docker in order answers in 50 ms; one that hangs is given up after 10 s or more, and the lease must not wait for that. */
const FACTS_PATIENCE_MS = 1_000;

export function createAdvertisement(options: AdvertisementOptions): Advertisement {
  const { store, clock } = options;
  const startedAtMs = clock.now();
  let lease: Lease | null = null;
  let keptAtMs = 0;
  let factsAtMs = Number.NEGATIVE_INFINITY;
  let record: HostRecord | null = null;
  let asking: Promise<void> | null = null;
  let written = '';
  let writtenAtMs = Number.NEGATIVE_INFINITY;

  const hold = async (): Promise<Lease> => {
    if (lease !== null && clock.monotonic() - keptAtMs < KEEP_EVERY_MS) return lease;
    if (lease !== null && (await lease.keep())) {
      keptAtMs = clock.monotonic();
      return lease;
    }
    // Its keys went with it.
    written = '';
    lease = await store.lease(HOST_LEASE_MS);
    keptAtMs = clock.monotonic();
    return lease;
  };

  const ask = async (): Promise<void> => {
    factsAtMs = clock.monotonic();
    record = await describe(options, startedAtMs, record);
    // While Docker is silent, ask again soon: nothing can be placed here until it answers.
    if (record.dockerError !== null) factsAtMs = clock.monotonic() - FACTS_EVERY_MS + 1_000;
  };
  const refresh = async (): Promise<HostRecord> => {
    if (asking === null && (record === null || clock.monotonic() - factsAtMs >= FACTS_EVERY_MS)) {
      asking = ask().finally(() => {
        asking = null;
      });
    }
    if (asking !== null) await (record === null ? asking : Promise.race([asking, clock.sleep(FACTS_PATIENCE_MS)]));
    return record!;
  };

  const round = async (): Promise<void> => {
    const current = await refresh();
    const held = await hold();
    const offer = options.offer?.() ?? options;
    const { slots, overcommit } = offer;
    const labels = { ...current.labels, ...offer.labels };
    const text = JSON.stringify({ ...current, slots, overcommit, labels, epochSeen: options.epochSeen() });
    const stored = options.stored();
    const isLost = stored !== null && stored.askedAtMs > writtenAtMs && JSON.stringify(stored.record) !== written;
    if (text === written && !isLost) return;
    const value = JSON.parse(text);
    const result = await store.commit({ expect: [], write: [{ key: KEYS.host(options.host), value, lease: held.id }] });
    // Its lease has just ended: the next round takes another.
    if (result.kind === 'conflict') return;
    written = text;
    writtenAtMs = clock.monotonic();
  };

  const withdraw = async (): Promise<void> => {
    await lease?.release();
    lease = null;
  };
  return { round, withdraw };
}

async function describe(options: AdvertisementOptions, startedAtMs: number, before: HostRecord | null): Promise<HostRecord> {
  const { host: id, name, address, advertisedUrl: apiUrl, slots, overcommit, version } = options;
  const balancers = options.balancers?.();
  const own = {
    ...{ id, name, address, apiUrl, slots, overcommit, version, startedAtMs, epochSeen: options.epochSeen() },
    ...(balancers === undefined ? {} : { balancers }),
  };
  try {
    const facts = await options.engine.facts();
    return {
      ...own,
      cpus: facts.cpus,
      memoryBytes: facts.memoryBytes,
      labels: facts.labels,
      images: facts.images,
      containers: facts.foreign,
      dockerVersion: facts.version,
      dockerError: null,
    };
  } catch (error) {
    if (!(error instanceof ReactorError)) throw error;
    const nothing = { cpus: 0, memoryBytes: 0, labels: {}, images: [], containers: [], dockerVersion: null };
    return { ...nothing, ...before, ...own, dockerError: describeError(error) };
  }
}
