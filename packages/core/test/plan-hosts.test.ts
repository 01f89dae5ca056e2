import { aHost, anEndpointConfig, createWorld } from '@reactor/testkit';
import { awayMs } from '../src/plan-hosts.js';

test('how long a host is away is what the leader of this term has seen; a note of an earlier one says nothing', () => {
  const world = createWorld({ endpoints: { web: anEndpointConfig() }, hosts: [aHost('vm1'), aHost('vm2')] });
  world.run(5);
  const { host } = world.instances('web', 'run')[0]!;
  world.loseHost(host);
  world.run(3);
  const cluster = world.cluster();
  const { sinceMs, epoch } = cluster.losses.get(host)!.value;
  expect(awayMs(cluster, host, sinceMs + 90_000, epoch!)).toBe(90_000);
  expect(awayMs(cluster, host, sinceMs + 90_000, epoch! + 1)).toBe(0);
});
