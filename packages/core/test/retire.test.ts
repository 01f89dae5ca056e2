import { aHost, anEndpointConfig, createWorld } from '@reactor/testkit';
import { viewInstance } from '../src/lifecycle.js';
import { drainVerdict } from '../src/retire.js';

test('a draining instance is not stopped while a load balancer may still send it requests, however long it has drained', () => {
  const world = createWorld({ endpoints: { web: anEndpointConfig() }, hosts: [aHost('vm1')] });
  world.run(5);
  world.set('web', { state: 'STOPPED' });
  world.run(1);
  const cluster = world.cluster();
  const view = viewInstance([...cluster.instances.values()][0]!, cluster, () => 0);
  const nowMs = world.nowMs() + 3_600_000;
  const verdict = (holdout: string | null) => drainVerdict(view, anEndpointConfig(), { nowMs, recoverable: false, holdout });
  expect(verdict('vm1')).toEqual({ done: false, waitingOn: 'load balancer vm1 to take it out' });
  expect(verdict(null)).toMatchObject({ done: true });
});
