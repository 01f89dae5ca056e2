import type { ServerResponse } from 'node:http';
import { engineAt, fakeDockerd, type Reply } from './fake-dockerd.js';

const dockerds: { close(): Promise<void> }[] = [];
const watches: AbortController[] = [];
afterEach(async () => {
  for (const watch of watches.splice(0)) watch.abort();
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
  watches.push(stop);
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

test('an end at any moment of a connection is quiet', async () => {
  const dockerd = await fakeDockerd({ 'GET /events': (_request, response) => void response.end(event('a')) });
  dockerds.push(dockerd);
  const failures: unknown[] = [];
  const note = (error: unknown) => failures.push(error);
  process.on('uncaughtException', note);
  try {
    for (let turns = 0; turns < 60; turns += 1) {
      const stop = new AbortController();
      const events = engineAt(dockerd.socket).engine.events(stop.signal)[Symbol.asyncIterator]();
      const first = events.next();
      if (turns >= 20) await first;
      for (let turn = 0; turn < turns % 20; turn += 1) await new Promise(setImmediate);
      stop.abort();
      await first;
    }
    await new Promise(setImmediate);
  } finally {
    process.off('uncaughtException', note);
  }
  expect(failures).toEqual([]);
});
