import type { Cluster, InstanceRecord } from '@reactor/core';
import { clusterOf } from './cluster-view.js';
import { configOf } from './daemon-process.js';
import type { InstanceWrite, Reader } from './reader.js';
import { isDead } from './term-oracles.js';
import type { World } from './world.js';

/**
 * What may be concluded from hosts that are silent. Its own books say since when each host's lease is gone; when the store
 * falls back, its records of the past are as good as any, and nothing is judged any more.
 */
export interface LossOracles {
  /** At the store, whenever somebody reads. */
  looked(): void;
  commanded(reader: Reader, name: string, writes: readonly InstanceWrite[], was: Cluster): void;
  storeFellBack(): void;
}

/** Losses so close together are one event, whoever looks. */
const TOGETHER_MS = 5_000;
/** Noted as far apart as this they are two, to a leader. */
const APART_MS = 60_000;
const SLACK_MS = 1_000;

export function createLossOracles(world: World): LossOracles {
  const goneSince = new Map<string, number>();
  let lookedAt = -1;
  let trusted = true;

  const looked = (): void => {
    if (world.weather.storeForeign || lookedAt === world.store.revision) return;
    const { entries, revision } = world.store.view('');
    lookedAt = revision;
    for (const { id } of world.machines) {
      if (entries.has(`hosts/${id}`)) goneSince.delete(id);
      else if (!goneSince.has(id)) goneSince.set(id, world.nowMs);
    }
  };

  const clocksApartMs = (): number => {
    const offsets = world.machines.flatMap(({ steps }) => {
      let sum = 0;
      return [0, ...steps.map(({ byMs }) => (sum += byMs))];
    });
    return Math.max(...offsets) - Math.min(...offsets);
  };

  const commanded: LossOracles['commanded'] = (reader, name, writes, was) => {
    if (!trusted || reader.view === null) return;
    const known = clusterOf(reader.view);
    const replaced = writes.flatMap(({ record, former }) => {
      const old = record?.replaces && former === null ? replacedAsLost(record, known) : null;
      return old === null ? [] : [old];
    });
    for (const old of replaced) notTooSoon(old, known);
    if (was.endpoints.get(name)?.value.state !== 'RUNNING' || known.endpoints.get(name)?.value.state !== 'RUNNING') return;
    const together = lostTogether(known);
    if (together === null) return;
    world.cover('something is commanded while most hosts are lost');
    const taken = writes.filter(
      ({ id, record, former }) =>
        record !== null &&
        former !== null &&
        record.phase !== former.phase &&
        record.phase !== 'run' &&
        !isDead(id, former.host, known) &&
        !isDead(id, former.host, was),
    );
    for (const { id } of [...replaced, ...taken])
      world.violate('most hosts are not lost at once', `${id} of ${name} is replaced or retired while ${together} are away`);
  };

  /** The instance that a new one takes the place of for no other reason than that its host is silent. */
  const replacedAsLost = ({ replaces, hash }: InstanceRecord, known: Cluster): InstanceRecord | null => {
    const old = known.instances.get(replaces!)?.value;
    if (old === undefined || known.hosts.has(old.host) || old.hash !== hash || isDead(old.id, old.host, known)) return null;
    const wish = known.hostConfigs.get(old.host)?.value;
    if (wish?.removed || wish?.draining) return null;
    return [...known.instances.values()].some(({ value }) => value.replaces === old.id) ? null : old;
  };

  const notTooSoon = (old: InstanceRecord, known: Cluster): void => {
    const endpoint = known.endpoints.get(old.endpoint)?.value;
    const config = endpoint === undefined ? null : configOf(endpoint);
    const goneMs = goneSince.get(old.host);
    if (config === null || goneMs === undefined) return;
    world.cover('a lost host is replaced');
    const lostMs = world.nowMs - goneMs;
    if (lostMs + SLACK_MS + clocksApartMs() < config.unknownTimeoutMs)
      world.violate(
        'what is lost is not dead before unknown_timeout',
        `${old.id} of ${old.endpoint} is replaced ${lostMs} ms after ${old.host} fell silent, unknown_timeout is ${config.unknownTimeoutMs} ms`,
      );
  };

  /** Most hosts, in words, when they fell silent at once and the leader had to see it so. */
  const lostTogether = (known: Cluster): string | null => {
    if (clocksApartMs() > 2 * TOGETHER_MS) return null;
    const used = new Set([...known.instances.values()].map(({ value }) => value.host));
    const away = world.machines.filter(
      ({ id }) => !known.hosts.has(id) && !known.hostConfigs.get(id)?.value.removed && (used.has(id) || known.balancers.has(id)),
    );
    const gone = away.flatMap(({ id }) => goneSince.get(id) ?? []);
    const noted = away.flatMap(({ id }) => known.losses.get(id)?.value.sinceMs ?? []);
    if (gone.length < away.length || gone.length * 2 <= known.hosts.size + away.length) return null;
    // One that is not noted yet is, to the leader, lost now.
    const moments = noted.length < away.length ? [...noted, world.wallMs] : noted;
    if (spread(gone) > TOGETHER_MS || spread(moments) > APART_MS - 2 * TOGETHER_MS) return null;
    return away.map(({ id }) => id).join(' and ');
  };

  return {
    looked,
    commanded,
    storeFellBack: () => {
      trusted = false;
    },
  };
}

const spread = (moments: readonly number[]): number => Math.max(...moments) - Math.min(...moments);
