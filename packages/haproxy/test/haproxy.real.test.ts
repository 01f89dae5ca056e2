import { readdirSync, readFileSync, statSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { Backend, HaproxyService, LoadBalancer } from '@reactor/core';
import { ask, eventually, freePort } from '@reactor/testkit';
import { Runtime } from '../src/runtime.js';
import { OwnHaproxy } from './own-haproxy.js';
import { backendAt, serviceAt } from './services.js';

let haproxy: OwnHaproxy;
beforeEach(() => {
  haproxy = new OwnHaproxy();
});
afterEach(() => haproxy.stop());

const named = (name: string) => haproxy.backend((_request, response) => response.end(name));
const runtime = () => new Runtime(haproxy.place.masterSocket);

/** What may not change when there is nothing to do: processes, and every file with its time and number. */
async function standing(): Promise<unknown> {
  const files = ['haproxy.cfg', 'pems', 'haproxy.pid', 'error.log'].map((name) => {
    const { ino, mtimeMs } = statSync(join(haproxy.directory, name));
    return [name, ino, mtimeMs];
  });
  return { master: haproxy.pid, workers: await runtime().workers(), files, names: readdirSync(haproxy.directory).sort() };
}

/** Requests over connections that stay open, one after the other on each, until told to end. */
function keepAliveLoad(port: number, connections: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const failures: string[] = [];
  const answers = new Map<string, number>();
  let going = true;
  const one = () =>
    new Promise<void>((resolve) => {
      const sent = request({ host: '127.0.0.1', port, agent }, (response) => {
        let text = '';
        response.on('data', (part) => {
          text += part;
        });
        response.on('end', () => {
          if (response.statusCode !== 200) failures.push(String(response.statusCode));
          answers.set(text, (answers.get(text) ?? 0) + 1);
          resolve();
        });
        response.on('error', (error) => resolve(void failures.push(error.message)));
      });
      sent.on('error', (error) => resolve(void failures.push(error.message)));
      sent.end();
    });
  const lanes = Array.from({ length: connections }, async () => {
    while (going) await one();
  });
  const stop = async () => {
    going = false;
    await Promise.all(lanes);
    agent.destroy();
    return { failures, answered: [...answers.values()].reduce((sum, count) => sum + count, 0) };
  };
  return { answers, stop };
}

test('http: host, path, prefix, headers, redirect, unknown names, and what would climb out of a prefix', async () => {
  const balancer = await haproxy.open();
  const port = await freePort();
  const echo = await haproxy.backend((request, response) =>
    response.end(JSON.stringify({ url: request.url, headers: request.headers })),
  );
  const report = await balancer.apply([
    serviceAt('path', port, { host: 'a.b', path: '/path/', backends: [backendAt(echo)] }),
    serviceAt('exact', port, { host: 'a.b', path: '/exact', backends: [backendAt(echo)] }),
    serviceAt('root', port, { host: 'a.b', backends: [backendAt(await named('root'))] }),
    serviceAt('moved', port, { host: 'moved', redirect: 'http://127.0.0.1:1/x' }),
    serviceAt('empty', port, { host: 'empty' }),
  ]);
  expect(report).toEqual({ changed: true, setAside: {} });
  const at = (path: string, host = 'A.b:81') =>
    ask(port, { path, headers: { Host: host, 'X-Forwarded-Proto': 'https', 'X-Real-IP': '6.6.6.6' } });
  expect((await at('/')).body).toBe('root');
  const inner = JSON.parse((await at('/path/a%20b?x=1')).body);
  expect(inner).toMatchObject({
    url: '/a%20b?x=1',
    headers: { 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1', 'x-forwarded-proto': 'http' },
  });
  expect(JSON.parse((await at('/exact?y')).body).url).toBe('/?y');
  expect((await at('/exact/more')).body).toBe('root');
  expect((await at('/path')).headers.location).toBe('/path/');
  for (const path of ['/path/../etc', '/path/%2e%2e/etc', '/path/a/%2E%2e']) expect((await at(path)).status).toBe(400);
  expect([(await at('/', 'nobody')).status, (await at('/', 'empty')).status]).toEqual([404, 503]);
  expect((await at('/', 'moved')).headers.location).toBe('http://127.0.0.1:1/x');
});

test('servers come, go and change weight over the socket: no reload, no failed request, no request to who is gone', async () => {
  const balancer = await haproxy.open();
  const port = await freePort();
  const backends: Backend[] = [];
  for (const name of ['a', 'b', 'c', 'd']) backends.push(backendAt(await named(name), name));
  const serve = (...some: readonly (Backend | undefined)[]) =>
    balancer.apply([serviceAt('web', port, { haproxy: { sticky: true }, backends: some.map((each) => each!) })]);
  await serve(backends[0]);
  const load = keepAliveLoad(port, 20);
  for (let round = 0; round < 10; round += 1) {
    await serve(backends[0], backends[1]);
    await serve(...backends);
    await serve({ ...backends[0]!, weight: 50 }, backends[2]);
    await serve(backends[3]);
    // Acknowledged: from here on only the one that is left answers.
    const before = new Map(load.answers);
    await eventually(() => ((load.answers.get('d') ?? 0) > (before.get('d') ?? 0) + 40 ? true : null));
    // Each connection may have had one request under way.
    for (const gone of ['a', 'b', 'c']) expect((load.answers.get(gone) ?? 0) - (before.get(gone) ?? 0)).toBeLessThanOrEqual(20);
    const settled = new Map(load.answers);
    await eventually(() => ((load.answers.get('d') ?? 0) > (settled.get('d') ?? 0) + 40 ? true : null));
    for (const gone of ['a', 'b', 'c']) expect(load.answers.get(gone) ?? 0).toBe(settled.get(gone) ?? 0);
    await serve(backends[0], backends[3]);
  }
  const { failures, answered } = await load.stop();
  expect(failures).toEqual([]);
  expect(answered).toBeGreaterThan(800);
  expect(haproxy.reloads()).toBe(0);
  // What the file says is what a restart would serve.
  expect(readFileSync(haproxy.place.configFile, 'utf8').match(/^ {4}server /gm)?.length).toBe(2);
});

test('a client stays where its cookie says, also at a server that came later, and moves on when that is gone', async () => {
  const balancer = await haproxy.open();
  const port = await freePort();
  const [a, b] = [backendAt(await named('a'), 'a'), backendAt(await named('b'), 'b')];
  const serve = (...backends: Backend[]) => balancer.apply([serviceAt('web', port, { haproxy: { sticky: true }, backends })]);
  await serve(a);
  await serve(a, b);
  const first = await eventually(async () => {
    const answer = await ask(port);
    return answer.body === 'b' ? answer : null;
  });
  const cookie = first.headers['set-cookie']![0]!.split(';')[0]!;
  expect(cookie).toMatch(/^REACTOR=[0-9a-f]{16}$/);
  const again = async () => (await ask(port, { headers: { Cookie: cookie } })).body;
  for (let i = 0; i < 6; i += 1) expect(await again()).toBe('b');
  await serve(a);
  for (let i = 0; i < 6; i += 1) expect(await again()).toBe('a');
  expect(haproxy.reloads()).toBe(0);
});

test('another structure takes one acknowledged reload; old workers finish what they have and are asked for it', async () => {
  const balancer = await haproxy.open();
  const port = await freePort();
  let finish = () => {};
  const slow = backendAt(
    await haproxy.backend((request, response) => {
      if (request.url !== '/slow') return void response.end('fast');
      finish = () => void response.end('slow');
    }),
    'i1',
  );
  await balancer.apply([serviceAt('web', port, { backends: [slow] })]);
  const pending = ask(port, { path: '/slow' });
  const active = async () => (await balancer.traffic(Date.now())).endpoints['web']?.backends['i1']?.active;
  await eventually(async () => ((await active()) === 1 ? true : null));
  const draining = serviceAt('web', port, { draining: [slow] });
  await balancer.apply([draining, serviceAt('other', await freePort())]);
  expect(haproxy.reloads()).toBe(1);
  expect((await runtime().workers()).map(({ old }) => old)).toEqual([false, true]);
  expect((await ask(port)).status).toBe(503);
  expect(await active()).toBe(1);
  finish();
  expect((await pending).body).toBe('slow');
  await eventually(async () => ((await active()) === 0 ? true : null));
});

test('tcp: sessions are served, counted while they are open, and survive both a change and a restart of the daemon', async () => {
  const balancer = await haproxy.open();
  const port = await freePort();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  const backend = backendAt(await haproxy.listen(server), 'db1');
  const services = [
    serviceAt('db', port, { scheme: 'tcp', haproxy: { sticky: true, balance: 'leastconn' }, backends: [backend] }),
  ];
  expect((await balancer.apply(services)).setAside).toEqual({});
  const client = connect(port, '127.0.0.1');
  const echo = (text: string) =>
    new Promise<string>((resolve) => {
      client.once('data', (part) => resolve(part.toString()));
      client.write(text);
    });
  expect(await echo('one')).toBe('one');
  const figures = async (from: LoadBalancer<HaproxyService>) => (await from.traffic(Date.now())).endpoints['db'];
  expect(await eventually(async () => ((await figures(balancer))?.active === 1 ? 1 : null))).toBe(1);
  await balancer.close();
  const next = await haproxy.open();
  expect(
    (
      await next.apply([
        serviceAt('db', port, { scheme: 'tcp', haproxy: { sticky: true, balance: 'leastconn' }, draining: [backend] }),
      ])
    ).changed,
  ).toBe(true);
  expect(await echo('two')).toBe('two');
  expect((await figures(next))?.backends['db1']?.active).toBe(1);
  client.end();
  const ended = await eventually(async () => {
    const seen = await figures(next);
    return seen?.active === 0 && seen.buckets.length > 0 ? seen : null;
  });
  expect(ended.buckets.reduce((sum, { requests }) => sum + requests, 0)).toBe(1);
});

test('what it saw: rate, bytes, times, errors, by endpoint and instance; the first ones when nothing serves', async () => {
  const balancer = await haproxy.open();
  const port = await freePort();
  const good = backendAt(
    await haproxy.backend((_request, response) => void setTimeout(() => response.end('x'.repeat(1_000)), 30)),
    'good',
  );
  const bad = backendAt(await haproxy.backend((_request, response) => response.writeHead(500).end()), 'bad');
  await balancer.apply([serviceAt('web', port)]);
  expect((await ask(port)).status).toBe(503);
  const totals = async () => {
    const web = (await balancer.traffic(Date.now())).endpoints['web']!;
    const sum = (of: (bucket: (typeof web.buckets)[number]) => number) =>
      web.buckets.reduce((total, each) => total + of(each), 0);
    return {
      web,
      requests: sum((b) => b.requests),
      bytes: sum((b) => b.bytes),
      timed: sum((b) => b.timed),
      seconds: sum((b) => b.seconds),
      errors: sum((b) => b.errors),
    };
  };
  expect(await eventually(async () => ((await totals()).requests === 1 ? totals() : null))).toMatchObject({ timed: 0 });
  await balancer.apply([serviceAt('web', port, { backends: [good, bad] })]);
  for (let i = 0; i < 20; i += 1) await ask(port);
  const seen = await eventually(async () => ((await totals()).requests === 21 ? totals() : null));
  expect(seen).toMatchObject({ timed: 20, errors: 10 });
  expect(seen.bytes).toBeGreaterThan(10_000);
  expect(seen.seconds / 10).toBeGreaterThan(0.025);
  expect(seen.seconds / 10).toBeLessThan(0.3);
  expect(seen.web.backends).toMatchObject({ good: { requests: 10, errors: 0, refused: 0 }, bad: { requests: 10, errors: 10 } });
  expect(seen.web.times.length).toBeGreaterThanOrEqual(4);
});

test('check_url takes a failing instance out and reports it; errorloc sends clients elsewhere', async () => {
  const balancer = await haproxy.open();
  const port = await freePort();
  let ill = true;
  const answer = (name: string) =>
    haproxy.backend((request, response) => {
      if (request.url === '/health') return void response.writeHead(ill && name === 'ill' ? 500 : 204).end();
      response.end(name);
    });
  const backends = [backendAt(await answer('well'), 'well'), backendAt(await answer('ill'), 'ill')];
  const haproxyParts = { checkUrl: '/health', errorLocation: '/sorry/CODE' };
  await balancer.apply([serviceAt('web', port, { backends, haproxy: haproxyParts })]);
  const refused = async () => (await balancer.traffic(Date.now())).endpoints['web']?.backends['ill']?.refused;
  await eventually(async () => ((await refused())! > 0 ? true : null), 15_000);
  for (let i = 0; i < 6; i += 1) expect((await ask(port)).body).toBe('well');
  ill = false;
  await eventually(async () => ((await ask(port)).body === 'ill' ? true : null), 15_000);
  await balancer.apply([serviceAt('web', port, { haproxy: haproxyParts })]);
  expect((await ask(port)).headers.location).toBe('/sorry/503');
}, 40_000);

test('a restarted daemon with nothing to do changes nothing; one that finds haproxy dead starts the same again', async () => {
  const port = await freePort();
  const [a, b] = [backendAt(await named('a'), 'a'), backendAt(await named('b'), 'b')];
  const services = [serviceAt('web', port, { haproxy: { sticky: true }, backends: [a, b] })];
  const first = await haproxy.open();
  await first.apply([serviceAt('web', port, { haproxy: { sticky: true }, backends: [a] })]);
  await first.apply(services);
  expect((await first.apply(services)).changed).toBe(false);
  await first.close();
  const before = await standing();
  const second = await haproxy.open();
  expect(await second.apply(services)).toEqual({ changed: false, setAside: {} });
  expect(await standing()).toEqual(before);
  for (const victim of [async () => haproxy.pid!, async () => (await runtime().workers())[0]!.pid]) {
    const { pid } = haproxy;
    process.kill(await victim(), 'SIGKILL');
    await eventually(async () => {
      const answer = await ask(port).catch(() => null);
      return haproxy.pid !== null && haproxy.pid !== pid && answer?.status === 200 ? true : null;
    });
    expect(await second.apply(services)).toEqual({ changed: false, setAside: {} });
  }
  expect(haproxy.reloads()).toBe(0);
});

test('with nothing to serve, and nothing left to finish, it is stopped', async () => {
  const balancer = await haproxy.open();
  expect((await balancer.apply([])).changed).toBe(false);
  expect(haproxy.pid).toBeNull();
  const port = await freePort();
  await balancer.apply([serviceAt('web', port, { backends: [backendAt(await named('a'))] })]);
  await balancer.apply([]);
  await expect(ask(port)).rejects.toThrow();
  await eventually(() => (haproxy.pid === null ? true : null));
  await balancer.apply([serviceAt('web', port, { backends: [backendAt(await named('b'))] })]);
  expect((await ask(port)).body).toBe('b');
});

test('a port that another program has, and a certificate that haproxy refuses, set their own endpoints aside', async () => {
  const balancer = await haproxy.open();
  const [free, taken, tls] = [await freePort(), await haproxy.listen(createServer()), await freePort()];
  const fake = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const services = [
    serviceAt('free', free, { backends: [backendAt(await named('free'))] }),
    serviceAt('taken', taken),
    serviceAt('tls', tls, { scheme: 'https', haproxy: { ssl: true, sslCertificate: fake, sslKey: fake } }),
  ];
  const { setAside } = await balancer.apply(services);
  expect(Object.keys(setAside).sort()).toEqual(['taken', 'tls']);
  expect(setAside['taken']).toContain('is taken by another program');
  expect(setAside['tls']).toContain('haproxy refuses it');
  expect((await ask(free)).body).toBe('free');
  expect((await balancer.apply(services)).changed).toBe(false);
});

test('what passes its test and still cannot be run is taken back: the last good configuration serves on, also when asked again', async () => {
  const port = await freePort();
  const [a, b] = [backendAt(await named('a'), 'a'), backendAt(await named('b'), 'b')];
  const first = await haproxy.open();
  await first.apply([serviceAt('web', port, { backends: [a] })]);
  await first.close();
  const good = readFileSync(haproxy.place.configFile, 'utf8');
  const broken = await haproxy.open({ statsPath: '/no-such-directory/stats.sock' });
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await expect(broken.apply([serviceAt('web', port, { backends: [b] })])).rejects.toThrow('its workers did not change');
    expect(readFileSync(haproxy.place.configFile, 'utf8')).toBe(good);
    expect((await ask(port)).body).toBe('a');
  }
  await broken.close();
  const mended = await haproxy.open();
  await mended.apply([serviceAt('web', port, { backends: [b] })]);
  expect((await ask(port)).body).toBe('b');
});

test('what our allow-list lets through is what haproxy takes', async () => {
  const balancer = await haproxy.open({ globalOptions: ['log local0', 'log 127.0.0.1:514 local1 notice', 'nbthread 2'] });
  const odd = 'a.b_c~!&()*+,:=@-';
  const port = await freePort();
  const backends = [backendAt(await haproxy.backend((request, response) => response.end(request.url)), 'v6', 65_535)];
  const services = (['roundrobin', 'leastconn', 'uri', 'source'] as const).map((balance, index) =>
    serviceAt(balance, port, {
      host: ['a_b.c', '10.0.0.1', '[::1]', null][index]!,
      path: `/${odd}/`,
      redirect: `http://x.y:81/${odd}?${odd}`,
      backends: [...backends, backendAt(1, 'dead', 1, '::1')].slice(0, index === 3 ? 1 : 2),
      haproxy: {
        balance,
        sticky: true,
        checkUrl: index === 3 ? null : `/${odd}?${odd}`,
        errorLocation: `https://x.y/${odd}/CODE?${odd}`,
      },
    }),
  );
  const tcp = serviceAt('tcp', await freePort(), { scheme: 'tcp', haproxy: { sticky: true, checkUrl: '/' }, backends });
  expect((await balancer.apply([...services, tcp])).setAside).toEqual({});
  expect((await ask(port, { path: `/${odd}/x` })).body).toBe('/x');
});
