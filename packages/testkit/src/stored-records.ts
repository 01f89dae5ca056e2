import type { Hosts } from './hosts.js';

/** The records of these keys as they are in Redis; fails when one is missing. */
export async function storedRecords({ redis }: Pick<Hosts, 'redis'>, keys: readonly string[]): Promise<readonly unknown[]> {
  return Promise.all(
    keys.map(async (key) => {
      // The revision, and the record.
      const text = await redis.command('HGET', '{reactor:default}:values', key);
      return JSON.parse(text.slice(text.indexOf(' ') + 1)) as unknown;
    }),
  );
}

/** The newest term of leadership. */
export async function newestEpoch(cluster: Pick<Hosts, 'redis'>): Promise<number> {
  const [record] = await storedRecords(cluster, ['controller/epoch']);
  return (record as { readonly epoch: number }).epoch;
}
