import { KEYS, type KillRecord, type LoadBalancer, readCluster, type Session, sessionsOfHosts, TOPICS } from '@reactor/core';
import { createFakeStore } from '@reactor/testkit';
import { createClientSessions } from '../src/client-sessions.js';

const SESSION: Session = { endpoint: 'desk', client: '10.0.0.7:5000', backend: '10.0.0.1:20001', instance: 'i0001', sinceMs: 0 };

/** A host with a load balancer that has these sessions. */
function aHostOf(sessions: readonly Session[]) {
  const clock = { nowMs: 1_000_000 };
  const store = createFakeStore({ now: () => clock.nowMs });
  const held = [...sessions];
  const told: string[] = [];
  const balancer = {
    sessions: {
      list: async () => [...held],
      kill: async (endpoint: string, client: string) => {
        const at = held.findIndex((session) => session.endpoint === endpoint && session.client === client);
        if (at >= 0) held.splice(at, 1);
        return at >= 0;
      },
    },
  } as Partial<LoadBalancer> as LoadBalancer;
  const under = createClientSessions({
    store,
    clock: { now: () => clock.nowMs, monotonic: () => clock.nowMs, sleep: async () => undefined },
    host: 'vm1',
    balancer,
    tell: (_endpoint, _level, event) => told.push(event),
  });
  return {
    ...{ clock, held, told, under },
    published: async () => sessionsOfHosts(await store.latest(TOPICS.sessions)).get('vm1'),
    async wish(change: Partial<KillRecord> = {}) {
      const wish: KillRecord = { id: 'k1', host: 'vm1', endpoint: 'desk', client: SESSION.client, atMs: clock.nowMs, ...change };
      await store.commit({ expect: [], write: [{ key: KEYS.kill(wish.host, wish.id), value: { ...wish } }] });
      return wish;
    },
    obey: async () => under.obey(readCluster(await store.read(''))),
    wishes: async () => [...readCluster(await store.read('')).kills.keys()],
  };
}

test('sessions are published about once a second, and that there are none any more is said once', async () => {
  const host = aHostOf([SESSION]);
  await host.under.publish();
  expect(await host.published()).toEqual({ atMs: host.clock.nowMs, sessions: [SESSION], more: 0 });
  host.held.length = 0;
  await host.under.publish();
  expect((await host.published())?.sessions).toEqual([SESSION]);
  host.clock.nowMs += 1_000;
  await host.under.publish();
  expect((await host.published())?.sessions).toEqual([]);
  const { atMs } = (await host.published())!;
  host.clock.nowMs += 1_000;
  await host.under.publish();
  expect((await host.published())?.atMs).toBe(atMs);
});

test('more than fit are counted instead of listed', async () => {
  const host = aHostOf(Array.from({ length: 3_010 }, (_, port) => ({ ...SESSION, client: `10.0.0.7:${port}` })));
  await host.under.publish();
  expect(await host.published()).toMatchObject({ more: 10 });
});

test('a wish is carried out once and struck out; those of other hosts are left alone', async () => {
  const host = aHostOf([SESSION]);
  await host.wish();
  await host.wish({ id: 'k2', host: 'vm2' });
  await host.obey();
  expect([host.held, await host.wishes(), host.told]).toEqual([[], ['vm2/k2'], ['SESSION_KILLED']]);
});

test('a wish that comes late, or whose session has gone, is struck out and says so', async () => {
  const host = aHostOf([SESSION]);
  await host.wish({ atMs: host.clock.nowMs - 60_000 });
  await host.obey();
  await host.wish({ id: 'k3', client: '10.0.0.8:1' });
  await host.obey();
  expect([host.held, await host.wishes(), host.told]).toEqual([[SESSION], [], ['DROP_SESSION_ERROR', 'DROP_SESSION_ERROR']]);
});
