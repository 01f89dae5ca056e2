import type { ServerResponse } from 'node:http';
import { engineAt, fakeDockerd, type Reply } from './fake-dockerd.js';

const dockerds: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(dockerds.splice(0).map((dockerd) => dockerd.close()));
});

async function watching(connected: (stream: ServerResponse, count: number) => void) {
  let count = 0;
  const reply: Reply = (_request, response) => {
    count += 1;
    response.writeHead(200);
    response.flushHeaders();
    connected(response, count);
  };
  const dockerd = await fakeDockerd({ 'GET /events': reply });
  dockerds.push(dockerd);
  const stop = new AbortController();
  const events = engineAt(dockerd.socket).engine.events(stop.signal)[Symbol.asyncIterator]();
  return { ...dockerd, stop, events, next: async () => (await events.next()).value };
}

const event = (id: string, cluster = 'test') =>
  `${JSON.stringify({ Type: 'container', Action: 'die', Actor: { ID: id, Attributes: { 'reactor.cluster': cluster } } })}\n`;

describe('events', () => {
  test('garbage, strangers and half lines are passed over', async () => {
    const { next } = await watching((stream) => {
      stream.write(`not json\n\n{}\n${event('x', 'other')}`);
      const [front, back] = [event('a').slice(0, 20), event('a').slice(20)];
      stream.write(front);
      setImmediate(() => stream.write(back));
    });
    expect([await next(), await next()]).toEqual([null, 'a']);
  });

  test('a stream that ends is taken up again, and then all is to be looked at', async () => {
    const { next, requests } = await watching((stream, count) => {
      if (count === 1) stream.end(event('a'));
      else stream.write(event('b'));
    });
    expect([await next(), await next(), await next(), await next()]).toEqual([null, 'a', null, 'b']);
    expect(requests.filter((request) => request === 'GET /version')).toHaveLength(2);
  });

  test('an engine that hangs up at once is not asked in a tight loop', async () => {
    const { next, requests } = await watching((stream) => stream.end());
    const beganMs = performance.now();
    for (let count = 0; count < 4; count += 1) await next();
    expect(performance.now() - beganMs).toBeGreaterThan(100 + 200 + 400 - 50);
    expect(requests.filter((request) => request === 'GET /events').length).toBeLessThan(6);
  });

  test('the end of the signal ends a wait', async () => {
    const { events, stop } = await watching(() => undefined);
    await events.next();
    const waiting = events.next();
    stop.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });
});
