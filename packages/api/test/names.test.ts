import { KEYS, LOGS } from '@reactor/core';
import { JSON_TYPE, PYEX, pyexAt, type RunningApi, startApi } from './running-api.js';

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
  await running.client.createEndpoint('web', PYEX);
});
afterEach(() => running.close());

const records = async (): Promise<readonly string[]> => {
  const { entries } = await running.store.read('');
  return [...entries.keys()].filter((key) => /^(endpoints|names|metadata)\//.test(key)).sort();
};
const says = async (): Promise<string> => JSON.stringify((await running.store.read('')).entries.get(KEYS.endpoint('web'))?.value);

describe('an alias', () => {
  test('means the same endpoint: its state, its configuration and its log', async () => {
    expect((await running.client.alias('web', 'shop')).names).toEqual(['web', 'shop']);
    await running.client.act('shop', 'start');
    await running.client.setValue('shop', 'scaling', 'max_instances', '7');
    expect(await running.client.endpoints()).toEqual(['shop', 'web']);
    expect(await running.endpoint('web')).toMatchObject({ state: 'RUNNING', uid: 'uid-1' });
    expect(await running.endpoint('shop')).toBeNull();
    expect(await running.client.endpoint('web')).toEqual(await running.client.endpoint('shop'));
    expect(await running.client.log('shop')).toEqual(await running.client.log('web'));
    expect((await running.client.endpointsDetail()).map(({ name, state }) => [name, state])).toEqual([
      ['shop', 'RUNNING'],
      ['web', 'RUNNING'],
    ]);
  });

  test('of a taken name is refused, and nothing changes', async () => {
    await running.client.createEndpoint('other', pyexAt('http://other/'));
    const before = await running.store.read('');
    for (const name of ['other', 'web']) {
      const answer = await running.ask('POST', '/v1.1/endpoints/web/alias', { headers: JSON_TYPE, body: JSON.stringify(name) });
      expect([answer.status, answer.body.error?.code]).toEqual([409, 'exists']);
    }
    expect((await running.store.read('')).revision).toBe(before.revision);
  });

  test('is a name like any other: nobody else gets it, and removing it leaves the endpoint', async () => {
    await running.client.alias('web', 'shop');
    await expect(running.client.createEndpoint('shop', pyexAt('http://other/'))).rejects.toMatchObject({ code: 'exists' });
    await running.client.removeEndpoint('shop');
    expect(await running.client.endpoints()).toEqual(['web']);
    expect(await running.endpoint('web')).toMatchObject({ state: 'PAUSED' });
    expect(await records()).toEqual(['endpoints/web']);
  });

  test('keeps the endpoint when its first name is removed, and the last name takes it away', async () => {
    await running.client.alias('web', 'shop');
    await running.client.removeEndpoint('web');
    expect(await running.client.endpoints()).toEqual(['shop']);
    await expect(running.client.state('web')).rejects.toMatchObject({ code: 'not_found' });
    await running.client.removeEndpoint('shop');
    expect(await running.client.endpoints()).toEqual([]);
    expect(await running.endpoint('web')).toMatchObject({ state: 'REMOVED' });
    expect(await records()).toEqual(['endpoints/web']);
  });

  test('needs a name that can be one, of an endpoint that is there', async () => {
    for (const name of ['', ' ', '../x', '__proto__', 7, null]) {
      const answer = await running.ask('POST', '/v1.1/endpoints/web/alias', { headers: JSON_TYPE, body: JSON.stringify(name) });
      expect([name, answer.status]).toEqual([name, 400]);
    }
    await expect(running.client.alias('absent', 'shop')).rejects.toMatchObject({ code: 'not_found' });
    expect(await records()).toEqual(['endpoints/web']);
  });

  test('beyond 32 names is refused', async () => {
    for (let index = 1; index < 32; index++) await running.client.alias('web', `n${index}`);
    await expect(running.client.alias('web', 'n32')).rejects.toMatchObject({ code: 'request_invalid' });
  });
});

describe('a rename', () => {
  test('moves nothing but the name: the record, the instances and the log stay where they are', async () => {
    await running.client.act('web', 'start');
    expect((await running.client.rename('web', 'shop')).names).toEqual(['shop']);
    expect(await running.client.endpoints()).toEqual(['shop']);
    expect(await running.endpoint('web')).toMatchObject({ name: 'web', state: 'RUNNING', uid: 'uid-1' });
    await expect(running.client.state('web')).rejects.toMatchObject({ code: 'not_found' });
    expect((await running.client.state('shop')).state).toBe('RUNNING');
    const [, , renamed] = await running.store.tail(LOGS.endpoint('web'), 0, 10);
    expect(renamed?.message).toBe("renamed from 'web' to 'shop'");
  });

  test('to a taken name is refused and leaves both as they were', async () => {
    await running.client.createEndpoint('other', pyexAt('http://other/'));
    const before = [await says(), await records()];
    const answer = await running.ask('POST', '/v1.1/endpoints/web/rename', { headers: JSON_TYPE, body: '"other"' });
    expect([answer.status, answer.body.error?.code]).toEqual([409, 'exists']);
    expect([await says(), await records()]).toEqual(before);
    expect(await running.client.endpoints()).toEqual(['other', 'web']);
  });

  test('frees the old name for another endpoint, which shares nothing with the first', async () => {
    await running.client.rename('web', 'web-old');
    await running.client.createEndpoint('web', pyexAt('http://new/'));
    expect(await running.client.endpoints()).toEqual(['web', 'web-old']);
    await running.client.act('web', 'start');
    expect((await running.client.state('web-old')).state).toBe('PAUSED');
    expect((await running.client.endpoint('web'))['endpoint']).toMatchObject({ url: 'http://new/' });
    // Back and away again, in either order.
    await running.client.removeEndpoint('web');
    expect(await running.client.endpoints()).toEqual(['web-old']);
    await running.client.rename('web-old', 'web');
    expect(await running.client.endpoints()).toEqual(['web']);
    expect((await running.client.state('web')).state).toBe('PAUSED');
    expect((await records()).filter((key) => key.startsWith('names/'))).toEqual([]);
  });

  test('says where others go on saying the old name, until somebody has it again', async () => {
    await running.client.createEndpoint('door', {
      endpoint: { url: 'http://door/', instances_source: 'web', metrics_source: 'web' },
    });
    await running.client.createEndpoint('app', `${pyexAt('http://app/')}links=web\n`);
    const { warnings } = await running.client.rename('web', 'shop');
    expect(warnings).toEqual([
      "endpoint.instances_source of 'door' still says 'web'",
      "endpoint.metrics_source of 'door' still says 'web'",
      "cloud:docker.links of 'app' still says 'web'",
    ]);
    expect((await running.client.rename('shop', 'web')).warnings).toEqual([]);
    expect((await running.client.alias('web', 'shop')).warnings).toEqual([]);
  });

  test('at the same moment as a creation of the new name: one of them has it', async () => {
    running.rival.before = () => running.client.createEndpoint('shop', pyexAt('http://other/'));
    await expect(running.client.rename('web', 'shop')).rejects.toMatchObject({ code: 'exists' });
    expect(await running.client.endpoints()).toEqual(['shop', 'web']);
    expect((await running.client.endpoint('shop'))['endpoint']).toMatchObject({ url: 'http://other/' });
  });

  test('under If-Match of an older revision is refused', async () => {
    const [row] = await running.client.endpointsDetail();
    await running.client.act('web', 'start');
    const guard = { ifRevision: row?.revision ?? 0 };
    await expect(running.client.rename('web', 'shop', guard)).rejects.toMatchObject({ code: 'revision_mismatch' });
    expect(await running.client.endpoints()).toEqual(['web']);
  });

  test('of two names removed at the same moment the endpoint keeps none and is gone', async () => {
    await running.client.alias('web', 'shop');
    running.rival.before = () => running.client.removeEndpoint('shop');
    await running.client.removeEndpoint('web');
    expect(await running.client.endpoints()).toEqual([]);
    expect(await running.endpoint('web')).toMatchObject({ state: 'REMOVED' });
  });
});

test('a link to a name is refused, under each of its own names: a name has no port', async () => {
  await running.client.createEndpoint('db', { endpoint: { url: 'dns://db.example', loadbalancer: 'dnsmasq' } });
  await running.client.alias('db', 'store');
  for (const name of ['db', 'store']) {
    const refused = running.client.createEndpoint('app', `${pyexAt('http://app/')}links=${name}\n`);
    await expect(refused).rejects.toMatchObject({
      code: 'config_invalid',
      message: `cloud:docker.links: '${name}' is served as dns://, which has no port to link to; give its name in environment`,
    });
  }
  expect(await running.client.endpoints()).toEqual(['db', 'store', 'web']);
});

describe('metadata', () => {
  test.each([['text'], [7], [true], [null], [[1, 'two']], [{ a: { b: [] } }]])('keeps %j as it is', async (value) => {
    await running.client.setMetadata('web', 'owner', value);
    expect(await running.client.metadata('web', 'owner')).toEqual(value);
    expect(await running.client.metadataKeys('web')).toEqual(['owner']);
  });

  test('of an absent key is null, and removing it is fine', async () => {
    expect(await running.client.metadata('web', 'owner')).toBeNull();
    await running.client.removeMetadata('web', 'owner');
    await running.client.setMetadata('web', 'a b: ü', 1);
    expect(await running.client.metadataKeys('web')).toEqual(['a b: ü']);
  });

  test('two writers of two keys at once both get through', async () => {
    running.rival.before = () => running.client.setMetadata('web', 'second', 2);
    await running.client.setMetadata('web', 'first', 1);
    expect(await running.client.metadataKeys('web')).toEqual(['first', 'second']);
  });

  test('belongs to the endpoint whatever it is called, and goes with it', async () => {
    await running.client.setMetadata('web', 'owner', 'ops');
    await running.client.rename('web', 'shop');
    expect(await running.client.metadata('shop', 'owner')).toBe('ops');
    await running.client.removeEndpoint('shop');
    await running.client.createEndpoint('web', PYEX);
    expect(await running.client.metadataKeys('web')).toEqual([]);
  });

  test('is bounded', async () => {
    const refused = (key: string, value: unknown) => running.client.setMetadata('web', key, value as never);
    await expect(refused('big', 'x'.repeat(65_536))).rejects.toMatchObject({ code: 'too_large' });
    await expect(refused('deep', JSON.parse(`${'['.repeat(34)}${']'.repeat(34)}`))).rejects.toMatchObject({
      code: 'request_invalid',
    });
    for (const key of ['__proto__', 'constructor', 'x'.repeat(129)]) {
      await expect(refused(key, 1)).rejects.toMatchObject({ code: 'request_invalid' });
    }
    for (let index = 0; index < 64; index++) await refused(`k${index}`, index);
    await expect(refused('k64', 1)).rejects.toMatchObject({ code: 'too_large' });
    expect(await running.client.metadataKeys('web')).toHaveLength(64);
  });
});
