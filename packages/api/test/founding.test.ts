import { foundEndpoints, isNewCluster, setAuthKey } from '@reactor/api';
import { readDocument } from '@reactor/config';
import { KEYS, LOGS } from '@reactor/core';
import { PYEX, pyexAt, type RunningApi, startApi } from './running-api.js';

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
});
afterEach(() => running.close());

const DEFAULTS = [
  {
    name: 'apihttp',
    document: readDocument('[endpoint]\nurl=http://\nloadbalancer=nginx\nstatic_instances=localhost:8080\n').document,
  },
  { name: 'apihttps', document: readDocument(pyexAt('https://')).document },
];
const found = () => foundEndpoints({ store: running.store, now: () => 1, newId: () => 'uid' }, DEFAULTS);

test('a new cluster gets them, paused, with a line in their logs; also one that only has a key', async () => {
  await setAuthKey(running.store, 'a key');
  expect([await isNewCluster(running.store), await found()]).toEqual([true, true]);
  expect(await running.endpoint('apihttp')).toMatchObject({ state: 'PAUSED', document: { endpoint: { url: 'http://' } } });
  expect(await running.endpoint('apihttps')).toMatchObject({ state: 'PAUSED' });
  expect(await running.store.tail(LOGS.endpoint('apihttp'), 0, 9)).toMatchObject([{ event: 'CONFIG_UPDATED' }]);
  expect([await isNewCluster(running.store), await found()]).toEqual([false, false]);
});

test('what was unmanaged never comes back, not even when its tombstone has gone', async () => {
  await found();
  for (const { name } of DEFAULTS) await running.client.removeEndpoint(name);
  expect(await found()).toBe(false);
  for (const { name } of DEFAULTS) await running.put(KEYS.endpoint(name), null);
  expect(await found()).toBe(false);
  expect(await running.client.endpoints()).toEqual([]);
});

test('a cluster that was ever used gets none', async () => {
  await running.client.createEndpoint('pyex', PYEX);
  expect(await found()).toBe(false);
  await running.client.removeEndpoint('pyex');
  await running.put(KEYS.endpoint('pyex'), null);
  expect(await found()).toBe(false);
  expect(await running.client.endpoints()).toEqual([]);
});

test('of daemons that found it at the same moment one creates all of them', async () => {
  const won = await Promise.all([found(), found(), found()]);
  expect(won.filter((each) => each)).toHaveLength(1);
  expect(await running.client.endpoints()).toEqual(['apihttp', 'apihttps']);
});

test('nothing is created for nothing: the cluster stays new', async () => {
  expect(await foundEndpoints({ store: running.store, now: () => 1, newId: () => 'uid' }, [])).toBe(false);
  expect(await isNewCluster(running.store)).toBe(true);
});
