import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient, type OutputRow } from '@reactor/client';
import { KEYS } from '@reactor/core';
import { aHost, containerSpec, createFakeEngine, type FakeEngine, until } from '@reactor/testkit';
import { anInstance } from './placed-instances.js';
import { PYEX, type RunningApi, startApi } from './running-api.js';

let running: RunningApi;
let engine: FakeEngine;
let ports = 20_000;
beforeEach(async () => {
  engine = createFakeEngine();
  running = await startApi({ engine });
  await running.client.createEndpoint('pyex', PYEX);
  await start('i1');
});
afterEach(() => running.close());

const start = (instance: string, endpoint = 'pyex') => {
  ports += 1;
  return engine.start(containerSpec(instance, '10.0.0.1', ports, { endpoint }));
};
const print = (instance: string, atMs: number, text: string, stream: 'stdout' | 'stderr' = 'stdout') =>
  engine.print(instance, { atMs, stream, text });

async function shown(range: Parameters<RunningApi['client']['output']>[1] = {}): Promise<readonly OutputRow[]> {
  const rows: OutputRow[] = [];
  for await (const row of running.client.output('pyex', range)) rows.push(row);
  return rows;
}

test('the lines of all containers come in the order of their times, with their instance and stream', async () => {
  await start('i2');
  await start('other', 'web');
  print('other', 1_000, 'not asked for');
  print('i1', 1_000, 'first');
  print('i1', 3_000, 'third');
  print('i2', 2_000, 'second', 'stderr');
  expect(await shown()).toEqual([
    [1, 'i1', 'stdout', 'first', 'host-a'],
    [2, 'i2', 'stderr', 'second', 'host-a'],
    [3, 'i1', 'stdout', 'third', 'host-a'],
  ]);
  expect((await shown({ tail: 2 })).map((row) => row[3])).toEqual(['second', 'third']);
  expect((await shown({ since: 2.5 })).map((row) => row[3])).toEqual(['third']);
  expect(await shown({ tail: 0 })).toEqual([]);
});

test('of a very long output the newest part is shown', async () => {
  const long = 'x'.repeat(2 ** 20);
  for (let number = 0; number < 20; number += 1) print('i1', number, `${number} ${long}`);
  const numbers = (await shown()).map((row) => Number.parseInt(row[3], 10));
  expect(numbers.at(-1)).toBe(19);
  expect(numbers.length).toBeGreaterThan(10);
  expect(numbers.length).toBeLessThan(20);
});

test('following goes on where the past ended, nothing twice and nothing left out, also with instances that start', async () => {
  print('i1', 5, 'old');
  print('i1', 5, 'same time');
  const stop = new AbortController();
  const rows: OutputRow[] = [];
  const following = (async () => {
    for await (const row of running.client.output('pyex', { follow: true, signal: stop.signal })) rows.push(row);
  })();
  const texts = () => rows.map((row) => row[3]);
  await until('what was there is shown', 5_000, async () => rows.length === 2);
  print('i1', 5, 'still the same time');
  await until('what is written is shown', 5_000, async () => rows.length === 3);
  await start('i2');
  print('i2', 9, 'hello');
  await until('the new instance is shown', 5_000, async () => rows.length === 4);
  expect(texts()).toEqual(['old', 'same time', 'still the same time', 'hello']);
  stop.abort();
  await following;
});

test('following without the past shows only what is written from now on', async () => {
  print('i1', running.clock.nowMs - 10, 'old');
  const stop = new AbortController();
  const rows: OutputRow[] = [];
  const following = (async () => {
    for await (const row of running.client.output('pyex', { follow: true, tail: 0, signal: stop.signal })) rows.push(row);
  })();
  let number = 0;
  await until('something new is shown', 5_000, async () => {
    print('i1', running.clock.nowMs + number, `new ${number}`);
    number += 1;
    return rows.length > 0;
  });
  expect(rows.map((row) => row[3])).not.toContain('old');
  stop.abort();
  await following;
});

test('a Docker that does not answer is told by the status', async () => {
  engine.down();
  await expect(shown()).rejects.toMatchObject({ code: 'docker_unavailable' });
  await expect(shown({ tail: 10_001 })).rejects.toMatchObject({ code: 'request_invalid' });
});

describe('over several hosts', () => {
  let other: RunningApi;
  let otherEngine: FakeEngine;
  beforeEach(async () => {
    otherEngine = createFakeEngine();
    other = await startApi({ engine: otherEngine, host: 'host-b' });
    await other.client.createEndpoint('pyex', PYEX);
    ports += 1;
    await otherEngine.start(containerSpec('far', '10.0.0.2', ports, { endpoint: 'pyex' }));
    await running.put(KEYS.instance('far'), anInstance('far', { host: 'host-b' }));
    await running.put(KEYS.host('host-b'), aHost('host-b', { apiUrl: other.url }));
  });
  afterEach(() => other.close());
  const printFar = (atMs: number, text: string) => otherEngine.print('far', { atMs, stream: 'stdout', text });

  test('the lines of all hosts come in the order of their times, with their host, and at most so many as asked', async () => {
    print('i1', 1_000, 'first');
    printFar(2_000, 'second');
    print('i1', 3_000, 'third');
    expect((await shown()).map(([, instance, , text, host]) => [instance, text, host])).toEqual([
      ['i1', 'first', 'host-a'],
      ['far', 'second', 'host-b'],
      ['i1', 'third', 'host-a'],
    ]);
    expect((await shown({ tail: 2 })).map((row) => row[3])).toEqual(['second', 'third']);
    expect((await shown({ since: 1.5 })).map((row) => row[3])).toEqual(['second', 'third']);
  });

  test('the key that the caller shows opens the other hosts, and without it they are named', async () => {
    await other.client.setAuthKey('secret');
    printFar(2_000, 'second');
    expect(await shown()).toEqual([
      [expect.any(Number), '', 'note', expect.stringMatching(/^not shown: host-b \(.*key is missing/), ''],
    ]);
    await running.client.setAuthKey('secret');
    const rows: OutputRow[] = [];
    for await (const row of createClient({ api: running.url, key: 'secret' }).output('pyex')) rows.push(row);
    expect(rows.map((row) => row[3])).toEqual(['second']);
  });

  test('hosts that cannot be asked are named in one line, with what to do about it', async () => {
    print('i1', 1_000, 'near');
    await running.put(KEYS.instance('quiet'), anInstance('quiet', { host: 'host-c' }));
    await running.put(KEYS.host('host-c'), aHost('host-c', { apiUrl: null }));
    await running.put(KEYS.instance('gone'), anInstance('gone', { host: 'host-d' }));
    await other.close();
    const rows = await shown();
    expect(rows[0]?.[3]).toBe('near');
    expect(rows).toHaveLength(2);
    expect(rows[1]?.[3]).toMatch(
      /host-b \(.*connect ECONNREFUSED .*\); host-c \(.*set listen = :8080 under \[api\] .*\); host-d \(the host is lost\)$/,
    );
  });

  test('following goes on over all hosts, with those that come and without those that leave', async () => {
    printFar(5, 'old');
    const stop = new AbortController();
    const rows: OutputRow[] = [];
    const following = (async () => {
      for await (const row of running.client.output('pyex', { follow: true, signal: stop.signal })) rows.push(row);
    })();
    const texts = () => rows.map((row) => row[3]);
    await until('what was there is shown', 5_000, async () => rows.length === 1);
    printFar(5, 'of the same time');
    print('i1', 6, 'near');
    await until('what both write is shown', 5_000, async () => rows.length === 3);
    expect([...texts()].sort()).toEqual(['near', 'of the same time', 'old']);
    const third = createFakeEngine();
    const late = await startApi({ engine: third, host: 'host-c' });
    await late.client.createEndpoint('pyex', PYEX);
    ports += 1;
    await third.start(containerSpec('late', '10.0.0.3', ports, { endpoint: 'pyex' }));
    await running.put(KEYS.host('host-c'), aHost('host-c', { apiUrl: late.url }));
    await running.put(KEYS.instance('late'), anInstance('late', { host: 'host-c' }));
    third.print('late', { atMs: running.clock.nowMs + 1, stream: 'stdout', text: 'hello' });
    await until('the host that came is followed', 10_000, async () => texts().includes('hello'));
    await late.close();
    print('i1', 7, 'still here');
    await until('the others go on', 10_000, async () => texts().includes('still here'));
    stop.abort();
    await following;
  });

  test('a host that answers something else, or nothing at all, holds up nobody', async () => {
    print('i1', 1_000, 'near');
    const silent = createServer((_request, response) => response.end('<html>\n'));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    await running.put(KEYS.host('host-b'), aHost('host-b', { apiUrl: `http://127.0.0.1:${port}` }));
    const rows = await shown();
    expect(rows.map((row) => row[3])).toEqual([
      'near',
      'not shown: host-b (it answers in a form that this version does not know)',
    ]);
    silent.removeAllListeners('request');
    silent.on('request', () => undefined);
    const late = await shown();
    expect(late.map((row) => row[3])).toEqual(['near', 'not shown: host-b (no answer within 6 s)']);
    silent.closeAllConnections();
    await new Promise((resolve) => silent.close(resolve));
  }, 20_000);
});
