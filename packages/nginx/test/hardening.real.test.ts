import { connect } from 'node:net';
import type { LoadBalancer } from '@reactor/core';
import { ask, eventually, freePort } from '@reactor/testkit';
import { OwnNginx } from './own-nginx.js';
import { backendAt, serviceAt } from './services.js';

/** The attacks of old on what is rendered (smuggling, spoofing, climbing), on a real nginx. */

interface Seen {
  readonly endpoint: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  body: string;
}

const CRLF = '\r\n';
let nginx: OwnNginx;
let balancer: LoadBalancer;
let port: number;
let seen: Seen[];

/** Two endpoints on one host, each with a backend that remembers what it was asked. */
beforeAll(async () => {
  nginx = new OwnNginx();
  balancer = await nginx.open();
  port = await freePort();
  seen = [];
  const remembering = async (endpoint: string) => {
    const { port: backend, server } = await nginx.backend((request, response) => {
      const entry: Seen = {
        endpoint,
        method: request.method!,
        url: request.url!,
        headers: request.headers as Seen['headers'],
        body: '',
      };
      seen.push(entry);
      request.on('data', (part) => {
        entry.body += part;
      });
      if (request.url === '/internal') response.setHeader('X-Accel-Redirect', '/admin/secret');
      request.on('end', () => response.end(endpoint));
    });
    server.on('upgrade', (_request, socket) => socket.end(`HTTP/1.1 101 Switching Protocols${CRLF}${CRLF}`));
    return [backendAt(backend)];
  };
  const [root, admin] = [await remembering('root'), await remembering('admin')];
  await balancer.apply([
    serviceAt('root', port, { backends: root }),
    serviceAt('admin', port, { path: '/admin/', backends: admin }),
  ]);
});
afterAll(() => nginx.stop());
beforeEach(() => {
  seen.length = 0;
});

/** Sends bytes as they are on one connection, and reads until it is closed. */
async function send(...lines: readonly string[]): Promise<readonly string[]> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  let closed = false;
  socket.setEncoding('utf8').on('data', (part) => {
    text += part;
  });
  socket.on('close', () => {
    closed = true;
  });
  socket.on('error', () => {});
  socket.write(lines.join(CRLF));
  await eventually(async () => (closed ? true : null));
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => match[1]!);
}

const SMUGGLED = `GET /admin/secret HTTP/1.1${CRLF}Host: x${CRLF}${CRLF}`;

describe('one request is one request, to us and to the backend', () => {
  test.each<[string, readonly string[]]>([
    ['CL.TE', ['Content-Length: 6', 'Transfer-Encoding: chunked', 'Connection: close', '', `0${CRLF}${CRLF}${SMUGGLED}`]],
    [
      'TE.CL',
      ['Transfer-Encoding: chunked', 'Content-Length: 4', 'Connection: close', '', `5c${CRLF}${SMUGGLED}${CRLF}0${CRLF}${CRLF}`],
    ],
    ['an odd coding', ['Transfer-Encoding: xchunked', 'Connection: close', '', `0${CRLF}${CRLF}${SMUGGLED}`]],
    [
      'a coding twice',
      ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity', 'Connection: close', '', `0${CRLF}${CRLF}${SMUGGLED}`],
    ],
    ['two lengths', ['Content-Length: 0', `Content-Length: ${SMUGGLED.length}`, 'Connection: close', '', SMUGGLED]],
    ['a length that is none', ['Content-Length: +5', 'Connection: close', '', SMUGGLED]],
    ['a chunk that is none', ['Transfer-Encoding: chunked', 'Connection: close', '', `zz${CRLF}${SMUGGLED}`]],
  ])('%s: refused, or its body is no second request', async (_attack, lines) => {
    const answers = await send('POST / HTTP/1.1', 'Host: x', ...lines);
    expect(answers.length).toBeLessThanOrEqual(1);
    expect(seen.filter(({ endpoint, method }) => endpoint === 'admin' || method === 'GET')).toEqual([]);
  });

  test('what is passed on is framed anew: one of the two lengths, and no coding of the client', async () => {
    await send(
      'POST / HTTP/1.1',
      'Host: x',
      'Transfer-Encoding: chunked',
      'Connection: close',
      '',
      `3${CRLF}abc${CRLF}0${CRLF}${CRLF}`,
    );
    expect(seen).toMatchObject([{ method: 'POST', body: 'abc' }]);
    const { 'content-length': length, 'transfer-encoding': coding } = seen[0]!.headers;
    expect([length, coding].filter((each) => each !== undefined)).toHaveLength(1);
  });

  test('HTTP/1.0 with a second request behind is answered once, and pipelined HTTP/1.1 in order', async () => {
    expect(await send('GET /one HTTP/1.0', '', SMUGGLED)).toEqual(['200']);
    expect(seen.map(({ url }) => url)).toEqual(['/one']);
    seen.length = 0;
    const twice = ['GET /one HTTP/1.1', 'Host: x', '', 'GET /two HTTP/1.1', 'Host: x', 'Connection: close', '', ''];
    expect(await send(...twice)).toEqual(['200', '200']);
    expect(seen.map(({ url }) => url)).toEqual(['/one', '/two']);
  });

  test.each<[string, readonly string[]]>([
    ['100 kB in one header', [`X-Long: ${'a'.repeat(100_000)}`, 'Host: x']],
    ['100 kB in many', [...Array.from({ length: 1000 }, (_, i) => `X-${i}: ${'a'.repeat(100)}`), 'Host: x']],
    ['no Host', []],
    ['a folded line', ['Host: x', 'X-A: b', ' folded: c']],
    ['a Host with a path', ['Host: a/../b']],
  ])('%s is refused before anybody is asked', async (_attack, lines) => {
    const [status] = await send('GET / HTTP/1.1', ...lines, 'Connection: close', '', '');
    // A folded line is no header to nginx: it is dropped, never passed on.
    if (status === '200') expect(JSON.stringify(seen)).not.toContain('folded');
    else expect(status).toBe('400');
  });
});

test('what a client says about itself is overwritten, or taken away', async () => {
  await ask(port, {
    headers: {
      'X-Real-IP': '10.0.0.1',
      'X-Forwarded-For': '10.0.0.1',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'evil',
      'X-Forwarded-Port': '443',
      X_Real_IP: '10.0.0.1',
      Forwarded: 'for=10.0.0.1',
      Proxy: 'http://evil',
      Host: 'shop.example',
    },
  });
  const { headers } = seen[0]!;
  expect(headers).toMatchObject({
    'x-real-ip': '127.0.0.1',
    // The last one is ours; what is before it is the client's word.
    'x-forwarded-for': '10.0.0.1, 127.0.0.1',
    'x-forwarded-proto': 'http',
    host: 'shop.example',
  });
  for (const name of ['x-forwarded-host', 'x-forwarded-port', 'x_real_ip', 'forwarded', 'proxy'])
    expect(headers).not.toHaveProperty(name);
});

test.each(['h2c', 'TLS/1.0', 'websocket2'])('an upgrade to %s is not passed on', async (protocol) => {
  await ask(port, { headers: { Upgrade: protocol, Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMAAABk' } });
  expect(seen).toHaveLength(1);
  expect(seen[0]!.headers).not.toHaveProperty('upgrade');
  expect(seen[0]!.headers['connection'] ?? '').not.toMatch(/upgrade/i);
});

test.each<[string, string | null, string]>([
  ['/admin/x', 'admin', '/x'],
  ['//admin//x', 'admin', '/x'],
  ['/a/../admin/x', 'admin', '/x'],
  ['/a/..%2fadmin/x', 'admin', '/x'],
  ['/%61dmin/x', 'admin', '/x'],
  ['/admin/../x', 'root', '/admin/../x'],
  ['/administration', 'root', '/administration'],
  ['/../x', null, ''],
  ['/admin/../../x', null, ''],
  ['/%2e%2e/%2e%2e/etc/passwd', null, ''],
  ['/x%00y', null, ''],
])('however a path is spelled, it has one place: %s', async (path, endpoint, url) => {
  const { status } = await ask(port, { path });
  expect(seen.map((each) => [each.endpoint, each.url])).toEqual(endpoint === null ? [] : [[endpoint, url]]);
  expect(status).toBe(endpoint === null ? 400 : 200);
});

test('there is no status page, no version, and no way from one backend to the place of another', async () => {
  for (const path of ['/nginx_status', '/basic_status', '/stub_status', '/status']) await ask(port, { path });
  expect(seen.map(({ endpoint }) => endpoint)).toEqual(['root', 'root', 'root', 'root']);
  seen.length = 0;
  const answer = await ask(port, { path: '/internal' });
  expect([answer.body, seen.map(({ endpoint }) => endpoint)]).toEqual(['root', ['root']]);
  expect(answer.headers).not.toHaveProperty('x-accel-redirect');
  const refused = await ask(port, { path: '/../x' });
  expect([refused.headers.server, /nginx\/\d/.test(refused.body)]).toEqual(['nginx', false]);
});
