import { KEYS } from '@reactor/core';
import { INI, PYEX, type RunningApi, startApi } from './running-api.js';

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
  await running.client.createEndpoint('pyex', PYEX);
});
afterEach(() => running.close());

test('an endpoint whose record cannot be read is not told to be absent, and nobody takes its place', async () => {
  await running.put(KEYS.endpoint('torn'), { name: 'torn', document: 'not one' });
  for (const [method, below] of [
    ['GET', ''],
    ['GET', '/state'],
    ['PUT', ''],
    ['POST', ''],
    ['DELETE', ''],
  ] as const) {
    const body = method === 'PUT' || method === 'POST' ? { headers: INI, body: PYEX } : {};
    const answer = await running.ask(method, `/v1.1/endpoints/torn${below}`, body);
    expect([method, answer.status, answer.body.error?.code]).toEqual([method, 503, 'record_unreadable']);
    expect(answer.body.error?.message).toBe(
      "endpoint 'torn': what is stored at endpoints/torn cannot be read: uid: expected a text",
    );
  }
  expect(await running.client.endpoints()).toEqual(['pyex']);
  expect((await running.client.state('pyex')).state).toBe('PAUSED');
});

test('one that was read before is shown as it was, and not changed', async () => {
  await running.client.state('pyex');
  await running.put(KEYS.endpoint('pyex'), 'torn');
  expect(await running.client.endpoints()).toEqual(['pyex']);
  await expect(running.client.act('pyex', 'start')).rejects.toMatchObject({ code: 'record_unreadable' });
  expect(await running.endpoint('pyex')).toBe('torn');
});
