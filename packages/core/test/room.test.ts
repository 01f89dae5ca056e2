import { aHost, anEndpointConfig, createWorld } from '@reactor/testkit';
import { type EndpointConfig, parseExpressions, roomFor } from '../src/index.js';

const MAX = 40;
const HOSTS = [aHost('vm1', { slots: 50 }), aHost('vm2', { slots: 120, labels: { disk: 'ssd' } }), aHost('vm3', { slots: 0 })];

/** Wants all it can get, beside another endpoint that has two instances. */
function greedy(change: { readonly placement?: object; readonly container?: object }): EndpointConfig {
  const config = anEndpointConfig({ scaling: { minInstances: MAX, maxInstances: MAX, rampLimit: MAX } });
  return {
    ...config,
    placement: { ...config.placement, ...change.placement },
    container: { ...config.container!, ...change.container },
  };
}

function expressions(text: string, kind: 'constraint' | 'affinity') {
  const parsed = parseExpressions(text, kind);
  if (!parsed.ok) throw new Error(parsed.fault.message);
  return parsed.value;
}

test.each<[string, Parameters<typeof greedy>[0], number]>([
  ['slots', {}, 15],
  ['larger ones', { placement: { slots: 30 } }, 4],
  ['processors', { container: { cpus: 1 } }, 8],
  ['a port of the host', { container: { hostPort: 9000 } }, 2],
  ['one on each', { placement: { affinity: expressions('endpoint!=web', 'affinity') } }, 2],
  ['certain hosts', { placement: { constraints: expressions('disk==ssd', 'constraint') } }, 10],
])('the room that is told is what the controller can start: %s', (_what, change, expected) => {
  const config = greedy(change);
  const request = { endpoint: 'web', placement: config.placement, container: config.container!, port: config.port };
  const world = createWorld({
    endpoints: { other: anEndpointConfig({ scaling: { minInstances: 2 } }) },
    hosts: HOSTS,
  });
  world.run(5);
  const before = roomFor(request, world.cluster(), MAX + 1);
  expect(before).toEqual({ instances: expected, hosts: 3 });
  expect(roomFor(request, world.cluster(), 2)).toEqual({ instances: 2, hosts: 3 });

  const grown = createWorld({
    endpoints: { other: anEndpointConfig({ scaling: { minInstances: 2 } }), web: config },
    hosts: HOSTS,
  });
  grown.run(20);
  expect(grown.instances('other', 'run')).toHaveLength(2);
  expect(grown.instances('web', 'run')).toHaveLength(expected);
  expect(roomFor(request, grown.cluster(), MAX + 1).instances).toBe(expected);
});
