import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { aHost, anEndpointConfig, createWorld, until, type World } from '@reactor/testkit';
import { createReachability, type Reachability } from '../src/reachability.js';

/** Two hosts on paper; their instances are one real socket that can be closed. This is vm1, and vm2 is lost. */

let service: Server;
let port: number;
let stop: AbortController;
let world: World;
let reachability: Reachability;
let changes: string[];

const clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, Math.min(ms, 10))),
};

const close = (): Promise<void> => {
  service.closeAllConnections();
  return new Promise((resolve) => service.close(() => resolve()));
};

beforeEach(async () => {
  service = createServer((_request, response) => response.end());
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  port = (service.address() as AddressInfo).port;
  const config = anEndpointConfig({ scaling: { minInstances: 2, maxInstances: 2, rules: [] } });
  world = createWorld({ endpoints: { web: config }, hosts: [aHost('vm1'), aHost('vm2')] });
  world.run(5);
  for (const { id } of world.instances('web')) world.report(id, { address: { host: '127.0.0.1', port } });
  stop = new AbortController();
  changes = [];
  reachability = createReachability({
    clock,
    host: 'vm1',
    changed: (instance, problem) => void changes.push(`${instance} ${problem === null ? 'answers' : 'is silent'}`),
    signal: stop.signal,
  });
});
afterEach(async () => {
  stop.abort();
  if (service.listening) await close();
});

const on = (host: string): string => world.instances('web').find((instance) => instance.host === host)!.id;
const unreachable = (): readonly string[] => [...reachability.unreachable(world.cluster())];

test('an instance of a lost host counts as reachable until its check has failed, and again when it passes', async () => {
  await close();
  world.loseHost('vm2');
  expect(unreachable()).toEqual([]);
  await until('it is found silent', 5_000, () => changes.length === 1);
  expect(unreachable()).toEqual([on('vm2')]);
  await new Promise<void>((resolve) => service.listen(port, '127.0.0.1', resolve));
  await until('it is found to answer', 5_000, () => changes.length === 2);
  expect(unreachable()).toEqual([]);
  expect(changes).toEqual([`${on('vm2')} is silent`, `${on('vm2')} answers`]);
});

test('an instance that answers stays although its host is lost', async () => {
  let checks = 0;
  service.on('connection', () => (checks += 1));
  world.loseHost('vm2');
  unreachable();
  await until('it was checked twice', 5_000, () => checks >= 2);
  expect(unreachable()).toEqual([]);
});

test('a host that returns is judged by its own reports at once', async () => {
  await close();
  world.loseHost('vm2');
  unreachable();
  await until('it is found silent', 5_000, () => changes.length === 1);
  world.returnHost(aHost('vm2'));
  expect(unreachable()).toEqual([]);
});

test('while its own lease is gone this host judges nobody', async () => {
  await close();
  world.loseHost('vm2');
  unreachable();
  await until('it is found silent', 5_000, () => changes.length === 1);
  world.loseHost('vm1');
  expect(unreachable()).toEqual([]);
});
