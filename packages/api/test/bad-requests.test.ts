import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { INI, JSON_TYPE, PYEX, type RunningApi, sendRaw, startApi } from './running-api.js';

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
});
afterEach(() => running.close());

const BODY = /\r\n\r\n(.*)$/s;
const jsonOf = (answer: string): { error: { code: string; message: string } } => JSON.parse(BODY.exec(answer)?.[1] ?? '');

describe('paths', () => {
  test.each([
    '/v1.1/endpoints/%2e%2e%2fauth',
    '/v1.1/endpoints/../auth_key',
    '/v1.1/endpoints/%2e%2e',
    '/v1.1//endpoints',
    '//',
    '/v1.1/endpoints/a%00',
    '/v1.1/endpoints/%E0%A4%A',
    '/v1.1/endpoints/%zz',
    '/v1.1/endpoints/a%0d%0aSet-Cookie:x',
    '/v1.1/managers/log/%1b[31m',
    '/v1.1/managers/active/a%20b',
    `/v1.1/endpoints/${'a'.repeat(5_000)}`,
    'http://evil.example/v1.1/endpoints',
    '*',
  ])('%s is a bad request', async (path) => {
    const answer = await sendRaw(running.port, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    const { code, message } = jsonOf(answer).error;
    expect(code).toBe('request_invalid');
    expect(message).not.toMatch(/\p{Cc}/u);
    expect(message.length).toBeLessThan(250);
  });

  test('a route that is not there is told by name', async () => {
    const answer = await running.ask('GET', '/v1.1/nowhere');
    expect([answer.status, answer.body.error]).toEqual([
      404,
      { code: 'not_found', message: "no such route: '/v1.1/nowhere'", details: {} },
    ]);
    expect((await running.ask('GET', '/V1.1/endpoints')).status).toBe(404);
    expect((await running.ask('GET', '/v1.0/info')).status).toBe(404);
  });
});

describe('methods', () => {
  test.each(['TRACE', 'PATCH', 'OPTIONS', 'PURGE', 'PROPFIND'])(
    '%s on the list is refused with those that are allowed',
    async (method) => {
      const answer = await sendRaw(
        running.port,
        `${method} /v1.1/endpoints HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 405 /);
      expect(answer).toMatch(/\r\nallow: GET, HEAD\r\n/i);
      expect(answer).not.toMatch(/access-control/i);
    },
  );

  test('an override header does not turn a read into a removal', async () => {
    await running.client.createEndpoint('pyex', PYEX);
    const headers = { 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE' };
    expect((await running.ask('GET', '/v1.1/endpoints/pyex', { headers })).status).toBe(200);
    expect(await running.client.endpoints()).toEqual(['pyex']);
  });

  test('HEAD answers like GET without a body, also where GET would stream', async () => {
    await running.client.createEndpoint('pyex', PYEX);
    for (const path of ['/v1.1/endpoints', '/v1.1/endpoints/pyex/log?follow=1']) {
      const answer = await running.ask('HEAD', path);
      expect([answer.status, answer.text]).toEqual([200, '']);
    }
  });

  test('CONNECT and protocol upgrades get no connection', async () => {
    expect(await sendRaw(running.port, 'CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n')).toBe('');
    const upgrade = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
    expect(await sendRaw(running.port, upgrade)).toBe('');
  });
});

describe('queries', () => {
  test.each([
    ['/v1.1/endpoints?detial=1', /unknown parameter 'detial': this route takes detail/],
    ['/v1.1/endpoints?detail=yes', /detail: expected 1 or 0/],
    ['/v1.1/endpoints?detail=1&detail=1', /given twice/],
    ['/v1.1/info?%1b=1', /unknown parameter '\\u001b': this route takes none/],
    ['/v1.1/endpoints/pyex?format=yaml', /expected json or ini/],
    ['/v1.1/endpoints/pyex/log?since=abc', /since: expected a number/],
    ['/v1.1/endpoints/pyex/log?since=-1', /since: expected a number/],
    ['/v1.1/endpoints/pyex/log?since=1e30', /since: expected a number/],
    ['/v1.1/endpoints/pyex/log?since=', /since: expected a number/],
    ['/v1.1/endpoints/pyex/log?since=999999999999', /from 0 to 99999999999/],
    ['/v1.1/endpoints/pyex/log?after=1.5', /after: expected a whole number/],
    ['/v1.1/endpoints/pyex/log?limit=1001', /from 0 to 1000/],
  ])('%s is told what was expected', async (path, message) => {
    await running.client.createEndpoint('pyex', PYEX);
    const answer = await running.ask('GET', path);
    expect(answer.status).toBe(400);
    expect(answer.body.error?.message).toMatch(message);
  });
});

describe('bodies', () => {
  const put = (headers: Record<string, string>, body?: string) =>
    running.ask('PUT', '/v1.1/endpoints/pyex', body === undefined ? { headers } : { headers, body });

  test('no body and a type that is not a configuration are refused', async () => {
    expect((await put({})).status).toBe(415);
    expect((await put({ 'content-type': 'application/x-www-form-urlencoded' }, 'a=b')).status).toBe(415);
    expect((await put({ 'content-type': 'multipart/form-data' }, PYEX)).status).toBe(415);
    expect((await put({ ...INI, 'content-encoding': 'gzip' }, PYEX)).status).toBe(415);
  });

  test('a form cannot post an action', async () => {
    await running.client.createEndpoint('pyex', PYEX);
    const answer = await running.ask('POST', '/v1.1/endpoints/pyex/state', {
      headers: { 'content-type': 'text/plain' },
      body: '{"action":"start"}',
    });
    expect([answer.status, answer.body.error?.code]).toEqual([415, 'media_type']);
  });

  test('a body that is said to be too large is refused before it is sent', async () => {
    const head =
      'PUT /v1.1/endpoints/pyex HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 1000000000\r\n\r\n';
    const answer = await sendRaw(running.port, head);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(jsonOf(answer).error.code).toBe('too_large');
  });

  test('an endless body is cut at the limit', async () => {
    const sent = request({ port: running.port, host: '127.0.0.1', method: 'PUT', path: '/v1.1/endpoints/pyex', headers: INI });
    const more = setInterval(() => sent.write('#'.repeat(65_536)), 1);
    try {
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      expect(response.statusCode).toBe(413);
      // It goes on although it was told: cut off, then, in the middle of a write as it may be.
      sent.on('error', () => undefined);
      await new Promise((resolve) => sent.once('close', resolve));
    } finally {
      clearInterval(more);
      sent.destroy();
    }
  });

  test('as much as fits is read', async () => {
    const padding = `; ${'x'.repeat(1_000)}\n`.repeat(240);
    expect((await put(INI, padding + PYEX)).status).toBe(200);
    expect((await put(INI, PYEX + padding.repeat(2))).status).toBe(413);
  });

  test('bytes that are not UTF-8 are refused', async () => {
    const answer = await new Promise<string>((resolve) => {
      const sent = request(
        {
          port: running.port,
          host: '127.0.0.1',
          method: 'POST',
          path: '/v1.1/evaluate',
          headers: { 'content-type': 'text/plain' },
        },
        (response) => {
          let text = '';
          response.on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => resolve(text));
        },
      );
      sent.end(Buffer.from([0xff, 0xfe, 0xfd, 0x80]));
    });
    expect(answer).toContain('not UTF-8');
  });

  test.each([
    ['/v1.1/url', '{"url":"ftp://x"}'],
    ['/v1.1/url', '{"url":"http://user:pass@x/"}'],
    ['/v1.1/url', '{"url":"http://a\\nb/"}'],
    ['/v1.1/url', '{"url":7}'],
    ['/v1.1/url', '{}'],
    ['/v1.1/auth_key', '{"auth_key":7}'],
    ['/v1.1/auth_key', '{"auth_key":"x","auth_hash":"y"}'],
    ['/v1.1/auth_key', 'null'],
    ['/v1.1/evaluate', '{"rules":["rate"]}'],
    ['/v1.1/evaluate', 'nonsense'],
  ])('%s refuses %s in one line', async (path, body) => {
    const answer = await running.ask('POST', path, { headers: JSON_TYPE, body });
    expect([answer.status, answer.body.error?.code]).toEqual([400, 'request_invalid']);
    expect(answer.body.error?.message).not.toMatch(/\p{Cc}/u);
    expect((await running.store.read('')).revision).toBe(0);
  });
});

describe('what is hardly HTTP', () => {
  test.each([
    [
      'two lengths of a body',
      'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['no HTTP at all', 'hello\r\n\r\n', 400],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['headers without end', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ])('%s is answered and closed', async (_what, bytes, status) => {
    expect(await sendRaw(running.port, bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  test('a request that does not come to its end is given up, headers and body alike', async () => {
    const hasty = await startApi({ timeouts: { headersMs: 200, requestMs: 400 } });
    const slow = [
      'GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ',
      'PUT /v1.1/endpoints/pyex HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n[endpoint]',
    ];
    const answers = await Promise.all(slow.map((bytes) => sendRaw(hasty.port, bytes)));
    await hasty.close();
    for (const answer of answers) {
      expect(answer).toMatch(/^HTTP\/1\.1 408 /);
      expect(jsonOf(answer).error.code).toBe('timeout');
    }
  });
});

test('a bug answers 500 without its stack, and the stack goes to the daemon', async () => {
  const broken = await startApi({
    health: () => {
      throw new TypeError('canary of a bug');
    },
  });
  const answer = await broken.ask('GET', '/readyz');
  expect([answer.status, answer.body.error?.code]).toEqual([500, 'internal']);
  expect(answer.text).not.toContain('canary');
  expect(broken.logged.join()).toMatch(/canary of a bug[\s\S]*at /);
  await broken.close();
});
