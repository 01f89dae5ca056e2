import { KEYS, publishedSessions, type Session } from '@reactor/core';
import { aHost } from '@reactor/testkit';
import { type RunningApi, startApi } from './running-api.js';

const DESK = '[endpoint]\nurl = tcp://5000\nloadbalancer = tcp\nport = 80\nstatic_instances = 10.0.0.1\n';
const WEB = '[endpoint]\nurl = http://\nloadbalancer = nginx\nstatic_instances = 10.0.0.1:80\n';

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
  await running.client.createEndpoint('desk', DESK);
  await running.client.createEndpoint('web', WEB);
});
afterEach(() => running.close());

const aSession = (client: string, change: Partial<Session> = {}): Session => ({
  endpoint: 'desk',
  client,
  backend: '10.0.0.1:80',
  instance: 'i0001',
  sinceMs: running.clock.nowMs,
  ...change,
});

async function publish(host: string, ...sessions: readonly Session[]): Promise<void> {
  await running.put(KEYS.host(host), aHost(host));
  await running.store.publish(publishedSessions(host, sessions, running.clock.nowMs), 10_000);
}

const wishes = async () => [...(await running.store.read(KEYS.kills)).entries.values()].map((entry) => entry.value);

test('the sessions of all hosts are listed, as in 2013 and with their host', async () => {
  await publish('vm1', aSession('10.0.0.7:5000'), aSession('10.0.0.8:5000', { endpoint: 'other' }));
  await publish('vm2', aSession('[2001:db8::1]:6000', { backend: '10.0.0.2:80' }));
  expect((await running.ask('GET', '/v1.1/endpoints/desk/sessions')).body).toEqual({
    '10.0.0.7:5000': '10.0.0.1:80',
    '[2001:db8::1]:6000': '10.0.0.2:80',
  });
  expect((await running.client.sessions('desk')).map(({ client, host }) => [client, host])).toEqual([
    ['10.0.0.7:5000', 'vm1'],
    ['[2001:db8::1]:6000', 'vm2'],
  ]);
  expect((await running.ask('GET', '/v1.1/endpoints/desk/sessions/10.0.0.7:5000')).text).toBe('"10.0.0.1:80"');
});

test('ending one leaves a wish for its host alone', async () => {
  await publish('vm1', aSession('10.0.0.7:5000'));
  await publish('vm2', aSession('[2001:db8::1]:6000'));
  await running.client.killSession('desk', '[2001:db8::1]:6000');
  expect(await wishes()).toEqual([
    { id: expect.any(String), host: 'vm2', endpoint: 'desk', client: '[2001:db8::1]:6000', atMs: running.clock.nowMs },
  ]);
});

test('a host that has more sessions than it lists is asked as well', async () => {
  await publish('vm1', ...Array.from({ length: 3_001 }, (_, port) => aSession(`10.0.0.7:${port + 1}`)));
  await running.client.killSession('desk', '10.0.0.7:3001');
  expect(await wishes()).toMatchObject([{ host: 'vm1', client: '10.0.0.7:3001' }]);
});

test('wishes of hosts that are gone do not pile up', async () => {
  await publish('vm1', aSession('10.0.0.7:5000'));
  await running.client.killSession('desk', '10.0.0.7:5000');
  running.clock.nowMs += 61_000;
  await publish('vm1', aSession('10.0.0.7:5000'));
  await running.client.killSession('desk', '10.0.0.7:5000');
  expect(await wishes()).toMatchObject([{ atMs: running.clock.nowMs }]);
});

test('an endpoint is called what it was asked for by, not what it is stored as', async () => {
  await running.client.rename('desk', 'office');
  await running.client.alias('web', 'shop');
  const told = async (path: string) => (await running.ask('GET', `/v1.1/endpoints/${path}`)).body.error?.message;
  expect(await told('office/sessions/10.0.0.9:1')).toBe("no session of '10.0.0.9:1' at endpoint 'office'");
  expect(await told('shop/sessions')).toContain("the load balancer of 'shop' lists no sessions");
  expect(await told('shop/metrics/10.9.9.9')).toBe("10.9.9.9 is not a backend of 'shop'");
});

test.each([
  ['GET', 'desk/sessions/10.0.0.9:1', 404, "no session of '10.0.0.9:1' at endpoint 'desk'"],
  ['DELETE', 'desk/sessions/10.0.0.9:1', 404, "no session of '10.0.0.9:1' at endpoint 'desk'"],
  ['DELETE', 'desk/sessions/some%20body', 400, 'is not a session: expected ADDRESS:PORT of the client'],
  ['GET', 'nobody/sessions', 404, "no endpoint 'nobody'"],
  ['GET', 'web/sessions', 501, "the load balancer of 'web' lists no sessions: nginx does not; expected tcp"],
  ['DELETE', 'web/sessions/10.0.0.7:5000', 501, 'nginx does not'],
])('%s %s is answered with %d: %s', async (method, path, status, message) => {
  const answer = await running.ask(method, `/v1.1/endpoints/${path}`);
  expect([answer.status, answer.body.error?.message]).toEqual([status, expect.stringContaining(message)]);
  expect(await wishes()).toEqual([]);
});
