import type { EndpointRecord, InstanceRecord, LeaderRecord } from '@reactor/core';
import type { SharedRedis } from './shared-redis.js';

/**
 * Every change of the cluster state, read from the history that Redis keeps, in the order of revisions: who led at each
 * of them, and which instances a record has condemned. Changes are never missed, whatever happened between two looks.
 */
export interface StateJournal {
  /** Reads on. Fails while Redis cannot be asked; nothing is lost by that. */
  follow(): Promise<void>;
  /** Instances that some record has said to remove. */
  readonly condemned: ReadonlySet<string>;
  /** The newest max_instances of each endpoint; what is missing has the default. */
  readonly most: ReadonlyMap<string, number>;
  /** Writes of a controller that did not lead at that revision, and epochs that were given twice; a line each. */
  readonly usurpations: string[];
}

const PREFIX = '{reactor:default}';
const AT_ONCE = 1_000;

interface Change {
  readonly revision: number;
  readonly key: string;
  /** Null when deleted. */
  readonly value: unknown;
}

export function createStateJournal(redis: SharedRedis): StateJournal {
  const condemned = new Set<string>();
  const most = new Map<string, number>();
  const usurpations: string[] = [];
  let history = '';
  let last = 0;
  let leader: LeaderRecord | null = null;
  let epoch = 0;

  /** Emptied or an older copy: another history, in which revisions and epochs begin elsewhere. */
  const begin = (id: string): void => {
    history = id;
    last = 0;
    leader = null;
    epoch = 0;
  };
  const lead = (revision: number, value: LeaderRecord | null): void => {
    if (value !== null && value.epoch <= epoch)
      usurpations.push(`revision ${revision}: ${value.host} leads in epoch ${value.epoch}, which is not above ${epoch}`);
    epoch = Math.max(epoch, value?.epoch ?? 0);
    leader = value;
  };
  const take = ({ revision, key, value }: Change): void => {
    if (key === 'controller/leader') lead(revision, value as LeaderRecord | null);
    if (value === null) return;
    if (key.startsWith('endpoints/')) {
      const { name, document } = value as EndpointRecord;
      const count = Number(document['scaling']?.['max_instances'] ?? Number.NaN);
      if (Number.isFinite(count)) most.set(name, count);
    }
    if (!key.startsWith('instances/')) return;
    const record = value as InstanceRecord;
    if (record.phase === 'remove') condemned.add(record.id);
    if (record.epoch !== leader?.epoch)
      usurpations.push(`revision ${revision}: ${key} is written in epoch ${record.epoch}, but ${leader?.epoch ?? 'none'} leads`);
  };

  const follow = async (): Promise<void> => {
    const [id = '', revision = '0'] = (await redis.command('HMGET', `${PREFIX}:moment`, 'id', 'revision')).split('\n');
    if (id !== history || Number(revision) < last) begin(id);
    for (;;) {
      const text = await redis.command(
        'XRANGE',
        `${PREFIX}:changes`,
        last === 0 ? '-' : `(${last}-0`,
        '+',
        'COUNT',
        String(AT_ONCE),
      );
      const changes = parse(text);
      for (const change of changes) take(change);
      last = Math.max(last, changes.at(-1)?.revision ?? last);
      if (changes.length < AT_ONCE) return;
    }
  };
  return { follow, condemned, most, usurpations };
}

/** What redis-cli prints of a stream: an id, the field's name, then a line `KEY JSON` per change. A key holds no space and JSON no line break. */
function parse(text: string): readonly Change[] {
  const changes: Change[] = [];
  let revision = 0;
  for (const line of text.split('\n')) {
    const id = /^(\d+)-0$/.exec(line);
    if (id !== null) revision = Number(id[1]);
    const space = line.indexOf(' ');
    if (id !== null || space < 0) continue;
    const json = line.slice(space + 1);
    changes.push({ revision, key: line.slice(0, space), value: json === '' ? null : JSON.parse(json) });
  }
  return changes;
}
