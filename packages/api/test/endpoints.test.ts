import { type EndpointRecord, KEYS, LOGS, ReactorError } from '@reactor/core';
import { selfSigned } from '@reactor/nginx';
import { aHost } from '@reactor/testkit';
import { anInstance } from './placed-instances.js';
import { INI, JSON_TYPE, PYEX, pyexAt, type RunningApi, startApi } from './running-api.js';

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
});
afterEach(() => running.close());

const code = async (call: Promise<unknown>): Promise<string> => {
  try {
    await call;
    return 'nothing thrown';
  } catch (error) {
    return error instanceof ReactorError ? error.code : String(error);
  }
};

describe('creating', () => {
  test('a new endpoint is PAUSED, has a uid of its own and can be read back', async () => {
    const { warnings, revision } = await running.client.createEndpoint('pyex', PYEX);
    expect(warnings).toEqual([]);
    expect(revision).toBeGreaterThan(0);
    expect(await running.endpoint('pyex')).toMatchObject({ name: 'pyex', uid: 'uid-1', state: 'PAUSED' });
    const document = await running.client.endpoint('pyex');
    expect(document['endpoint']).toMatchObject({ url: 'http://', port: '5000' });
    expect(await running.client.endpoints()).toEqual(['pyex']);
    expect(await running.client.endpointIni('pyex')).toContain('[cloud:docker]');
  });

  test('an existing name is refused and stays as it is', async () => {
    await running.client.createEndpoint('pyex', PYEX);
    const before = await running.endpoint('pyex');
    expect(await code(running.client.createEndpoint('pyex', pyexAt('http://other/')))).toBe('exists');
    expect(await running.endpoint('pyex')).toEqual(before);
  });

  test('a hundred endpoints given their URLs at the same moment are all there', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `e${index}`);
    await Promise.all(names.map((name, index) => running.client.createEndpoint(name, pyexAt(`http://:${9000 + index}`))));
    expect(await running.client.endpoints()).toHaveLength(100);
  });

  test('INI, a JSON object and a JSON string that holds INI store the same document', async () => {
    await running.ask('PUT', '/v1.1/endpoints/a', { headers: INI, body: PYEX });
    const document = (await running.endpoint('a'))?.document;
    for (const [name, body] of [
      ['b', JSON.stringify(document)],
      ['c', JSON.stringify(PYEX)],
    ] as const) {
      const answer = await running.ask('PUT', `/v1.0/endpoints/${name}`, { headers: JSON_TYPE, body });
      expect(answer.status).toBe(200);
      expect((await running.endpoint(name))?.document).toEqual(document);
    }
  });

  test('text/plain is read as INI, with its warnings in the answer', async () => {
    const body = `${PYEX}\n[scalling]\nmin_instances=2\n`;
    const answer = await running.ask('PUT', '/v1.1/endpoints/pyex', { headers: { 'content-type': 'text/plain' }, body });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text).warnings.join()).toMatch(/scalling.*scaling/);
  });

  test('a configuration that is not valid changes nothing and says what is wrong', async () => {
    const bad = PYEX.replace('max_instances=5', 'max_instances=0x10');
    const answer = await running.ask('PUT', '/v1.1/endpoints/pyex', { headers: INI, body: bad });
    expect(answer.status).toBe(422);
    expect(answer.body.error?.code).toBe('config_invalid');
    expect(answer.body.error?.message).toMatch(/max_instances.*'0x10'/);
    expect(await running.client.endpoints()).toEqual([]);
  });

  test('an empty configuration is refused', async () => {
    for (const [headers, body] of [
      [INI, ' \n'],
      [JSON_TYPE, '""'],
    ] as const) {
      const answer = await running.ask('PUT', '/v1.1/endpoints/pyex', { headers, body });
      expect([answer.status, answer.body.error?.message]).toEqual([400, "empty config; use 'remove' to delete"]);
    }
  });

  test.each(['[]', '7', 'null', '[endpoint]\nport=1\n', '<!DOCTYPE html>', '{"endpoint":'])(
    'JSON %j is no configuration',
    async (body) => {
      const answer = await running.ask('PUT', '/v1.1/endpoints/pyex', { headers: JSON_TYPE, body });
      expect([answer.status, answer.body.error?.code]).toEqual([400, 'config_syntax']);
    },
  );

  test.each(['a%20b', '%E2%80%AEx', 'x'.repeat(65), '-x', '__proto__', 'constructor', 'a%0D%0Ab'])(
    'the name %s is refused in one line',
    async (name) => {
      const answer = await running.ask('PUT', `/v1.1/endpoints/${name}`, { headers: INI, body: PYEX });
      expect(answer.status).toBe(400);
      expect(answer.body.error?.message).not.toMatch(/\p{Cc}|\u202e/u);
      expect(await running.client.endpoints()).toEqual([]);
    },
  );
});

describe('replacing', () => {
  test('an absent endpoint is not made', async () => {
    expect(await code(running.client.replaceEndpoint('pyex', PYEX))).toBe('not_found');
    expect(await running.client.endpoints()).toEqual([]);
  });

  test('keeps the state and the uid', async () => {
    await running.client.createEndpoint('pyex', PYEX);
    await running.client.act('pyex', 'start');
    await running.client.replaceEndpoint('pyex', PYEX.replace('max_instances=5', 'max_instances=7'));
    const record = await running.endpoint('pyex');
    expect(record).toMatchObject({ state: 'RUNNING', uid: 'uid-1' });
    expect(record?.document['scaling']).toMatchObject({ max_instances: '7' });
  });

  test('the same configuration again commits nothing', async () => {
    const first = await running.client.manageEndpoint('pyex', PYEX);
    const second = await running.client.manageEndpoint('pyex', PYEX);
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.revision).toBe(first.revision);
  });

  test('If-Match with an old revision is refused with the current one, and nothing changes', async () => {
    const { revision } = await running.client.createEndpoint('pyex', PYEX);
    const changed = await running.client.setValue('pyex', 'scaling', 'max_instances', '6');
    const answer = await running.ask('POST', '/v1.1/endpoints/pyex', {
      headers: { ...INI, 'if-match': `"${revision}"` },
      body: PYEX,
    });
    expect(answer.status).toBe(412);
    expect(answer.body.error).toMatchObject({ code: 'revision_mismatch', details: { revision: changed.revision } });
    expect(answer.headers.get('etag')).toBe(`"${changed.revision}"`);
    expect((await running.endpoint('pyex'))?.document['scaling']?.['max_instances']).toBe('6');
    const shown = await running.ask('GET', '/v1.1/endpoints/pyex');
    expect(shown.headers.get('etag')).toBe(`"${changed.revision}"`);
    await running.client.replaceEndpoint('pyex', PYEX, { ifRevision: changed.revision });
    expect((await running.endpoint('pyex'))?.document['scaling']?.['max_instances']).toBe('5');
  });

  test.each(['"x"', 'W/"1"', '"1", "2"', '-1'])('If-Match %s is refused', async (ifMatch) => {
    const answer = await running.ask('POST', '/v1.1/endpoints/pyex', { headers: { ...INI, 'if-match': ifMatch }, body: PYEX });
    expect([answer.status, answer.body.error?.code]).toEqual([400, 'request_invalid']);
  });

  test('whoever loses the race is told, and the winner stands', async () => {
    await running.client.createEndpoint('pyex', PYEX);
    running.rival.before = () => running.client.setValue('pyex', 'scaling', 'min_instances', '2');
    expect(await code(running.client.replaceEndpoint('pyex', PYEX.replace('max_instances=5', 'max_instances=9')))).toBe(
      'conflict',
    );
    expect((await running.endpoint('pyex'))?.document['scaling']).toEqual({ min_instances: '2', max_instances: '5' });
  });

  test('whoever loses the race to a name is told that it exists', async () => {
    running.rival.before = () => running.client.createEndpoint('pyex', pyexAt('http://first/'));
    expect(await code(running.client.createEndpoint('pyex', pyexAt('http://second/')))).toBe('exists');
    expect((await running.endpoint('pyex'))?.document['endpoint']?.['url']).toBe('http://first/');
  });
});

describe('setting one key', () => {
  beforeEach(() => running.client.createEndpoint('pyex', PYEX));

  test('changes that key and no other', async () => {
    await running.client.setValue('pyex', 'scaling', 'rules', '0 < rate < 1');
    expect((await running.endpoint('pyex'))?.document['scaling']).toEqual({
      min_instances: '1',
      max_instances: '5',
      rules: '0 < rate < 1',
    });
    await running.client.setValue('pyex', 'scaling', 'rules', null);
    expect((await running.endpoint('pyex'))?.document['scaling']).toEqual({ min_instances: '1', max_instances: '5' });
  });

  test('ten at once lose nothing', async () => {
    const keys = Array.from({ length: 10 }, (_, index) => `key_${index}`);
    await Promise.all(keys.map((key) => running.client.setValue('pyex', 'notes', key, 'x')));
    expect(Object.keys((await running.endpoint('pyex'))?.document['notes'] ?? {}).sort()).toEqual(keys);
  });

  test('is judged as part of the whole', async () => {
    expect(await code(running.client.setValue('pyex', 'scaling', 'min_instances', '6'))).toBe('config_invalid');
    expect((await running.endpoint('pyex'))?.document['scaling']?.['min_instances']).toBe('1');
  });

  test.each([
    ['{"section":"scaling","key":"rules"}', /missing key 'value'/],
    ['{"section":"scaling","key":"rules","value":"","uid":"x"}', /unknown key 'uid'/],
    ['{"section":"scaling","key":"rules","value":7}', /expected a string/],
    ['{"section":"__proto__","key":"polluted","value":"1"}', /reserved name/],
    ['[]', /expected a JSON object/],
    ['{', /not JSON/],
  ])('the body %s is refused', async (body, message) => {
    const answer = await running.ask('PATCH', '/v1.1/endpoints/pyex', { headers: JSON_TYPE, body });
    expect(answer.status).toBe(400);
    expect(answer.body.error?.message).toMatch(message);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('a race that does not end is given up with a conflict', async () => {
    let rounds = 0;
    const interfere = async (): Promise<void> => {
      running.rival.before = interfere;
      const record = await running.endpoint('pyex');
      await running.put(KEYS.endpoint('pyex'), { ...record, changedAtMs: ++rounds });
    };
    running.rival.before = interfere;
    expect(await code(running.client.setValue('pyex', 'scaling', 'max_instances', '6'))).toBe('conflict');
    running.rival.before = null;
    expect(rounds).toBeLessThan(100);
  });
});

describe('the state', () => {
  beforeEach(() => running.client.createEndpoint('pyex', PYEX));

  test.each([
    ['start', 'RUNNING'],
    ['STOP', 'STOPPED'],
    ['Pause', 'PAUSED'],
  ])('%s makes it %s', async (action, state) => {
    const answer = await running.ask('POST', '/v1.0/endpoints/pyex/state', {
      headers: JSON_TYPE,
      body: JSON.stringify({ action }),
    });
    expect([answer.status, (await running.client.state('pyex')).state]).toEqual([200, state]);
  });

  test.each(['{"action":"strat"}', '{"action":null}', '{"action":{}}'])('%s is refused with the choices', async (body) => {
    const answer = await running.ask('POST', '/v1.1/endpoints/pyex/state', { headers: JSON_TYPE, body });
    expect(answer.status).toBe(400);
    expect(answer.body.error?.message).toMatch(/expected start, stop or pause/);
  });

  test('doing it twice commits once and is logged once', async () => {
    await running.client.act('pyex', 'start');
    const before = await running.endpoint('pyex');
    running.clock.nowMs += 1_000;
    await running.client.act('pyex', 'start');
    expect(await running.endpoint('pyex')).toEqual(before);
    const events = (await running.store.tail(LOGS.endpoint('pyex'), 0, 100)).map((entry) => entry.event);
    expect(events).toEqual(['CONFIG_UPDATED', 'ENDPOINT_STARTED']);
  });
});

describe('removing', () => {
  test('leaves a tombstone, and the endpoint is gone for everybody', async () => {
    await running.client.createEndpoint('pyex', PYEX);
    await running.client.removeEndpoint('pyex');
    expect(await running.endpoint('pyex')).toMatchObject({ state: 'REMOVED', uid: 'uid-1' });
    expect(await running.client.endpoints()).toEqual([]);
    expect(await code(running.client.endpoint('pyex'))).toBe('not_found');
    expect(await code(running.client.act('pyex', 'start'))).toBe('not_found');
    expect((await running.client.info()).endpoints).toEqual({});
  });

  test('is fine when there is none', async () => {
    await running.client.removeEndpoint('never');
    expect((await running.ask('DELETE', '/v1.1/endpoints/never')).status).toBe(200);
  });

  test('the name can be taken again, with a new uid', async () => {
    await running.client.createEndpoint('pyex', PYEX);
    await running.client.removeEndpoint('pyex');
    await running.client.createEndpoint('pyex', PYEX);
    expect(await running.endpoint('pyex')).toMatchObject({ state: 'PAUSED', uid: 'uid-2' });
  });

  test('old tombstones go with the next change, but not while an instance of theirs is left', async () => {
    for (const name of ['empty', 'busy', 'young']) await running.client.createEndpoint(name, pyexAt(`http://${name}/`));
    await running.put(KEYS.instance('i1'), anInstance('i1', { endpoint: 'busy', endpointUid: 'uid-2', phase: 'drain' }));
    await running.client.removeEndpoint('empty');
    await running.client.removeEndpoint('busy');
    running.clock.nowMs += 3_600_001;
    await running.client.removeEndpoint('young');
    expect(await running.endpoint('empty')).toBeNull();
    expect(await running.endpoint('busy')).toMatchObject({ state: 'REMOVED' });
    expect(await running.endpoint('young')).toMatchObject({ state: 'REMOVED' });
  });
});

describe('two endpoints at one URL', () => {
  const withSsl = `${pyexAt('https://one.example/')}\n[loadbalancer:nginx]\nssl=true\n`;

  test('share it when they are served alike', async () => {
    await running.client.createEndpoint('a', pyexAt('http://one.example/'));
    await running.client.createEndpoint('b', pyexAt('http://one.example/'));
    const third = await running.ask('PUT', '/v1.1/endpoints/c', { headers: INI, body: pyexAt('http://one.example/') });
    expect(await running.client.endpoints()).toEqual(['a', 'b', 'c']);
    expect(third.body).toMatchObject({
      warnings: ['endpoint.url: served by a, b, too: requests are split between the instances of all, by weight'],
    });
    const elsewhere = await running.ask('PUT', '/v1.1/endpoints/d', { headers: INI, body: pyexAt('http://one.example/d/') });
    expect(elsewhere.body).toMatchObject({ warnings: [] });
  });

  test('are refused with the name of the first when they are not', async () => {
    await running.client.createEndpoint('first', withSsl);
    const body = `${withSsl}redirect=http://elsewhere/\n`
      .replace('ssl=true', 'ssl=false')
      .replace('https://one.example/', 'http://one.example:443/');
    const answer = await running.ask('PUT', '/v1.1/endpoints/second', { headers: INI, body });
    expect([answer.status, answer.body.error?.code]).toEqual([409, 'exists']);
    expect(answer.body.error?.message).toContain("'first'");
    expect(await running.client.endpoints()).toEqual(['first']);
  });

  test('cannot slip past each other when they come at the same moment', async () => {
    const plain = pyexAt('http://one.example:443/');
    running.rival.before = () => running.client.createEndpoint('second', plain);
    expect(await code(running.client.createEndpoint('first', withSsl))).toBe('exists');
    expect(await running.client.endpoints()).toEqual(['second']);
  });

  test('may have different certificates, so that a renewed one can be given to each in turn', async () => {
    const signed = `${pyexAt('https://one.example/').replace('=nginx', '=haproxy')}\n[loadbalancer:haproxy]\nssl=true\n`;
    const indented = (pem: string): string => pem.trim().replaceAll('\n', '\n  ');
    for (const name of ['first', 'second']) {
      const { certificate, key } = selfSigned({ names: ['one.example'], fromMs: Date.now(), untilMs: Date.now() + 86_400_000 });
      await running.client.createEndpoint(name, `${signed}ssl_certificate=${indented(certificate)}\nssl_key=${indented(key)}\n`);
    }
    expect(await running.client.endpoints()).toEqual(['first', 'second']);
  });

  test('a removed one holds no URL', async () => {
    await running.client.createEndpoint('first', withSsl);
    await running.client.removeEndpoint('first');
    await running.client.createEndpoint('second', pyexAt('http://one.example:443/'));
    expect(await running.client.endpoints()).toEqual(['second']);
  });
});

describe('one TCP port of the hosts', () => {
  const served = (url: string, by: string): string =>
    `[endpoint]\nurl=${url}\nloadbalancer=${by}\nstatic_instances=10.0.0.5:80\n`;

  test.each([
    ['nginx and haproxy', served('http://a.example/', 'nginx'), served('http://b.example/', 'haproxy')],
    ['haproxy and tcp', served('tcp://5432', 'haproxy'), served('tcp://:5432', 'tcp')],
    ['tcp and nginx', served('tcp://80', 'tcp'), served('http://b.example/', 'nginx')],
    ['two protocols of haproxy', served('tcp://80', 'haproxy'), served('http://b.example/', 'haproxy')],
  ])('is not for %s', async (_who, first, second) => {
    await running.client.createEndpoint('first', first);
    const answer = await running.ask('PUT', '/v1.1/endpoints/second', { headers: INI, body: second });
    expect([answer.status, answer.body.error?.code]).toEqual([409, 'exists']);
    expect(answer.body.error?.message).toMatch(/'first'/);
    expect(await running.client.endpoints()).toEqual(['first']);
  });

  test.each([
    ['two hosts of one load balancer', served('http://a.example/', 'haproxy'), served('http://b.example/', 'haproxy')],
    ['two backends of one tcp port', served('tcp://5432', 'haproxy'), served('tcp://:5432', 'haproxy')],
    ['a name, which needs no port', served('dns://db.example', 'dnsmasq'), served('dns://other.example', 'dnsmasq')],
  ])('is for %s', async (_who, first, second) => {
    await running.client.createEndpoint('first', first);
    await running.client.createEndpoint('second', second);
    expect(await running.client.endpoints()).toEqual(['first', 'second']);
  });
});

describe('B52: a port of an API', () => {
  test('is not given to an endpoint, this one’s or another host’s', async () => {
    await running.put(KEYS.host('host-b'), aHost('host-b', { apiUrl: 'http://10.0.0.2:8079' }));
    await running.put(KEYS.host('host-c'), aHost('host-c', { apiUrl: 'what a host says' }));
    for (const port of [running.port, 8079]) {
      const body = `[endpoint]\nurl=http://a.example:${port}/\nloadbalancer=nginx\nstatic_instances=10.0.0.5:80\n`;
      const answer = await running.ask('PUT', '/v1.1/endpoints/a', { headers: INI, body });
      expect([answer.status, answer.body.error?.message]).toEqual([
        409,
        `port ${port} is used by reactor itself, for its API; use another port`,
      ]);
    }
    expect(await running.client.endpoints()).toEqual([]);
  });

  test('may stand in the url of an endpoint that nothing serves, and a name needs none', async () => {
    await running.client.createEndpoint('a', { endpoint: { url: `http://:${running.port}` } });
    await running.client.createEndpoint('b', { endpoint: { url: 'dns://b.example', loadbalancer: 'dnsmasq' } });
    expect(await running.client.endpoints()).toEqual(['a', 'b']);
  });
});

describe('secrets', () => {
  const secret = `${PYEX}environment=TOKEN=canary-1,MODE=canary-2\n`;

  test('are masked unless asked for, in every form', async () => {
    await running.client.createEndpoint('pyex', secret);
    expect((await running.client.endpoint('pyex'))['cloud:docker']?.['environment']).toBe('TOKEN=***,MODE=***');
    expect(await running.client.endpointIni('pyex')).not.toContain('canary');
    expect((await running.client.endpoint('pyex', { secrets: true }))['cloud:docker']?.['environment']).toContain(
      'TOKEN=canary-1',
    );
    expect(await running.client.endpointIni('pyex', { secrets: true })).toContain('canary-2');
  });

  test('a masked document written back keeps them', async () => {
    await running.client.createEndpoint('pyex', secret);
    const before = await running.endpoint('pyex');
    await running.client.replaceEndpoint('pyex', await running.client.endpoint('pyex'));
    expect(await running.endpoint('pyex')).toEqual(before);
    await running.client.setValue('pyex', 'cloud:docker', 'environment', 'MODE=***,NEW=1');
    expect((await running.endpoint('pyex'))?.document['cloud:docker']?.['environment']).toBe('MODE=canary-2,NEW=1');
  });

  test('are headers for the instances too, and kept when the mask is written back', async () => {
    const headers = '[loadbalancer:nginx]\nrequest_headers =\n  X-Key: canary-4\n  X-B: canary-5\n';
    await running.client.createEndpoint('pyex', `${PYEX}${headers}`);
    const before = await running.endpoint('pyex');
    const masked = await running.client.endpoint('pyex');
    expect(masked['loadbalancer:nginx']?.['request_headers']).toBe('***');
    await running.client.replaceEndpoint('pyex', masked);
    expect(await running.endpoint('pyex')).toEqual(before);
  });

  test('a mask for nothing is refused', async () => {
    expect(await code(running.client.createEndpoint('pyex', `${PYEX}environment=TOKEN=***\n`))).toBe('config_invalid');
  });

  test('never reach the log', async () => {
    await running.client.createEndpoint('pyex', secret);
    await running.client.setValue('pyex', 'cloud:docker', 'environment', 'TOKEN=canary-3');
    const entries = JSON.stringify(await running.store.tail(LOGS.endpoint('pyex'), 0, 100));
    expect(entries).toContain('cloud:docker.environment');
    expect(entries + running.logged.join()).not.toContain('canary');
  });
});

test('a log that cannot be written does not undo what was committed', async () => {
  const append = running.store.append;
  Object.assign(running.store, { append: () => Promise.reject(new ReactorError('state_unavailable', 'gone')) });
  await running.client.createEndpoint('pyex', PYEX);
  Object.assign(running.store, { append });
  expect((await running.endpoint('pyex')) satisfies EndpointRecord | null).toMatchObject({ state: 'PAUSED' });
  expect(running.logged.join()).toMatch(/could not write CONFIG_UPDATED to the log of 'pyex'/);
});
