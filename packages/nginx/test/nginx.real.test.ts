import { readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { LoadBalancer } from '@reactor/core';
import { ask, eventually, freePort, freeze } from '@reactor/testkit';
import { titleOf } from '../src/workers.js';
import { OwnNginx } from './own-nginx.js';
import { backendAt, serviceAt } from './services.js';

let nginx: OwnNginx;
beforeEach(() => {
  nginx = new OwnNginx();
});
afterEach(async () => {
  await nginx.stop();
});

const generation = () => readlinkSync(join(nginx.directory, 'current'));

describe('serving', () => {
  test('requests reach the backend with the original host, the client address and the prefix stripped', async () => {
    const balancer = await nginx.open();
    const port = await freePort();
    const { port: backend } = await nginx.backend((request, response) => {
      response.end(JSON.stringify({ url: request.url, version: request.httpVersion, headers: request.headers }));
    });
    const report = await balancer.apply([
      serviceAt('root', port, { backends: [backendAt(backend)] }),
      serviceAt('path', port, { path: '/path/', backends: [backendAt(backend)] }),
      serviceAt('named', port, { host: 'a.b', backends: [] }),
    ]);
    expect(report).toEqual({ changed: true, setAside: {} });
    const spoofed = { 'X-Real-IP': '6.6.6.6', 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '9.9.9.9', Upgrade: 'h2c' };
    const root = JSON.parse((await ask(port, { path: '/a%2Fb//c?d=1', headers: { Host: `x.y:${port}`, ...spoofed } })).body);
    expect(root).toMatchObject({ url: '/a%2Fb//c?d=1', version: '1.1' });
    expect(root.headers).toMatchObject({
      host: `x.y:${port}`,
      'x-real-ip': '127.0.0.1',
      'x-forwarded-for': '9.9.9.9, 127.0.0.1',
      'x-forwarded-proto': 'http',
    });
    expect(root.headers.upgrade).toBeUndefined();
    expect(JSON.parse((await ask(port, { path: '/path/x?y' })).body).url).toBe('/x?y');
    expect((await ask(port, { path: '/path' })).headers.location).toBe('/path/');
    expect((await ask(port, { headers: { Host: 'a.b' } })).status).toBe(503);
  });

  test('without a backend: a page, or the redirect, neither of them remembered; an unknown host is not found', async () => {
    const balancer = await nginx.open();
    const [page, redirect, named] = [await freePort(), await freePort(), await freePort()];
    await balancer.apply([
      serviceAt('page', page),
      serviceAt('redirect', redirect, { redirect: 'http://127.0.0.1:1/x' }),
      serviceAt('named', named, { host: 'a.b' }),
    ]);
    const answer = await ask(page);
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({
      'content-type': 'text/html',
      'retry-after': '5',
      'cache-control': 'no-store',
      server: 'nginx',
    });
    expect(answer.body).toContain('Not available');
    expect(await ask(redirect)).toMatchObject({
      status: 301,
      headers: { location: 'http://127.0.0.1:1/x', 'cache-control': 'no-store' },
    });
    expect((await ask(named)).status).toBe(404);
    expect((await ask(named, { headers: { Host: 'a.b' } })).status).toBe(503);
  });

  test('a websocket upgrade goes through', async () => {
    const balancer = await nginx.open();
    const port = await freePort();
    const { port: backend, server } = await nginx.backend(() => {});
    server.on('upgrade', (request, socket) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${request.headers.upgrade}\r\nConnection: Upgrade\r\n\r\n`);
      socket.pipe(socket);
    });
    await balancer.apply([serviceAt('a', port, { backends: [backendAt(backend)] })]);
    const socket = connect(port, '127.0.0.1');
    let heard = '';
    socket.setEncoding('utf8').on('data', (part) => {
      heard += part;
    });
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    await eventually(async () => (heard.includes('101 Switching Protocols') ? true : null));
    socket.write('hello');
    await eventually(async () => (heard.endsWith('hello') ? true : null));
    expect((await balancer.traffic(Date.now())).endpoints['a']!.active).toBe(1);
    socket.destroy();
  });

  test('a POST that a backend dropped is not sent again, a GET is', async () => {
    const balancer = await nginx.open();
    const port = await freePort();
    const seen: string[] = [];
    const drop = await nginx.backend((request) => {
      seen.push(request.method!);
      request.socket.destroy();
    });
    const other = await nginx.backend((request, response) => {
      seen.push(request.method!);
      if (seen.filter((method) => method === request.method).length > 1) response.end('second');
      else request.socket.destroy();
    });
    await balancer.apply([serviceAt('a', port, { backends: [backendAt(drop.port), backendAt(other.port)] })]);
    expect((await ask(port, { method: 'POST', body: 'x' })).status).toBe(502);
    expect(seen).toEqual(['POST']);
    await ask(port);
    expect(seen.filter((method) => method === 'GET').length).toBeGreaterThan(1);
  });
});

describe('applying', () => {
  test('after the acknowledgement a removed backend gets no request', async () => {
    const balancer = await nginx.open();
    const port = await freePort();
    let acknowledged = false;
    let late = 0;
    const gone = await nginx.backend((request, response) => {
      // By what it was when the client sent it: one that was accepted before may still be under way.
      if (request.url === '/after') late++;
      response.end('gone');
    });
    const stays = await nginx.backend((_, response) => response.end('stays'));
    await balancer.apply([serviceAt('a', port, { backends: [backendAt(gone.port), backendAt(stays.port)] })]);
    let loading = true;
    const load = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (loading) await ask(port, { path: acknowledged ? '/after' : '/before' });
      }),
    );
    await balancer.apply([serviceAt('a', port, { backends: [backendAt(stays.port)] })]);
    acknowledged = true;
    for (let i = 0; i < 50; i++) await ask(port, { path: '/after' });
    loading = false;
    await load;
    expect(late).toBe(0);
  });

  test('the same services again write and reload nothing, whatever their order', async () => {
    const balancer = await nginx.open();
    const services = [serviceAt('a', await freePort()), serviceAt('b', await freePort())];
    await balancer.apply(services);
    const [reloads, folder] = [nginx.reloads(), generation()];
    expect(await balancer.apply([...services].reverse())).toEqual({ changed: false, setAside: {} });
    expect([nginx.reloads(), generation()]).toEqual([reloads, folder]);
    expect(readdirSync(join(nginx.directory, 'generations'))).toHaveLength(1);
  });

  test('100 changes in a burst are a few reloads, and the newest wins', async () => {
    const balancer = await nginx.open();
    const port = await freePort();
    const reports = await Promise.all(
      Array.from({ length: 100 }, (_, i) => balancer.apply([serviceAt('a', port, { redirect: `http://127.0.0.1:1/${i}` })])),
    );
    expect(reports).toHaveLength(100);
    expect(nginx.reloads()).toBeLessThanOrEqual(2);
    expect((await ask(port)).headers.location).toBe('http://127.0.0.1:1/99');
  });

  test('a port another program has sets its endpoint aside, and is taken when it is free', async () => {
    const balancer = await nginx.open();
    const [port, taken] = [await freePort(), await freePort()];
    const foreign = createServer();
    await new Promise<void>((resolve) => foreign.listen(taken, '127.0.0.1', resolve));
    const services = [serviceAt('a', port), serviceAt('b', taken)];
    expect(await balancer.apply(services)).toEqual({
      changed: true,
      setAside: { b: `port ${taken} is taken by another program` },
    });
    expect((await ask(port)).status).toBe(503);
    await new Promise((resolve) => foreign.close(resolve));
    expect(await balancer.apply(services)).toEqual({ changed: true, setAside: {} });
    expect((await ask(taken)).status).toBe(503);
  });

  test('an endpoint whose configuration nginx refuses is found and set aside alone, and not tested again', async () => {
    const balancer = await nginx.open();
    const ports = await Promise.all(Array.from({ length: 9 }, freePort));
    // A certificate that is PEM, and no certificate.
    const pem = (kind: string) => `-----BEGIN ${kind}-----\nQUJD\n-----END ${kind}-----\n`;
    const tls = { ssl: true, sslCertificate: pem('CERTIFICATE'), sslKey: pem('PRIVATE KEY') };
    const services = ports.map((port, i) =>
      i % 4 === 1 ? serviceAt(`e${i}`, port, { scheme: 'https', nginx: tls }) : serviceAt(`e${i}`, port),
    );
    const report = await balancer.apply(services);
    expect(report.changed).toBe(true);
    expect(Object.keys(report.setAside).sort()).toEqual(['e1', 'e5']);
    expect(report.setAside['e1']).toMatch(/^nginx refuses it: /);
    expect(report.setAside['e1']).not.toContain(nginx.directory);
    expect((await ask(ports[8]!)).status).toBe(503);
    expect((await balancer.apply(services)).changed).toBe(false);
  });

  test('a configuration that cannot be taken up leaves the last good one in place and running', async () => {
    const balancer = await nginx.open();
    const [port, late] = [await freePort(), await freePort()];
    await balancer.apply([serviceAt('a', port)]);
    const folder = generation();
    // nginx stopped in its tracks takes nothing up.
    await freeze(nginx.pid);
    const refused = await balancer.apply([serviceAt('a', port), serviceAt('b', late)]).then(
      () => null,
      (error: unknown) => error,
    );
    process.kill(nginx.pid, 'SIGCONT');
    expect(refused).toMatchObject({ code: 'balancer_unacknowledged' });
    expect(generation()).toBe(folder);
    expect((await ask(port)).status).toBe(503);
    expect((await balancer.apply([serviceAt('a', port), serviceAt('b', late)])).changed).toBe(true);
    expect((await ask(late)).status).toBe(503);
  }, 20_000);
});

describe('the process', () => {
  test('whose daemon died before the acknowledgement is told again, because nobody knows what it runs', async () => {
    const first = await nginx.open();
    const port = await freePort();
    await first.apply([serviceAt('a', port)]);
    await first.close();
    // As a kill between putting in place and confirming leaves it: `good` is not `current`.
    rmSync(join(nginx.directory, 'good'));
    const second = await nginx.open();
    expect((await second.apply([serviceAt('a', port)])).changed).toBe(true);
    expect((await second.apply([serviceAt('a', port)])).changed).toBe(false);
  });

  test('outlives the daemon and is taken over by the next one without a reload', async () => {
    const first = await nginx.open();
    const port = await freePort();
    const services = [serviceAt('a', port)];
    await first.apply(services);
    const [pid, folder, title] = [nginx.pid, generation(), titleOf(nginx.pid)];
    await first.close();
    expect((await ask(port)).status).toBe(503);
    nginx.counted.length = 0;
    const second = await nginx.open();
    expect(await second.apply(services)).toEqual({ changed: false, setAside: {} });
    expect([nginx.pid, generation(), titleOf(nginx.pid)]).toEqual([pid, folder, title]);
    expect(nginx.counted).toEqual([]);
  });

  test('killed, is started again with what it served, although its workers still hold the port', async () => {
    const balancer = await nginx.open();
    const port = await freePort();
    await balancer.apply([serviceAt('a', port)]);
    const killed = nginx.pid;
    process.kill(killed, 'SIGKILL');
    await eventually(async () => (nginx.pid !== killed && titleOf(nginx.pid) !== null ? true : null));
    expect((await ask(port)).status).toBe(503);
    expect((await balancer.apply([serviceAt('a', port, { redirect: 'http://127.0.0.1:1/' })])).changed).toBe(true);
    expect((await ask(port)).status).toBe(301);
  }, 20_000);

  test('is never mistaken: a pid file that names another process is not believed', async () => {
    const first = await nginx.open();
    const port = await freePort();
    await first.apply([serviceAt('a', port)]);
    const real = nginx.pid;
    await first.close();
    const signals: string[] = [];
    const heard = (signal: NodeJS.Signals) => signals.push(signal);
    process.on('SIGHUP', heard);
    writeFileSync(join(nginx.directory, 'nginx.pid'), `${process.pid}\n`);
    const second = await nginx.open();
    expect((await second.apply([serviceAt('a', port, { redirect: 'http://127.0.0.1:1/' })])).changed).toBe(true);
    expect((await ask(port)).status).toBe(301);
    process.off('SIGHUP', heard);
    expect(signals).toEqual([]);
    writeFileSync(join(nginx.directory, 'nginx.pid'), `${real}\n`);
  });
});

describe('what it saw', () => {
  const requestsOf = async (balancer: LoadBalancer, endpoint: string) =>
    ((await balancer.traffic(Date.now())).endpoints[endpoint]?.buckets ?? []).reduce((sum, { requests }) => sum + requests, 0);

  test('is the requests made: count, body bytes, errors, times, refusals, per endpoint and backend; idle, nothing is active', async () => {
    const balancer = await nginx.open();
    const port = await freePort();
    const dead = await freePort();
    const { port: backend } = await nginx.backend((request, response) => {
      response.statusCode = request.url === '/bad' ? 500 : 200;
      setTimeout(() => response.end('0123456789'), 20);
    });
    await balancer.apply([
      serviceAt('a', port, { windowMs: 60_000, backends: [backendAt(backend, 'live'), backendAt(dead, 'dead')] }),
    ]);
    for (let i = 0; i < 20; i++) await ask(port, { path: i < 5 ? '/bad' : '/' });
    await eventually(async () => ((await requestsOf(balancer, 'a')) >= 20 ? true : null));
    const report = await balancer.traffic(Date.now());
    const { buckets, times, backends } = report.endpoints['a']!;
    const sum = (key: 'requests' | 'bytes' | 'timed' | 'errors' | 'seconds') =>
      buckets.reduce((total, one) => total + one[key], 0);
    expect([sum('requests'), sum('bytes'), sum('timed'), sum('errors')]).toEqual([20, 200, 20, 5]);
    expect(sum('seconds') / 20).toBeGreaterThan(0.015);
    expect(times.filter((_, i) => i % 2 === 1).reduce((total, count) => total + count, 0)).toBe(20);
    expect(backends['live']).toMatchObject({ requests: 20, errors: 5, refused: 0 });
    expect(backends['dead']!.refused).toBeGreaterThan(0);
    expect([report.badLines, report.lagBytes]).toEqual([0, 0]);
    await eventually(async () => ((await balancer.traffic(Date.now())).endpoints['a']!.active === 0 ? true : null));
  });

  test('is complete at once after a daemon restart', async () => {
    const first = await nginx.open();
    const port = await freePort();
    const services = [serviceAt('a', port)];
    const openedAtMs = Date.now();
    await first.apply(services);
    for (let i = 0; i < 10; i++) await ask(port);
    await eventually(async () => ((await requestsOf(first, 'a')) === 10 ? true : null));
    await first.close();
    const second = await nginx.open();
    await second.apply(services);
    expect(await requestsOf(second, 'a')).toBe(10);
    expect((await second.traffic(Date.now())).completeSinceMs).toBeLessThan(openedAtMs + 5_000);
  });

  test('is counted once each while the log is rotated under load, and the log does not grow', async () => {
    const balancer = await nginx.open({ logLimitBytes: 5_000 });
    const port = await freePort();
    await balancer.apply([serviceAt('a', port, { windowMs: 120_000 })]);
    const log = join(nginx.directory, 'logs/access.log');
    const inodes = new Set<number>();
    let sent = 0;
    const deadline = performance.now() + 60_000;
    const clients = Array.from({ length: 4 }, async () => {
      while (inodes.size < 3 && performance.now() < deadline) {
        await ask(port);
        sent++;
        if (sent % 50 === 0) inodes.add(statSync(log, { throwIfNoEntry: false })?.ino ?? [...inodes].at(-1) ?? 0);
      }
    });
    await Promise.all(clients);
    expect(inodes.size).toBeGreaterThanOrEqual(3);
    await eventually(async () => ((await requestsOf(balancer, 'a')) >= sent ? true : null));
    expect(await requestsOf(balancer, 'a')).toBe(sent);
    expect((await balancer.traffic(Date.now())).badLines).toBe(0);
    await eventually(async () => (readdirSync(join(nginx.directory, 'logs')).includes('access.log.old') ? null : true));
  }, 90_000);
});

test('nginx writes its own error log, without the client being able to fill ours', async () => {
  const balancer = await nginx.open();
  const port = await freePort();
  await balancer.apply([serviceAt('a', port)]);
  await ask(port, { path: '/%0a%09x', headers: { 'User-Agent': '\t"x\\x22' } });
  const log = join(nginx.directory, 'logs/access.log');
  await eventually(async () => (statSync(log).size > 0 ? true : null));
  expect(readFileSync(log, 'latin1')).toMatch(/^[0-9a-f]{12}\t\d+\.\d{3}\t503\t\d+\t-\t-\t-\t-\n$/);
});
