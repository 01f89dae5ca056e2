import type { OutputRow } from '@reactor/client';
import { KEYS } from '@reactor/core';
import { containerSpec, createFakeEngine, type FakeEngine, until } from '@reactor/testkit';
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
    [1, 'i1', 'stdout', 'first'],
    [2, 'i2', 'stderr', 'second'],
    [3, 'i1', 'stdout', 'third'],
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

test('instances on other hosts are named, for their output is not here', async () => {
  await running.put(KEYS.instance('far'), { id: 'far', endpoint: 'pyex', host: 'host-b' });
  expect(await shown()).toEqual([
    [expect.any(Number), '', 'note', 'instances on host-b are not shown: ask the daemon there (--api)'],
  ]);
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
