import { setAuthKey } from '@reactor/api';
import { createClient } from '@reactor/client';
import { KEYS, readCluster } from '@reactor/core';
import { aHost } from '@reactor/testkit';
import { anInstance, aReport } from './placed-instances.js';
import { PYEX, pyexAt, type RunningApi, startApi } from './running-api.js';

/** register, drop, associate and disassociate: of instances that Reactor runs, and of no other address (S11). */

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
  await running.client.createEndpoint('pyex', PYEX);
  await running.client.createEndpoint('other', pyexAt('http://other/'));
  await running.put(KEYS.host('host-a'), aHost('host-a'));
  for (const [index, id] of ['i1', 'i2', 'alone'].entries()) {
    const endpoint = id === 'alone' ? 'other' : 'pyex';
    await running.put(KEYS.instance(id), anInstance(id, { endpoint }));
    const address = { host: id === 'alone' ? '10.0.0.2' : '10.0.0.1', port: 20_000 + index };
    await running.put(KEYS.report('host-a', id), aReport(id, { endpoint, address }));
  }
});
afterEach(() => running.close());

const wishes = async () =>
  Object.fromEntries([...readCluster(await running.store.read('')).wishes].map(([id, { value }]) => [id, value.kind]));

test.each(['i1', '10.0.0.1:20000'])('%s is dropped and registered again, which its log and its state tell', async (called) => {
  const { client } = running;
  expect(await client.drop(called)).toEqual({ instance: 'i1', endpoint: 'pyex', state: 'dropped' });
  expect(await client.ips('pyex')).toEqual(['10.0.0.1:20001']);
  expect((await client.state('pyex')).instances).toMatchObject({ ready: 1, dropped: 1 });
  expect(await client.register(called)).toMatchObject({ state: 'ready' });
  expect(await client.ips('pyex')).toEqual(['10.0.0.1:20000', '10.0.0.1:20001']);
  const log = (await client.log('pyex')).slice(-2).map(([, , message, , event]) => `${event} ${message}`);
  expect(log).toEqual([
    'DROP_IP i1 (10.0.0.1:20000) dropped: it gets no requests until it is registered',
    'CONFIRM_IP i1 (10.0.0.1:20000) registered: it gets requests while it is ready',
  ]);
  expect(await wishes()).toEqual({});
});

test('what is wished already is no change', async () => {
  await running.client.drop('i1');
  const { revision } = await running.store.read('');
  await running.client.drop('i1');
  await running.client.register('i2');
  expect((await running.store.read('')).revision).toBe(revision);
});

test('an address alone will do where it is one instance only', async () => {
  expect(await running.client.drop('10.0.0.2')).toMatchObject({ instance: 'alone' });
  await expect(running.client.drop('10.0.0.1')).rejects.toMatchObject({
    message: '10.0.0.1 is the address of 2 instances: say which, as address:port or by its id',
  });
});

test.each(['10.9.9.9', '169.254.169.254:80', '127.0.0.1:6379', 'db.example'])('%s cannot be added this way', async (called) => {
  const message = `${called} is no instance; addresses of others go into static_instances`;
  await expect(running.client.register(called)).rejects.toMatchObject({ code: 'not_found', message });
  expect(await wishes()).toEqual({});
});

test('an instance is told to leave, and associate takes that back', async () => {
  await running.client.disassociate('pyex', 'i1');
  expect(await wishes()).toEqual({ i1: 'disassociate' });
  await running.client.associate('pyex', 'i1');
  expect(await wishes()).toEqual({});
  await running.client.drop('i1');
  await running.client.associate('pyex', 'i1');
  expect(await wishes()).toEqual({ i1: 'drop' });
});

test.each(['alone', 'c0ffee', '10.9.9.9'])('%s is no instance of the endpoint', async (id) => {
  const refused = { code: 'not_found', message: expect.stringContaining(`no instance '${id}' of 'pyex'`) };
  await expect(running.client.associate('pyex', id)).rejects.toMatchObject(refused);
  await expect(running.client.disassociate('pyex', id)).rejects.toMatchObject(refused);
});

test('an instance that goes meanwhile leaves no wish behind', async () => {
  running.rival.before = () => running.store.commit({ expect: [], write: [{ key: KEYS.instance('i1'), value: null }] });
  await expect(running.client.drop('i1')).rejects.toMatchObject({ code: 'not_found' });
  expect(await wishes()).toEqual({});
});

test("an endpoint's key drops and registers that endpoint's instances, and no others", async () => {
  await running.client.setEndpointKey('pyex', 'own');
  await setAuthKey(running.store, 'admin');
  const own = createClient({ api: running.url, key: 'own' });
  await own.drop('i1');
  await own.register('i1');
  for (const called of ['alone', '10.9.9.9']) await expect(own.drop(called)).rejects.toMatchObject({ code: 'unauthorized' });
  await expect(own.disassociate('pyex', 'i1')).rejects.toMatchObject({ code: 'unauthorized' });
});
