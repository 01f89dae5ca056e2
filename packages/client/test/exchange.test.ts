import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '@reactor/client';
import { freePort } from '@reactor/testkit';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a refused connection asks whether the daemon runs', async () => {
  const port = await freePort();
  for (const host of ['127.0.0.1', 'localhost']) {
    await expect(createClient({ api: `${host}:${port}` }).version()).rejects.toMatchObject({
      code: 'unreachable',
      message: `cannot reach http://${host}:${port}: connection refused (is reactord running?)`,
    });
  }
});

test('a name that is not known is told as such', async () => {
  await expect(createClient({ api: 'no-such-host.invalid' }).version()).rejects.toThrow(
    /^cannot reach http:\/\/no-such-host\.invalid:8080: (no such host|its name cannot be looked up now)$/,
  );
});

test('TLS against a plain port is told as such', async () => {
  const api = await serve((_request, response) => response.end());
  await expect(createClient({ api: api.replace('http:', 'https:') }).version()).rejects.toThrow(/^cannot reach https:.*: TLS: /);
});

test('no answer in time is a timeout, before the head and in the body', async () => {
  const silent = await serve(() => undefined);
  await expect(createClient({ api: silent, timeoutMs: 50 }).version()).rejects.toMatchObject({
    code: 'timeout',
    message: `${silent} did not answer within 0.05 s`,
  });
  const halting = await serve((_request, response) => response.writeHead(200, { 'content-length': 10 }).write('{'));
  await expect(createClient({ api: halting, timeoutMs: 50 }).version()).rejects.toMatchObject({ code: 'timeout' });
});

test('a connection that is cut is told as such', async () => {
  const api = await serve((_request, response) => response.destroy());
  await expect(createClient({ api }).version()).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.stringContaining('closed before the answer'),
  });
});

test.each([
  [502, '<html><h1>Bad Gateway</h1>\n</html>', 'unreachable', 'answered 502: Bad Gateway'],
  [500, '{"error":{"code":"internal","message":"internal error","details":{}}}', 'unreachable', 'answered 500'],
  [404, '', 'not_found', 'answered 404'],
  [418, 'teapot \u001b[31m', 'request_invalid', 'answered 418: teapot [31m'],
  [302, '', 'request_invalid', 'answered 302'],
])('an answer %i that is not of Reactor is told in one line', async (status, text, code, message) => {
  const api = await serve((_request, response) => response.writeHead(status).end(text));
  await expect(createClient({ api }).version()).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
});

test('what a proxy answers with 200 instead of JSON is told as such', async () => {
  const api = await serve((_request, response) => response.end('<html>login</html>'));
  await expect(createClient({ api }).info()).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.stringContaining('is it a Reactor API?'),
  });
});

test('code, message and details of an answer are kept', async () => {
  const error = { code: 'revision_mismatch', message: 'at revision 7', details: { revision: 7 } };
  const api = await serve((_request, response) => response.writeHead(412).end(JSON.stringify({ error })));
  await expect(createClient({ api }).endpoint('x')).rejects.toMatchObject(error);
});

test('a key that no header can carry is refused without being shown', async () => {
  const call = createClient({ api: 'localhost', key: 'ключ\n' }).version();
  await expect(call).rejects.toMatchObject({ code: 'unauthorized', message: expect.not.stringContaining('ключ') });
});

test.each(['', '.', '..'])('the name %j never becomes another route', async (name) => {
  const api = await serve((_request, response) => response.end('{}'));
  const client = createClient({ api });
  expect(() => client.state(name)).toThrow(/not an endpoint name/);
  await expect(client.removeEndpoint(name)).rejects.toThrow(/not an endpoint name/);
});

test('names are encoded', async () => {
  const asked: string[] = [];
  const api = await serve((request, response) => {
    asked.push(request.url ?? '');
    response.end('{}');
  });
  await createClient({ api: `${api}/base` }).state('a/b?c#d é');
  expect(asked).toEqual(['/base/v1.1/endpoints/a%2Fb%3Fc%23d%20%C3%A9/state']);
});

describe('following', () => {
  test('takes lines apart wherever they are cut and asks for those after the last one', async () => {
    const asked: string[] = [];
    const api = await serve((request, response) => {
      asked.push(request.url ?? '');
      if (asked.length > 1) {
        response.end('[3,"INFO","c",3,"E"]\n');
        return;
      }
      response.write('\n[1,"INFO","a",1,"E"]\n[2,"IN');
      setImmediate(() => response.end('FO","b",2,"E"]\n[3,"INFO","cut'));
    });
    const seen: string[] = [];
    for await (const row of createClient({ api }).follow('x', { since: 5 })) {
      seen.push(row[2]);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(asked).toEqual(['/v1.1/endpoints/x/log?follow=1&since=5', '/v1.1/endpoints/x/log?follow=1&after=2']);
  });

  test('gives up for good when the endpoint is gone or the lines are none', async () => {
    let calls = 0;
    const api = await serve((_request, response) => {
      calls++;
      if (calls === 1) response.end('[1,"INFO","a",1,"E"]\n');
      else response.writeHead(404).end('{"error":{"code":"not_found","message":"no endpoint","details":{}}}');
    });
    const rows = createClient({ api }).follow('x')[Symbol.asyncIterator]();
    await rows.next();
    await expect(rows.next()).rejects.toMatchObject({ code: 'not_found' });
    const other = await serve((_request, response) => response.end('<html>\n'));
    await expect(createClient({ api: other }).follow('x')[Symbol.asyncIterator]().next()).rejects.toThrow(
      /sends no log of Reactor/,
    );
  });
});
