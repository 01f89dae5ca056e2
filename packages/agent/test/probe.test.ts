import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { probe } from '../src/probe.js';

/** The health check as somebody would use it who owns the container and wants the host to ask for him. */

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(answer: Parameters<typeof createServer>[1]): Promise<number> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

test.each([301, 302, 303, 307, 308])(
  'a redirect (%d) to another service counts as an answer and is not followed',
  async (status) => {
    const asked: string[] = [];
    const inner = await serve((request, response) => {
      asked.push(request.url ?? '');
      response.end();
    });
    const port = await serve((_request, response) =>
      response.writeHead(status, { location: `http://127.0.0.1:${inner}/` }).end(),
    );
    expect(await probe({ host: '127.0.0.1', port }, '/', 2_000)).toBeNull();
    expect(asked).toEqual([]);
  },
);

test.each(['http://127.0.0.1:1/', '//127.0.0.1:1/', '/x?u=http://127.0.0.1:1/'])(
  'a path like %s goes to the container and nowhere else',
  async (path) => {
    const asked: string[] = [];
    const port = await serve((request, response) => {
      asked.push(request.url ?? '');
      response.end();
    });
    expect(await probe({ host: '127.0.0.1', port }, path, 2_000)).toBeNull();
    expect(asked).toEqual([path]);
  },
);

test('an answer without end costs its head, and one that trickles its time', async () => {
  const endless = await serve((_request, response) => {
    const more = setInterval(() => response.write('x'.repeat(65_536)), 1);
    response.once('close', () => clearInterval(more));
  });
  expect(await probe({ host: '127.0.0.1', port: endless }, '/', 2_000)).toBeNull();
  const silent = await serve(() => undefined);
  expect(await probe({ host: '127.0.0.1', port: silent }, '/', 100)).toBe('GET /: no answer within 100 ms');
});
