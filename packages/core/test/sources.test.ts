import { aHost, anEndpointConfig, aRule, createWorld, type World } from '@reactor/testkit';
import type { EndpointTraffic } from '../src/index.js';
import { observe } from '../src/observation.js';

/** By whose numbers an endpoint scales: its own wherever its backends are served, another's, or those of programs. */

const hosts = [aHost('vm1')];
const quick = { scaleDownDelayMs: 0, minInstances: 1, maxInstances: 10 };
const byRate = { ...quick, rules: [aRule('rate', { above: 0, below: 10 })] };
const running = (world: World, endpoint: string): number => world.instances(endpoint, 'run').length;

describe('instances_source', () => {
  const endpoints = {
    shop: anEndpointConfig({ scaling: byRate }),
    door: anEndpointConfig({ instancesSource: 'shop', cloud: null, container: null, scaling: { ...quick, rules: [] } }),
  };

  test('the backends scale by what comes in under both urls', () => {
    const world = createWorld({ endpoints, hosts });
    world.run(3);
    world.load('shop', 15);
    world.load('door', 30);
    world.run(12);
    expect(running(world, 'shop')).toBe(5);
  });

  test('a retired instance waits for a connection that came under the other url', () => {
    const world = createWorld({ endpoints, hosts });
    world.load('door', 25);
    world.run(15);
    expect(running(world, 'shop')).toBe(3);
    world.load('door', 0);
    for (const { id } of world.instances('shop')) world.hold(id, 1);
    world.run(200);
    expect(running(world, 'shop')).toBe(1);
    expect(world.instances('shop', 'drain')).toHaveLength(2);
    for (const { id } of world.instances('shop')) world.hold(id, 0);
    world.run(5);
    expect(world.instances('shop', 'drain')).toHaveLength(0);
  });
});

test('connections to a backend that two urls serve are counted once, requests under both', () => {
  const config = anEndpointConfig({ scaling: byRate });
  const traffic = (requests: number, active: number): EndpointTraffic => ({
    buckets: [{ second: 90, requests, bytes: 0, timed: 0, seconds: 0, errors: 0 }],
    times: [],
    active,
    backends: { i1: { active, requests, errors: 0, refused: 0 } },
  });
  const report = {
    ...{ atMs: 100_000, completeSinceMs: 0, badLines: 0, lagBytes: 0 },
    endpoints: { shop: traffic(30, 4), door: traffic(50, 5) },
  };
  const world = createWorld({ endpoints: { shop: config, door: config }, hosts });
  const door = anEndpointConfig({ instancesSource: 'shop' });
  const { sightings, measure } = observe({
    ...{ nowMs: 100_000, cluster: world.cluster(), reports: [report], voices: [report], expectedSources: 1, posted: new Map() },
    resolved: new Map([config, door].map((one, index) => [['shop', 'door'][index]!, { config: one, hash: '' }])),
  });
  const shop = world.cluster().endpoints.get('shop')!;
  const { stable } = measure(shop, { config, hash: '' }, { instances: 1, settled: 1 });
  expect([stable.metrics['active']?.value, stable.metrics['rate']?.value]).toEqual([5, 8]);
  expect(sightings('shop').flatMap(({ traffic: { backends } }) => backends['i1']?.active ?? [])).toEqual([5]);
  expect(sightings('door')).toHaveLength(1);
});

describe('metrics_source', () => {
  const endpoints = {
    front: anEndpointConfig({ scaling: { ...quick, rules: [] } }),
    back: anEndpointConfig({ url: null, loadBalancer: null, metricsSource: 'front', scaling: byRate }),
  };

  test("another endpoint's metrics decide, measured and posted ones", () => {
    const world = createWorld({ endpoints, hosts });
    world.load('front', 45);
    world.run(15);
    expect([running(world, 'front'), running(world, 'back')]).toEqual([1, 5]);
    world.post('front', null, { rate: [1, 30] });
    world.run(15);
    expect(running(world, 'back')).toBe(8);
  });

  test('whether its own instances are idle is still its own affair', () => {
    const world = createWorld({ endpoints, hosts });
    world.load('front', 25);
    world.run(15);
    const [busy] = world.instances('back').map(({ id }) => id);
    world.hold(busy!, 3);
    world.load('front', 0);
    world.run(250);
    expect(world.instances('back', 'run').map(({ id }) => id)).toEqual([busy]);
  });

  test('without such an endpoint the count stays, and the reason is told', () => {
    const world = createWorld({ endpoints, hosts });
    world.load('front', 25);
    world.run(15);
    world.set('front', { state: 'REMOVED' });
    world.load('back', 90);
    const plans = world.run(60);
    expect(running(world, 'back')).toBe(3);
    const reasons = plans.at(-1)?.endpoints.find(({ endpoint }) => endpoint.value.name === 'back')?.report.record.reasons;
    expect(reasons?.join('; ')).toContain("no data for rate: metrics_source 'front' is no endpoint");
  });
});

describe('what programs post', () => {
  test('drives the count, and holds it when it stops', () => {
    const scaling = { ...quick, rules: [aRule('queue', { above: 2, below: 10 })] };
    const world = createWorld({ endpoints: { worker: anEndpointConfig({ url: null, scaling }) }, hosts });
    world.run(3);
    world.post('worker', null, { queue: [1, 15] });
    world.run(3);
    expect(running(world, 'worker')).toBeGreaterThan(1);
    const before = running(world, 'worker');
    world.post('worker', null, null);
    world.run(60);
    expect(running(world, 'worker')).toBe(before);
    world.post('worker', null, { queue: [1, 0] });
    world.run(60);
    expect(running(world, 'worker')).toBe(1);
  });

  test('about backends, it counts once all that have served for a window are heard', () => {
    const scaling = { ...quick, minInstances: 1, rules: [aRule('queue', { above: 2, below: 10 })] };
    const world = createWorld({
      endpoints: { worker: anEndpointConfig({ url: null, scaling: { ...scaling, minInstances: 3 } }) },
      hosts,
    });
    world.run(30);
    world.set('worker', { config: anEndpointConfig({ url: null, scaling }) });
    const [first, ...others] = world.instances('worker').map(({ id }) => id);
    world.post('worker', first!, { queue: [1, 0] });
    world.run(60);
    expect(running(world, 'worker')).toBe(3);
    for (const id of others) world.post('worker', id, { queue: [1, 0] });
    world.run(60);
    expect(running(world, 'worker')).toBe(1);
  });
});
