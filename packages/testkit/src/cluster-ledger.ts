import { DECOY_CLUSTER, startDecoy } from './decoy.js';
import type { ListedContainer } from './engine-listing.js';
import type { Host } from './host.js';
import type { Hosts } from './hosts.js';
import { createStateJournal } from './state-journal.js';

/**
 * The auditor of a cluster under faults: looks at every engine itself, several times a second, and at every change of the
 * state, and keeps a line for each thing that must never happen, whatever was broken:
 *
 * 1. more containers of an endpoint run than max_instances and the allowed surge;
 * 2. the containers on a host take more slots than the host has;
 * 3. a container is stopped or gone though no record said to remove its instance;
 * 4. a container that is not ours, but looks like it, was touched;
 * 5. a controller wrote at a revision at which another one, or none, led.
 */
export interface Ledger {
  /** Begins to judge by these allowances; the former ones hold no more. */
  allow(allowance: Allowance): void;
  /** Containers of this host ended with its power. */
  excuse(host: Host): Promise<void>;
  /** One line per violation seen since the last call; empty is what is wanted. Reads the state on first. */
  violations(): Promise<readonly string[]>;
  /** Those of the answers' names (X-Instance) that no container of the endpoint ever had: requests that went astray. */
  strangers(endpoint: string, names: Iterable<string>): readonly string[];
  /** Most containers of the endpoint that ever ran at once since `allow`. */
  peak(endpoint: string): number;
  /** How often all engines answered. */
  looks(): number;
  close(): Promise<void>;
}

export interface Allowance {
  /** Containers above max_instances: draining ones, and those that others replace while their host is away. */
  readonly surge?: number;
  /** Hosts that may run more than they advertise, because they advertise less than they did. */
  readonly overfull?: readonly string[];
}

interface Known {
  readonly host: string;
  readonly instance: string;
  readonly endpoint: string;
  ran: boolean;
  ended: string | null;
}

const EVERY_MS = 250;
const MOST_LINES = 100;
/** Docker names a container's host name after the beginning of its id. */
const NAME_LENGTH = 12;

/** Puts a decoy on every host and begins to look. `endpoint` is whose containers the decoys imitate. */
export async function openLedger(cluster: Hosts, endpoint: string): Promise<Ledger> {
  const decoys = new Map(
    await Promise.all(cluster.hosts.map(async (host) => [host.name, await startDecoy(host, cluster.image, endpoint)] as const)),
  );
  const journal = createStateJournal(cluster.redis);
  const lines = new Set<string>();
  const known = new Map<string, Known>();
  const peaks = new Map<string, number>();
  const ceilings = new Map<string, number>();
  let allowance: Allowance = {};
  let looks = 0;

  const note = (line: string): void => {
    if (lines.size < MOST_LINES) lines.add(line);
  };
  const follow = (host: Host, listing: readonly ListedContainer[]): void => {
    const listed = new Map(listing.map((container) => [container.id, container]));
    if (!listed.has(decoys.get(host.name) ?? '')) note(`the decoy on ${host.name} is gone`);
    for (const { id, state, labels } of listing) {
      if (labels['reactor.cluster'] === DECOY_CLUSTER || labels['reactor.cluster'] === undefined) continue;
      const container = known.get(id) ?? {
        host: host.name,
        instance: labels['reactor.instance'] ?? '',
        endpoint: labels['reactor.endpoint'] ?? '',
        ran: false,
        ended: null,
      };
      known.set(id, container);
      if (state === 'running') container.ran = true;
      else if (container.ran) container.ended ??= `was found ${state}`;
    }
    for (const [id, container] of known) if (container.host === host.name && !listed.has(id)) container.ended ??= 'is gone';
  };
  const count = (listings: readonly (readonly ListedContainer[])[]): void => {
    const running = listings
      .flat()
      .filter(({ state, labels }) => state === 'running' && labels['reactor.cluster'] !== DECOY_CLUSTER)
      .map(({ labels }) => labels['reactor.endpoint'])
      .filter((name) => name !== undefined);
    for (const name of new Set(running)) {
      const total = running.filter((other) => other === name).length;
      peaks.set(name, Math.max(peaks.get(name) ?? 0, total));
      const ceiling = Math.max(ceilings.get(name) ?? 0, journal.most.get(name) ?? 0);
      ceilings.set(name, ceiling);
      if (ceiling > 0 && total > ceiling + (allowance.surge ?? 0))
        note(`${total} containers of ${name} ran at once, ${ceiling} + ${allowance.surge ?? 0} were allowed`);
    }
  };
  const weigh = (host: Host, listing: readonly ListedContainer[]): void => {
    const taken = listing
      .filter(({ state, labels }) => state === 'running' && labels['reactor.cluster'] !== DECOY_CLUSTER)
      .reduce((sum, { labels }) => sum + Number(labels['reactor.slots'] ?? 0), 0);
    if (taken > host.slots() && !allowance.overfull?.includes(host.name))
      note(`the containers on ${host.name} took ${taken} of its ${host.slots()} slots`);
  };
  const look = async (): Promise<void> => {
    const listings = await Promise.all(cluster.hosts.map((host) => host.listing().catch(() => null)));
    await journal.follow().catch(() => undefined);
    cluster.hosts.forEach((host, index) => {
      const listing = listings[index];
      if (!listing) return;
      follow(host, listing);
      weigh(host, listing);
    });
    count(listings.map((listing) => listing ?? []));
    if (listings.every((listing) => listing !== null)) looks += 1;
  };
  const watch = lookEvery(look);

  const violations = async (): Promise<readonly string[]> => {
    await watch.now();
    await journal.follow();
    const ended = [...known.values()]
      .filter((container) => container.ended !== null && !journal.condemned.has(container.instance))
      .map(({ instance, host, ended: how }) => `the container of ${instance} on ${host} ${how}, but no record said to remove it`);
    const stopped = await Promise.all(
      cluster.hosts.map(async (host) => {
        const decoy = (await host.listing()).find(({ id }) => id === decoys.get(host.name));
        return decoy?.state === 'running' ? [] : [`the decoy on ${host.name} is ${decoy?.state ?? 'gone'}`];
      }),
    );
    const found = [...lines, ...journal.usurpations.splice(0), ...ended, ...stopped.flat()];
    // Told once: a test is not to fail by what the one before it did.
    lines.clear();
    for (const [id, container] of known) if (container.ended !== null) known.delete(id);
    return found;
  };
  return {
    allow: (next) => {
      allowance = next;
      peaks.clear();
      ceilings.clear();
    },
    excuse: async (host) => {
      await watch.now();
      for (const [id, container] of known) if (container.host === host.name) known.delete(id);
    },
    violations,
    strangers: (name, names) => {
      const own = new Set(
        [...known].filter(([, container]) => container.endpoint === name).map(([id]) => id.slice(0, NAME_LENGTH)),
      );
      return [...names].filter((other) => !own.has(other)).sort();
    },
    peak: (name) => peaks.get(name) ?? 0,
    looks: () => looks,
    close: watch.stop,
  };
}

/** One look at a time, `EVERY_MS` after the former; `now` resolves after one that began later than the call. */
function lookEvery(look: () => Promise<void>): { now(): Promise<void>; stop(): Promise<void> } {
  let stopped = false;
  let done = 0;
  const loop = (async () => {
    while (!stopped) {
      await look();
      done += 1;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  })();
  return {
    now: async () => {
      const wanted = done + 2;
      while (done < wanted && !stopped) await new Promise((resolve) => setTimeout(resolve, EVERY_MS / 2));
    },
    stop: async () => {
      stopped = true;
      await loop;
    },
  };
}
