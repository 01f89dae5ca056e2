import { createApi } from '@reactor/api';
import { createClient, type LogRow } from '@reactor/client';
import { LOGS } from '@reactor/core';
import { JSON_TYPE, PYEX, type RunningApi, startApi } from './running-api.js';

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
  await running.client.createEndpoint('pyex', PYEX);
});
afterEach(() => running.close());

const append = (...messages: string[]): Promise<void> =>
  running.store.append(
    LOGS.endpoint('pyex'),
    messages.map((message) => ({ atMs: running.clock.nowMs, level: 'info' as const, event: 'USER_EVENT', message })),
  );

/** Rows as they come, until there are `count` of them. */
async function take(rows: AsyncIterable<LogRow>, count: number): Promise<string[]> {
  const messages: string[] = [];
  for await (const row of rows) {
    messages.push(row[2]);
    if (messages.length === count) break;
  }
  return messages;
}

describe('reading', () => {
  test('a row has seconds, severity, message, number and event', async () => {
    running.clock.nowMs += 250;
    await append('hello');
    const rows = await running.client.log('pyex');
    expect(rows.map((row) => row[4])).toEqual(['CONFIG_UPDATED', 'USER_EVENT']);
    expect(rows[1]).toEqual([1_700_000_000.25, 'INFO', 'hello', 2, 'USER_EVENT']);
  });

  test('since, after and limit narrow it from their own side', async () => {
    running.clock.nowMs += 1_000;
    await append('a', 'b', 'c');
    expect((await running.client.log('pyex', { since: 1_700_000_000 })).map((row) => row[2])).toEqual(['a', 'b', 'c']);
    expect((await running.client.log('pyex', { since: 1_700_000_001 })).map((row) => row[2])).toEqual([]);
    expect((await running.client.log('pyex', { after: 2 })).map((row) => row[2])).toEqual(['b', 'c']);
    expect((await running.client.log('pyex', { limit: 1 })).map((row) => row[2])).toEqual(['c']);
    expect(await running.client.log('pyex', { limit: 0 })).toEqual([]);
  });

  test('a manager has a log of its own', async () => {
    await running.store.append(LOGS.manager('host-a'), [{ atMs: 1_000, level: 'error', event: 'REGISTERED', message: 'up' }]);
    expect(await running.client.managerLog('host-a')).toEqual([[1, 'ERROR', 'up', 1, 'REGISTERED']]);
  });
});

describe('posting', () => {
  test('takes the levels of 2013 and their names', async () => {
    for (const level of ['0', '1', '2', 'ERROR']) {
      await running.ask('POST', `/v1.1/endpoints/pyex/log?level=${level}`, { headers: JSON_TYPE, body: '"x"' });
    }
    expect((await running.client.log('pyex')).slice(1).map((row) => row[1])).toEqual(['INFO', 'WARNING', 'ERROR', 'ERROR']);
    const wrong = await running.ask('POST', '/v1.1/endpoints/pyex/log?level=loud', { headers: JSON_TYPE, body: '"x"' });
    expect(wrong.body.error?.message).toMatch(/expected info, warning or error, got 'loud'/);
  });

  test('what could forge a line or steer a terminal is stored as an escape', async () => {
    await running.client.post('pyex', ' a\r\n1.0 ERROR forged \u001b[31mred\u202e ');
    expect((await running.client.log('pyex')).at(-1)?.[2]).toBe('a\\u000d\\n1.0 ERROR forged \\u001b[31mred\\u202e');
  });

  test.each(['""', '" "', '7', 'null', '["x"]', '{"message":"x"}'])('%s is no text', async (body) => {
    const answer = await running.ask('POST', '/v1.1/endpoints/pyex/log', { headers: JSON_TYPE, body });
    expect([answer.status, (await running.client.log('pyex')).length]).toEqual([400, 1]);
  });

  test('a text beyond the limit is refused', async () => {
    await expect(running.client.post('pyex', 'x'.repeat(2_001))).rejects.toMatchObject({ code: 'too_large' });
    await running.client.post('pyex', 'x'.repeat(2_000));
  });
});

describe('following', () => {
  test('hands over what is there and then what comes, each once and in order', async () => {
    const rows = take(running.client.follow('pyex'), 4);
    await append('a');
    await append('b', 'c');
    expect(await rows).toEqual(['created; PAUSED until it is started', 'a', 'b', 'c']);
  });

  test('from a number on loses nothing of a burst', async () => {
    const messages = Array.from({ length: 900 }, (_, index) => `m${index}`);
    const rows = take(running.client.follow('pyex', { after: 1 }), messages.length);
    for (let from = 0; from < messages.length; from += 100) await append(...messages.slice(from, from + 100));
    expect(await rows).toEqual(messages);
  });

  test('with limit 0 shows only what is new', async () => {
    const rows = take(running.client.follow('pyex', { limit: 0 }), 1);
    // Whether this comes before the follower has connected or after: it shows nothing that was there before it came.
    expect(await running.client.log('pyex', { limit: 0 })).toEqual([]);
    const late = setInterval(() => void append('new'), 50);
    expect(await rows).toEqual(['new']);
    clearInterval(late);
  });

  test('survives an outage of the state', async () => {
    const rows = running.client.follow('pyex', { after: 1 })[Symbol.asyncIterator]();
    await append('before');
    expect((await rows.next()).value?.[2]).toBe('before');
    running.outage.on = true;
    const next = rows.next();
    await append('during');
    running.outage.on = false;
    expect((await next).value?.[2]).toBe('during');
    await rows.return?.();
  });

  test('goes on with another daemon on the same port after a restart, without a row lost or doubled', async () => {
    const rows = running.client.follow('pyex', { after: 1 })[Symbol.asyncIterator]();
    await append('one');
    expect((await rows.next()).value?.[2]).toBe('one');
    const next = rows.next();
    await running.api.close();
    await append('two', 'three');
    const heir = createApi({
      store: running.store,
      now: () => running.clock.nowMs,
      newId: () => 'x',
      version: '1',
      host: 'h',
      health: () => ({ ok: true, problems: [] }),
      log: () => undefined,
    });
    await heir.listen('127.0.0.1', running.port);
    expect([(await next).value?.[2], (await rows.next()).value?.[2]]).toEqual(['two', 'three']);
    await rows.return?.();
    await heir.close();
  });

  test('is told when the log has dropped what it has not seen', async () => {
    await append(...Array.from({ length: 1_200 }, (_, index) => `m${index}`));
    const [gap, first] = await take(running.client.follow('pyex', { after: 5 }), 2);
    expect(gap).toMatch(/^\d+ older entries are no longer kept$/);
    expect(first).toMatch(/^m\d+$/);
  });

  test('a follower of a log that is no more starts over', async () => {
    const [first] = await take(running.client.follow('pyex', { after: 5_000 }), 1);
    expect(first).toBe('created; PAUSED until it is started');
  });

  test('ends when the one who follows stops', async () => {
    const stop = new AbortController();
    const rows: LogRow[] = [];
    for await (const row of running.client.follow('pyex', { signal: stop.signal })) {
      rows.push(row);
      stop.abort();
    }
    expect(rows).toHaveLength(1);
  });

  test('a stream ends cleanly when the server closes', async () => {
    const response = await fetch(`${running.url}/v1.1/endpoints/pyex/log?follow=1`);
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const text = response.text();
    await running.api.close();
    expect((await text).trim().split('\n')).toHaveLength(1);
  });

  test('more followers than there are places still get what there is', async () => {
    const stop = new AbortController();
    const open = await Promise.all(
      Array.from({ length: 70 }, () => fetch(`${running.url}/v1.1/endpoints/pyex/log?follow=1`, { signal: stop.signal })),
    );
    const texts = open.map((response) => response.text().catch(() => 'cut off'));
    const first = await Promise.race(texts);
    expect(first).toContain('CONFIG_UPDATED');
    stop.abort();
    const all = await Promise.all(texts);
    expect(all.filter((text) => text === 'cut off').length).toBeLessThanOrEqual(64);
  });

  test('the first connection fails for good when there is nothing to follow or nobody there', async () => {
    await expect(take(running.client.follow('never'), 1)).rejects.toMatchObject({ code: 'not_found' });
    await running.api.close();
    await expect(take(createClient({ api: running.url }).follow('pyex'), 1)).rejects.toMatchObject({ code: 'unreachable' });
  });
});
