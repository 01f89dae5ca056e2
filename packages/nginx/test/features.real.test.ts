import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { type Answer, ask, eventually, freePort } from '@reactor/testkit';
import { OwnNginx } from './own-nginx.js';
import { backendAt, serviceAt } from './services.js';

/** What an endpoint can ask of its load balancer, on a real nginx. */

let nginx: OwnNginx;
beforeEach(() => {
  nginx = new OwnNginx();
});
afterEach(async () => {
  await nginx.stop();
});

const cookieOf = ({ headers }: Answer) => headers['set-cookie']?.[0]?.split(';')[0];
/** Backends that answer with their names. */
const named = async (names: readonly string[]) =>
  Promise.all(
    names.map(async (name) => {
      const { port, server } = await nginx.backend((_, response) => response.end(name));
      return { name, server, backend: backendAt(port, name) };
    }),
  );

describe('sticky sessions by cookie', () => {
  test('keep each client where it was while others come and go; only clients of the one that went move, once', async () => {
    const balancer = await nginx.open();
    const port = await freePort();
    const all = await named(['a', 'b', 'c', 'd', 'e']);
    const serve = (...names: string[]) =>
      balancer.apply([
        serviceAt('web', port, {
          path: '/shop/',
          nginx: { stickySessions: true },
          backends: all
            .filter(({ name }) => names.includes(name))
            .map(({ backend }) => ({ ...backend, weight: backend.id === 'a' ? 20 : 10 })),
        }),
      ]);
    await serve('a', 'b', 'c');
    const clients = await Promise.all(
      Array.from({ length: 24 }, async () => {
        const first = await ask(port, { path: '/shop/' });
        expect(first.headers['set-cookie']).toEqual([
          expect.stringMatching(/^reactor_[0-9a-f]{12}=[0-9a-f]{12}; Path=\/shop\/; HttpOnly; SameSite=Lax$/),
        ]);
        return { cookie: cookieOf(first)!, home: first.body };
      }),
    );
    // In turn, by weight: nobody decides for the clients that have no cookie.
    const homes = clients.map(({ home }) => home);
    expect(['a', 'b', 'c'].map((name) => homes.filter((home) => home === name).length)).toEqual([
      expect.any(Number),
      expect.any(Number),
      expect.any(Number),
    ]);
    expect(new Set(homes).size).toBe(3);
    const visit = async () =>
      Promise.all(clients.map(async ({ cookie }) => ask(port, { path: '/shop/', headers: { Cookie: `other=1; ${cookie}` } })));
    for (const names of [
      ['a', 'b', 'c'],
      ['a', 'b', 'c', 'd', 'e'],
      ['a', 'b', 'c', 'e'],
    ]) {
      await serve(...names);
      const answers = await visit();
      expect(answers.map(({ body }) => body)).toEqual(homes);
      expect(answers.map(cookieOf)).toEqual(homes.map(() => undefined));
    }
    await serve('b', 'c', 'e');
    const moved = await visit();
    moved.forEach((answer, i) => {
      if (homes[i] !== 'a') expect([answer.body, cookieOf(answer)]).toEqual([homes[i], undefined]);
      else {
        expect(answer.body).not.toBe('a');
        clients[i]!.cookie = cookieOf(answer)!;
      }
    });
    expect((await visit()).map(({ body }) => body)).toEqual(moved.map(({ body }) => body));
  });

  test('one that does not answer is passed over, and the client told of its new one; a cookie of nobody is as none', async () => {
    const balancer = await nginx.open();
    const port = await freePort();
    const all = await named(['a', 'b', 'c']);
    await balancer.apply([
      serviceAt('web', port, { nginx: { stickySessions: true }, backends: all.map(({ backend }) => backend) }),
    ]);
    const first = await ask(port);
    const home = all.find(({ name }) => name === first.body)!;
    home.server.closeAllConnections();
    await new Promise((resolve) => home.server.close(resolve));
    const again = await ask(port, { headers: { Cookie: cookieOf(first)! } });
    expect(again.status).toBe(200);
    expect(again.body).not.toBe(home.name);
    expect(cookieOf(again)).not.toBe(cookieOf(first));
    expect((await ask(port, { headers: { Cookie: cookieOf(again)! } })).body).toBe(again.body);
    const forged = cookieOf(first)!.replace(/=.*/, '=$host";x');
    expect(cookieOf(await ask(port, { headers: { Cookie: forged } }))).toMatch(/=[0-9a-f]{12}$/);
  });

  test('clients known by their address stay at one instance', async () => {
    const balancer = await nginx.open();
    const port = await freePort();
    const backends = (await named(['a', 'b', 'c'])).map(({ backend }) => backend);
    await balancer.apply([serviceAt('web', port, { nginx: { stickySessions: true, stickyBy: 'address' }, backends })]);
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(port)));
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect(answers.flatMap(({ headers }) => headers['set-cookie'] ?? [])).toEqual([]);
  });
});

test('headers are set and taken away both ways, on answers of nobody too', async () => {
  const balancer = await nginx.open();
  const [port, empty] = [await freePort(), await freePort()];
  const { port: backend } = await nginx.backend((request, response) => {
    response.setHeader('X-Powered-By', 'secret');
    response.setHeader('X-Frame-Options', 'ALLOW');
    response.setHeader('Set-Cookie', 'session=1');
    response.end(JSON.stringify(request.headers));
  });
  const settings = {
    requestHeaders: [
      ['X-Tenant', 'blue, "deep"; {x}'],
      ['Accept-Encoding', ''],
    ],
    responseHeaders: [
      ['X-Frame-Options', "DENY 'x'"],
      ['X-Powered-By', ''],
    ],
  } as const;
  await balancer.apply([
    serviceAt('a', port, { backends: [backendAt(backend)], nginx: { ...settings, stickySessions: true } }),
    serviceAt('b', empty, { nginx: settings }),
  ]);
  const answer = await ask(port, { headers: { 'X-Tenant': 'red', 'Accept-Encoding': 'gzip', 'X-Real-IP': '1.2.3.4' } });
  const seen = JSON.parse(answer.body) as Record<string, string>;
  expect(seen).toMatchObject({ 'x-tenant': 'blue, "deep"; {x}', 'x-real-ip': '127.0.0.1', host: `127.0.0.1:${port}` });
  expect(seen).not.toHaveProperty('accept-encoding');
  expect(answer.headers).toMatchObject({
    'x-frame-options': "DENY 'x'",
    'set-cookie': ['session=1', expect.stringMatching(/^reactor_/)],
  });
  expect(answer.headers).not.toHaveProperty('x-powered-by');
  expect(await ask(empty)).toMatchObject({ status: 503, headers: { 'x-frame-options': "DENY 'x'" } });
});

test('a body over the limit is answered 413 and reaches nobody, said or chunked; a buffered one is sent on whole, and again', async () => {
  const balancer = await nginx.open();
  const [limited, buffered] = [await freePort(), await freePort()];
  const bodies: string[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    let text = '';
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      bodies.push(text);
      response.end('ok');
    });
  };
  const { port: backend } = await nginx.backend(answer);
  const dead = await freePort();
  const upload = { maxBodyBytes: 1_000, requestBuffering: true };
  await balancer.apply([
    serviceAt('limited', limited, { backends: [backendAt(backend)], nginx: { maxBodyBytes: 1_000 } }),
    serviceAt('buffered', buffered, { backends: [backendAt(backend), backendAt(dead)], nginx: upload }),
  ]);
  expect((await ask(limited, { method: 'POST', body: 'x'.repeat(1_001), headers: { 'Content-Length': '1001' } })).status).toBe(
    413,
  );
  expect(
    (await ask(limited, { method: 'POST', body: 'x'.repeat(1_001), headers: { 'Transfer-Encoding': 'chunked' } })).status,
  ).toBe(413);
  expect(bodies).toEqual([]);
  expect((await ask(limited, { method: 'POST', body: 'x'.repeat(1_000) })).status).toBe(200);
  // Nothing is asked before the body is there; then a backend that refuses costs a retry.
  for (let i = 0; i < 4; i++) {
    bodies.length = 0;
    const socket = connect(buffered, '127.0.0.1');
    let heard = '';
    socket.setEncoding('utf8').on('data', (part) => {
      heard += part;
    });
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nConnection: close\r\n\r\n12345');
    socket.write('67890');
    await eventually(async () => (heard.includes('ok') ? true : null));
    socket.destroy();
    expect(bodies).toEqual(['1234567890']);
  }
});

test('an instance that is slow to answer costs 504 after read_timeout, and buffering frees it from a slow client', async () => {
  const balancer = await nginx.open();
  const [slow, buffered] = [await freePort(), await freePort()];
  const { port: silent } = await nginx.backend(() => {});
  let finished = 0;
  const { port: large } = await nginx.backend((_, response) => {
    response.on('finish', () => finished++);
    response.end('x'.repeat(600_000));
  });
  await balancer.apply([
    serviceAt('slow', slow, { backends: [backendAt(silent)], nginx: { readTimeoutMs: 150 } }),
    serviceAt('buffered', buffered, { backends: [backendAt(large)], nginx: { buffering: true } }),
  ]);
  const startedAt = performance.now();
  expect((await ask(slow)).status).toBe(504);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  // The client reads nothing at all; the backend is rid of its answer all the same.
  const socket = connect({ port: buffered, host: '127.0.0.1' });
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually(async () => (finished === 1 ? true : null));
  socket.destroy();
});

test('with client_keepalive = 0 no reload cuts off a client, of keep-alive clients that would hold on', async () => {
  const balancer = await nginx.open();
  const port = await freePort();
  const { port: backend } = await nginx.backend((_, response) => response.end('ok'));
  const service = (changed: number) =>
    serviceAt('a', port, { backends: [backendAt(backend)], nginx: { clientKeepaliveMs: 0, readTimeoutMs: 60_000 + changed } });
  await balancer.apply([service(0)]);
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });
  let loading = true;
  let sent = 0;
  const failures: string[] = [];
  const load = Promise.all(
    Array.from({ length: 20 }, async () => {
      while (loading) {
        sent++;
        await new Promise<void>((resolve) => {
          request({ host: '127.0.0.1', port, agent }, (response) => response.resume().on('end', resolve))
            .on('error', (error) => {
              failures.push(error.message);
              resolve();
            })
            .end();
        });
      }
    }),
  );
  for (let reload = 1; reload <= 5; reload++) {
    const before = sent;
    await balancer.apply([service(reload)]);
    await eventually(async () => (sent >= before + 40 ? true : null));
  }
  loading = false;
  await load;
  agent.destroy();
  expect(failures).toEqual([]);
});
