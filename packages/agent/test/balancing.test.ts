import {
  type BalancerFailure,
  type BalancerRecord,
  drainHoldout,
  type EndpointConfig,
  type Json,
  KEYS,
  type LoadBalancer,
  ReactorError,
  readCluster,
  viewInstance,
} from '@reactor/core';
import { aHost, anEndpointConfig, createFakeStore, createWorld } from '@reactor/testkit';
import { createBalancing } from '../src/balancing.js';
import { servicesOf } from '../src/services.js';

/** The world of three ready instances, in a store, and a load balancer that obeys unless told otherwise. */
async function aBalancedHost(config: EndpointConfig = anEndpointConfig({ scaling: { minInstances: 3 } })) {
  const world = createWorld({ endpoints: { web: config }, hosts: [aHost('vm1')] });
  world.run(5);
  const store = createFakeStore({ now: () => 0 });
  const put = (key: string, value: unknown) => store.commit({ expect: [], write: [{ key, value: value as Json }] });
  const { endpoints, instances, reports, hosts } = world.cluster();
  for (const [name, { value }] of endpoints) await put(KEYS.endpoint(name), value);
  for (const [id, { value }] of instances) await put(KEYS.instance(id), value);
  for (const [, { value }] of reports) await put(KEYS.report(value.host, value.id), value);
  for (const [id, { value }] of hosts) await put(KEYS.host(id), value);

  const balancer: { refuses: boolean; failed: BalancerFailure | null } = { refuses: false, failed: null };
  const apply: LoadBalancer['apply'] = async () => {
    if (balancer.refuses) throw new ReactorError('balancer_refused', 'no');
    if (balancer.failed !== null) return { changed: false, setAside: {}, failed: balancer.failed };
    return { setAside: {} } as Awaited<ReturnType<LoadBalancer['apply']>>;
  };
  const balancing = createBalancing({
    store,
    clock: { now: () => 0, monotonic: () => 0, sleep: async () => undefined } as never,
    host: 'vm1',
    balancer: { apply } as unknown as LoadBalancer,
    log: () => undefined,
    tell: () => undefined,
    servicesOf: (cluster, unreachable) => servicesOf(cluster, () => config, 'vm1', unreachable),
  });
  const cluster = async () => readCluster(await store.read(''));
  const holdout = async (id: string) => {
    const now = await cluster();
    return drainHoldout(
      viewInstance(now.instances.get(id)!, now, () => 0),
      now,
    );
  };
  return {
    balancer,
    cluster,
    holdout,
    round: async () => balancing.round(await cluster(), new Set()),
    record: async (): Promise<BalancerRecord> => (await cluster()).balancers.get('vm1')!.value,
    retire: (id: string) => put(KEYS.instance(id), { ...instances.get(id)!.value, phase: 'drain', drainedAtMs: 0 }),
  };
}

test('what is meant to be served is not listed, however much it is', async () => {
  const host = await aBalancedHost();
  await host.round();
  expect((await host.record()).serving).toEqual([]);
});

test('an instance counts as served from the moment it is retired until the load balancer has taken up that it is', async () => {
  const host = await aBalancedHost();
  await host.round();
  expect((await host.cluster()).instances.size).toBe(3);
  await host.retire('i0002');
  expect(await host.holdout('i0002')).toBe('vm1');
  await host.round();
  expect(await host.holdout('i0002')).toBeNull();
});

test('a load balancer that refuses its configuration still serves what is retired now', async () => {
  const host = await aBalancedHost();
  await host.round();
  host.balancer.refuses = true;
  await host.retire('i0002');
  await host.round();
  expect(await host.holdout('i0002')).toBe('vm1');
  host.balancer.refuses = false;
  await host.round();
  expect(await host.holdout('i0002')).toBeNull();
});

describe('when one of several load balancers fails', () => {
  test('its own retired instances count as served until it has taken them out; those it had taken out before do not', async () => {
    const host = await aBalancedHost();
    await host.retire('i0001');
    await host.round();
    host.balancer.failed = { problem: 'haproxy: it refuses', endpoints: ['web'] };
    await host.retire('i0002');
    await host.round();
    expect(await host.record()).toMatchObject({ serving: ['i0002'], error: 'haproxy: it refuses' });
    expect([await host.holdout('i0001'), await host.holdout('i0002')]).toEqual([null, 'vm1']);
    host.balancer.failed = null;
    await host.round();
    expect([await host.record(), await host.holdout('i0002')]).toMatchObject([{ serving: [], error: null }, null]);
  });

  test('instances of the others drain', async () => {
    const host = await aBalancedHost();
    await host.round();
    host.balancer.failed = { problem: 'haproxy: it refuses', endpoints: ['other'] };
    await host.retire('i0002');
    await host.round();
    expect(await host.holdout('i0002')).toBeNull();
  });
});
