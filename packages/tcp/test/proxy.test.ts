import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort, until } from '@reactor/testkit';
import { PROTOCOL, type Target, type Terms } from '../src/document.js';
import { TcpProxy } from '../src/proxy.js';

/** Real sockets on the loopback interface; ports are the kernel's. */

const TERMS: Terms = {
  exclusive: false,
  disposable: false,
  disposeMinMs: 0,
  reconnectMs: 0,
  clientSubnets: [],
  balance: 'random',
};
const SOON_MS = 5_000;

const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

/** A backend that says its name first and then repeats what it hears; ends when the client has ended. */
async function aBackend(id: string, serve: (socket: Socket) => void = (socket) => socket.pipe(socket)): Promise<Target> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    socket.write(`${id}\n`);
    serve(socket);
  });
  const port = await listening(server);
  ending.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { id, endpoint: 'desk', host: '127.0.0.1', port, weight: 1, draining: false };
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)));
}

async function aProxy(targets: readonly Target[], terms: Partial<Terms> = {}, limit = 1_000) {
  const proxy = new TcpProxy(limit);
  const port = await freePort();
  const apply = (now: readonly Target[], change: Partial<Terms> = {}) =>
    proxy.apply({
      protocol: PROTOCOL,
      listeners: [
        { port, terms: { ...TERMS, ...terms, ...change }, endpoints: [{ name: 'desk', windowMs: 10_000 }], targets: now },
      ],
    });
  expect(await apply(targets)).toEqual({ aside: {} });
  ending.push(() => {
    proxy.retire();
    for (const { endpoint, client } of proxy.sessions()) proxy.kill(endpoint, client);
  });
  const seen = () => proxy.sight(Date.now())['desk']!;
  return { proxy, port, apply, seen, client: (host = '127.0.0.1') => aClient(port, host) };
}

/** A client that remembers what it heard and how it ended. */
function aClient(port: number, host: string) {
  const socket = connect({ host, port, allowHalfOpen: true });
  const heard = { text: '', ended: false, closed: false, reset: false };
  socket.setEncoding('latin1');
  socket.on('data', (part: string) => {
    heard.text += part;
  });
  socket.on('end', () => {
    heard.ended = true;
  });
  socket.on('error', () => {
    heard.reset = true;
  });
  socket.on('close', () => {
    heard.closed = true;
  });
  ending.push(() => socket.destroy());
  const hears = (text: string) => until(`a client hears ${text.trim()}`, SOON_MS, () => heard.text.includes(text));
  const closes = () => until('a client is closed', SOON_MS, () => heard.closed || (heard.ended && socket.end() !== undefined));
  return { socket, heard, hears, closes };
}

test('bytes go both ways, and a client that has ended still gets its answer', async () => {
  const { client } = await aProxy([await aBackend('a')]);
  const one = client();
  await one.hears('a\n');
  one.socket.end('hello');
  await one.hears('hello');
  await until('the backend’s end arrives', SOON_MS, () => one.heard.ended);
  expect(one.heard).toMatchObject({ text: 'a\nhello', reset: false });
});

test('a slow reader slows the sender down instead of filling our memory', async () => {
  const sent = { bytes: 0, blocked: false };
  const chunk = Buffer.alloc(65_536, 'x');
  const flood = await aBackend('flood', (socket) => {
    const more = (): void => {
      while (!socket.destroyed) {
        sent.bytes += chunk.length;
        if (!socket.write(chunk)) break;
      }
      sent.blocked = true;
    };
    socket.on('drain', () => {
      sent.blocked = false;
      more();
    });
    more();
  });
  const { client, proxy } = await aProxy([flood]);
  const one = client();
  one.socket.pause();
  await until('the session is there', SOON_MS, () => proxy.sessions().length === 1);
  let before = -1;
  await until('the sender stands still', SOON_MS, async () => {
    const still = sent.blocked && sent.bytes === before;
    before = sent.bytes;
    if (!still) await new Promise((resolve) => setTimeout(resolve, 200));
    return still;
  });
  // The kernel's buffers on four ends, and ours.
  expect(sent.bytes).toBeLessThan(64 * 2 ** 20);
  one.socket.resume();
  await until('it goes on', SOON_MS, () => sent.bytes > before);
});

test('what is cut off at the backend is cut off at the client, by a reset', async () => {
  const broken = await aBackend('broken', (socket) => socket.once('data', () => socket.resetAndDestroy()));
  const { client } = await aProxy([broken]);
  const one = client();
  await one.hears('broken\n');
  one.socket.write('x');
  await until('the client is cut off', SOON_MS, () => one.heard.closed);
  expect(one.heard).toMatchObject({ reset: true, ended: false });
});

test('an exclusive backend serves one client at a time, the queue in its order, and the queue is counted', async () => {
  const { client, seen } = await aProxy([await aBackend('a')], { exclusive: true });
  const first = client();
  await first.hears('a\n');
  const second = client();
  await until('one waits', SOON_MS, () => seen().pending === 1);
  const third = client();
  await until('two wait', SOON_MS, () => seen().pending === 2);
  expect(seen()).toMatchObject({ active: 1, backends: { a: { active: 1 } } });
  first.socket.end();
  await second.hears('a\n');
  expect(third.heard.text).toBe('');
  second.socket.end();
  await third.hears('a\n');
  expect(seen()).toMatchObject({ active: 1, pending: 0, backends: { a: { requests: 3 } } });
});

test('a client that leaves the queue is not waited for; one that has asked and ended its side is', async () => {
  const { client, seen } = await aProxy([await aBackend('a')], { exclusive: true });
  const first = client();
  await first.hears('a\n');
  const gone = client();
  await until('it waits', SOON_MS, () => seen().pending === 1);
  gone.socket.end();
  await until('it is forgotten', SOON_MS, () => seen().pending === 0);
  const asked = client();
  await until('it waits', SOON_MS, () => seen().pending === 1);
  asked.socket.end('question');
  first.socket.end();
  await asked.hears('a\nquestion');
});

test('clients wait for a backend that is still to come', async () => {
  const { client, apply, seen } = await aProxy([]);
  const one = client();
  await until('it waits', SOON_MS, () => seen().pending === 1);
  await apply([await aBackend('late')]);
  await one.hears('late\n');
});

test('a backend that refuses gets a mark and the client the next one; with none left it is turned away', async () => {
  const dead: Target = {
    id: 'dead',
    endpoint: 'desk',
    host: '127.0.0.1',
    port: await freePort(),
    weight: 65_535,
    draining: false,
  };
  const { client, apply, seen } = await aProxy([dead, await aBackend('a')]);
  const one = client();
  await one.hears('a\n');
  expect(seen()).toMatchObject({ backends: { dead: { refused: 1, errors: 1, active: 0 }, a: { refused: 0, active: 1 } } });
  await apply([dead]);
  const two = client();
  await until('it is turned away', SOON_MS, () => two.heard.closed);
  expect(two.heard.text).toBe('');
  const { buckets } = seen();
  expect(buckets.reduce((sum, bucket) => sum + bucket.errors, 0)).toBe(1);
});

test('a draining backend keeps its session and gets no other', async () => {
  const [a, b] = [await aBackend('a'), await aBackend('b')];
  const { client, apply, seen } = await aProxy([a]);
  const one = client();
  await one.hears('a\n');
  await apply([{ ...a, draining: true }, b]);
  const others = Array.from({ length: 8 }, () => client());
  for (const other of others) await other.hears('b\n');
  one.socket.write('still here');
  await one.hears('still here');
  expect(seen()).toMatchObject({ active: 9, backends: { a: { active: 1 }, b: { active: 8 } } });
});

test('sessions go on when their url has left, and are still seen and killed', async () => {
  const { client, proxy, seen, port } = await aProxy([await aBackend('a')]);
  const one = client();
  await one.hears('a\n');
  await proxy.apply({ protocol: PROTOCOL, listeners: [] });
  const late = aClient(port, '127.0.0.1');
  await until('nobody listens', SOON_MS, () => late.heard.reset);
  one.socket.write('on');
  await one.hears('on');
  expect(seen().active).toBe(1);
  const [session] = proxy.sessions();
  expect(session).toMatchObject({ endpoint: 'desk', instance: 'a', client: `127.0.0.1:${one.socket.localPort}` });
  expect([proxy.kill('other', session!.client), proxy.kill('desk', '127.0.0.1:1'), proxy.kill('desk', session!.client)]).toEqual([
    false,
    false,
    true,
  ]);
  await until('it is cut off', SOON_MS, () => one.heard.closed);
  await until('nothing is left', SOON_MS, () => proxy.isIdle);
});

test('clients of other networks are dropped, and IPv6 is served as IPv4 is', async () => {
  const { client, apply, seen } = await aProxy([await aBackend('a')], { clientSubnets: ['127.0.0.0/8'] });
  const four = client();
  await four.hears('a\n');
  const six = client('::1');
  await until('it is dropped', SOON_MS, () => six.heard.closed || six.heard.ended);
  expect([six.heard.text, seen().active]).toEqual(['', 1]);
  await apply([await aBackend('b')], { clientSubnets: ['::1', '127.0.0.0/8'] });
  const again = client('::1');
  await again.hears('b\n');
});

test('more clients than it can hold are dropped, and room that becomes free is given', async () => {
  const { client, seen } = await aProxy([await aBackend('a')], {}, 2);
  const [one, two] = [client(), client()];
  await one.hears('a\n');
  await two.hears('a\n');
  const three = client();
  await until('it is dropped', SOON_MS, () => three.heard.closed || three.heard.ended);
  one.socket.end();
  await until('there is room', SOON_MS, () => seen().active === 1);
  await client().hears('a\n');
});

test('a port that is taken is told by the endpoints that lose it, and is served once it is free', async () => {
  const taken = createServer();
  const port = await new Promise<number>((resolve) => taken.listen(0, () => resolve((taken.address() as { port: number }).port)));
  const proxy = new TcpProxy(10);
  const listener = { port, terms: TERMS, endpoints: [{ name: 'desk', windowMs: 10_000 }], targets: [await aBackend('a')] };
  const document = { protocol: PROTOCOL, listeners: [listener] };
  expect(await proxy.apply(document)).toEqual({ aside: { desk: `another program listens on port ${port}` } });
  await new Promise((resolve) => taken.close(resolve));
  expect(await proxy.apply(document)).toEqual({ aside: {} });
  ending.push(() => proxy.retire());
  const one = aClient(port, '127.0.0.1');
  await one.hears('a\n');
  one.socket.destroy();
});

test('bytes sent to clients are counted while a session lasts', async () => {
  const { client, seen } = await aProxy([await aBackend('a')]);
  const one = client();
  await one.hears('a\n');
  one.socket.write('x'.repeat(1_000));
  await until('all has come back', SOON_MS, () => one.heard.text.length === 1_002);
  expect(seen().buckets.reduce((sum, bucket) => sum + bucket.bytes, 0)).toBe(1_002);
});
