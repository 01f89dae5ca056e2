import { type EndpointConfig, KEYS, readCluster, type StateEntry } from '@reactor/core';
import { aHost, anEndpointConfig, createWorld } from '@reactor/testkit';
import { servicesOf } from '../src/services.js';

/** A cluster on paper with three ready instances of `web`. */
function threeReady(config: EndpointConfig = anEndpointConfig({ scaling: { minInstances: 3 } })) {
  const world = createWorld({ endpoints: { web: config }, hosts: [aHost('vm1')] });
  world.run(5);
  return world;
}

const backends = (world: ReturnType<typeof threeReady>, config = anEndpointConfig()): readonly string[] =>
  servicesOf(world.cluster(), () => config, 'vm1').flatMap((service) => service.backends.map((backend) => backend.id));

test('ready instances are served', () => {
  expect(backends(threeReady())).toEqual(['i0001', 'i0002', 'i0003']);
});

test('an instance that fails its check is left out while another is ready', () => {
  const world = threeReady();
  world.report('i0002', { state: 'unhealthy' });
  expect(backends(world)).toEqual(['i0001', 'i0003']);
});

test('when every instance fails its check all are served: a poor answer beats none', () => {
  const world = threeReady();
  for (const id of ['i0001', 'i0002', 'i0003']) world.report(id, { state: 'unhealthy' });
  expect(backends(world)).toEqual(['i0001', 'i0002', 'i0003']);
});

test('a dropped instance is left out, also when nothing else is left, until it is registered', () => {
  const world = threeReady();
  world.wishFor('i0002', 'drop');
  expect(backends(world)).toEqual(['i0001', 'i0003']);
  world.wishFor('i0001', 'drop');
  world.wishFor('i0003', 'drop');
  expect(backends(world)).toEqual([]);
  world.wishFor('i0002', null);
  expect(backends(world)).toEqual(['i0002']);
});

test('one that is to leave serves until it drains', () => {
  const world = threeReady();
  world.wishFor('i0002', 'disassociate');
  expect(backends(world)).toEqual(['i0001', 'i0002', 'i0003']);
});

test('a dead instance is never served', () => {
  const world = threeReady();
  for (const id of ['i0001', 'i0002', 'i0003']) world.report(id, { state: 'exited', address: null });
  expect(backends(world)).toEqual([]);
});

test('a draining instance gets no requests, but its connections are watched', () => {
  const world = threeReady();
  world.set('web', { state: 'STOPPED' });
  world.run(1);
  const [service] = servicesOf(world.cluster(), () => anEndpointConfig(), 'vm1');
  expect(service?.backends).toEqual([]);
  expect(service?.draining?.map((backend) => backend.id)).toEqual(['i0001', 'i0002', 'i0003']);
});

test('static instances are served beside the others', () => {
  const config = anEndpointConfig({ staticInstances: [{ host: '10.1.1.1', port: 80 }] });
  expect(backends(threeReady(), config)).toContain('static:10.1.1.1:80');
});

test.each([
  ['no URL', { url: null }],
  ['no load balancer', { loadBalancer: null }],
] as const)('an endpoint with %s is not served', (_what, change) => {
  expect(servicesOf(threeReady().cluster(), () => anEndpointConfig(change), 'vm1')).toEqual([]);
});

test('an instance that does not answer this host is left out while another does', () => {
  const lost = new Set(['i0001', 'i0003']);
  const [service] = servicesOf(threeReady().cluster(), () => anEndpointConfig(), 'vm1', lost);
  expect(service?.backends.map((backend) => backend.id)).toEqual(['i0002']);
});

test('an instance that fails its check but answers comes before one that does not', () => {
  const world = threeReady();
  world.report('i0002', { state: 'unhealthy' });
  const [service] = servicesOf(world.cluster(), () => anEndpointConfig(), 'vm1', new Set(['i0001', 'i0003']));
  expect(service?.backends.map((backend) => backend.id)).toEqual(['i0002']);
});

test('the last instances stay although they do not answer', () => {
  const all = new Set(['i0001', 'i0002', 'i0003']);
  const [service] = servicesOf(threeReady().cluster(), () => anEndpointConfig(), 'vm1', all);
  expect(service?.backends).toHaveLength(3);
});

test('a lost lease of this very host takes nothing out of service', () => {
  const world = threeReady();
  world.loseHost('vm1');
  expect(backends(world)).toHaveLength(3);
});

test('the order in which the state lists things changes nothing', () => {
  const cluster = threeReady().cluster();
  const entries: [string, StateEntry][] = [
    ...[...cluster.endpoints.values()].map((at) => [KEYS.endpoint(at.value.name), at] as const),
    ...[...cluster.instances.values()].map((at) => [KEYS.instance(at.value.id), at] as const),
    ...[...cluster.reports.values()].map((at) => [KEYS.report('vm1', at.value.id), at] as const),
  ].map(([key, at]) => [key, at as unknown as StateEntry]);
  const seen = [entries, entries.toReversed()].map((list) => {
    const listed = readCluster({ clusterId: 'paper', revision: 1, entries: new Map(list) });
    return servicesOf(listed, () => anEndpointConfig(), 'vm1');
  });
  expect(seen[0]?.[0]?.backends).toHaveLength(3);
  expect(seen[1]).toEqual(seen[0]);
});

describe('an endpoint that names an instances_source', () => {
  const source = anEndpointConfig({ scaling: { minInstances: 2 }, weight: 7, staticInstances: [{ host: '10.1.1.1', port: 80 }] });
  const canary = anEndpointConfig({ weight: 3, instancesSource: 'web', staticInstances: [{ host: '10.2.2.2', port: 80 }] });

  function twoEndpoints() {
    const world = createWorld({ endpoints: { web: source, zoo: canary }, hosts: [aHost('vm1')] });
    world.run(5);
    return world;
  }
  const served = (world: ReturnType<typeof twoEndpoints>) =>
    servicesOf(world.cluster(), ({ value }) => (value.name === 'web' ? source : canary), 'vm1').find(
      ({ endpoint }) => endpoint === 'zoo',
    );

  test("serves that one's backends, static ones too, with a weight of its own", () => {
    const ids = (twoEndpoints().instances('web') ?? []).map(({ id }) => id);
    expect(served(twoEndpoints())?.backends.map(({ id, weight }) => [id, weight])).toEqual([
      ...ids.map((id) => [id, 3]),
      ['static:10.1.1.1:80', 3],
    ]);
  });

  test('serves its own while there is none of that name', () => {
    const world = twoEndpoints();
    const own = world.instances('zoo').map(({ id }) => id);
    world.set('web', { state: 'REMOVED' });
    expect(served(world)?.backends.map(({ id }) => id)).toEqual([...own, 'static:10.2.2.2:80']);
  });

  test('finds it by whatever it is called now', () => {
    const world = twoEndpoints();
    const cluster = world.cluster();
    const [web, own] = ['web', 'zoo'].map((name) => world.instances(name).map(({ id }) => id));
    const under = (name: string) =>
      servicesOf(
        {
          ...cluster,
          names: new Map([
            ['web', { value: { endpoint: null }, revision: 1 }],
            ['shop', { value: { endpoint: 'web' }, revision: 1 }],
          ]),
        },
        ({ value }) => (value.name === 'web' ? source : { ...canary, instancesSource: name }),
        'vm1',
      )
        .find(({ endpoint }) => endpoint === 'zoo')
        ?.backends.map(({ id }) => id);
    expect(under('shop')).toEqual([...web!, 'static:10.1.1.1:80']);
    expect(under('web')).toEqual([...own!, 'static:10.2.2.2:80']);
  });

  test("watches the connections to that one's draining instances", () => {
    const world = twoEndpoints();
    const ids = world.instances('web').map(({ id }) => id);
    world.set('web', { state: 'STOPPED' });
    world.run(1);
    expect(served(world)?.draining?.map(({ id }) => id)).toEqual(ids);
  });
});

describe('an exclusive tcp endpoint', () => {
  const config = anEndpointConfig({
    loadBalancer: 'tcp',
    url: { scheme: 'tcp', host: null, port: 5000, path: '/' },
    scaling: { minInstances: 4 },
    staticInstances: Array.from({ length: 12 }, (_, index) => ({ host: `10.1.1.${index}`, port: 80 })),
  });
  function threeHosts() {
    const world = createWorld({ endpoints: { web: config }, hosts: [aHost('vm1'), aHost('vm2'), aHost('vm3')] });
    world.run(5);
    return world.cluster();
  }
  const shares = (hosts: readonly string[], cluster = threeHosts()) =>
    hosts.map((host) => servicesOf(cluster, () => config, host).flatMap((service) => service.backends.map(({ id }) => id)));

  test('has each of its backends on one host only, its instances on their own', () => {
    const cluster = threeHosts();
    const all = shares(['vm1', 'vm2', 'vm3'], cluster);
    expect(all.flat().sort()).toEqual([...new Set(all.flat())].sort());
    expect(all.flat()).toHaveLength(16);
    for (const [index, host] of ['vm1', 'vm2', 'vm3'].entries()) {
      for (const id of all[index]!) expect(cluster.instances.get(id)?.value.host ?? host).toBe(host);
    }
  });

  test('leaves the others’ static backends where they are when a host goes', () => {
    const [before] = shares(['vm1']);
    const cluster = threeHosts();
    const hosts = new Map([...cluster.hosts].filter(([host]) => host !== 'vm3'));
    const [after] = shares(['vm1'], { ...cluster, hosts });
    expect(after).toEqual(expect.arrayContaining([...before!]));
  });

  test('without exclusiveness every host serves all of them', () => {
    const open = { ...config, tcp: { ...config.tcp, exclusive: false } };
    expect(servicesOf(threeHosts(), () => open, 'vm2')[0]?.backends).toHaveLength(16);
  });
});

test('what a session has used up is not even the last resort', () => {
  const world = threeReady();
  for (const id of ['i0001', 'i0002', 'i0003']) world.report(id, { state: 'unhealthy', spent: true });
  expect(backends(world)).toEqual([]);
});

test('a name is answered with the host of an instance that publishes no port', () => {
  const config = anEndpointConfig({ loadBalancer: 'dnsmasq', url: { scheme: 'dns', host: 'db', port: 53, path: '/' } });
  const world = threeReady();
  world.report('i0001', { address: null });
  const [service] = servicesOf(world.cluster(), () => config, 'vm1');
  const [own] = world.cluster().hosts.values();
  expect(service?.backends.find(({ id }) => id === 'i0001')).toMatchObject({ host: own!.value.address });
});
