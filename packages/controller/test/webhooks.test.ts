import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, KEYS, type Notice, ReactorError, type StateStore } from '@reactor/core';
import { createFakeStore, until } from '@reactor/testkit';
import { deliver } from '../src/delivery.js';
import { startWebhooks, type Webhooks } from '../src/webhooks.js';

const SECRET = 'correct horse battery staple';

interface Told {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A real receiver; `answer` says what it does with the nth call, counted from 0. */
async function receiver(answer: (response: ServerResponse, nth: number) => void) {
  const told: Told[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    told.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() });
    answer(response, told.length - 1);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  const ids = (): readonly string[] => told.map(({ body }) => (JSON.parse(body) as Notice).id);
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { url, told, ids, close };
}

const accepts = (response: ServerResponse): void => void response.writeHead(204).end();

/** A hundred times as fast as ours, so that a test need not wait as long as a receiver. */
const FASTER = 100;
const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now() * FASTER,
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(end, ms / FASTER);
      function end(): void {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      }
      if (signal?.aborted) end();
      else signal?.addEventListener('abort', end);
    }),
};

let store: StateStore;
let counted: Record<string, number>;
let logged: string[];
let running: Webhooks[];
let closing: (() => Promise<void>)[];
beforeEach(() => {
  store = createFakeStore({ now: () => Date.now() });
  [counted, logged, running, closing] = [{}, [], [], []];
});
afterEach(async () => {
  await Promise.all(running.map((each) => each.stop()));
  await Promise.all(closing.map((close) => close()));
  await store.close();
});

async function listening(answer: Parameters<typeof receiver>[0]) {
  const made = await receiver(answer);
  closing.push(made.close);
  return made;
}

/** The store with another way to commit. */
function withCommit(commit: StateStore['commit']): StateStore {
  return {
    commit,
    read: (prefix, known) => store.read(prefix, known),
    watch: (prefix, from, signal) => store.watch(prefix, from, signal),
    lease: (ttlMs) => store.lease(ttlMs),
    append: (log, entries) => store.append(log, entries),
    tail: (log, since, limit) => store.tail(log, since, limit),
    publish: (values, ttlMs) => store.publish(values, ttlMs),
    latest: (prefix) => store.latest(prefix),
    settled: (timeoutMs) => store.settled(timeoutMs),
    close: () => store.close(),
  };
}

function start(urls: readonly string[], leads: () => boolean = () => true, on: StateStore = store): Webhooks {
  const webhooks = startWebhooks({
    store: on,
    clock,
    urls,
    secret: SECRET,
    leads,
    meter: {
      add: (_name, { result = '' }) => {
        counted[result] = (counted[result] ?? 0) + 1;
      },
      set: () => undefined,
      observe: () => undefined,
    },
    log: (_level, message) => logged.push(message),
  });
  running.push(webhooks);
  return webhooks;
}

const aNotice = (id: string, change: Partial<Notice> = {}): Notice => ({
  id,
  event: 'scale',
  atMs: Date.now(),
  endpoint: 'web',
  instance: null,
  host: null,
  from: 1,
  to: 5,
  text: '5 instances wanted (1 now): rate is 33.0/s',
  ...change,
});

async function note(...notices: readonly unknown[]): Promise<void> {
  for (const notice of notices) {
    const { id } = notice as Notice;
    await store.commit({ expect: [], write: [{ key: KEYS.notice(id), value: notice as never }] });
  }
}

const allTold = (): Promise<void> => until('nothing is left to tell', 20_000, async () => (await left()) === 0);
const left = async (): Promise<number> => (await store.read(KEYS.notices)).entries.size;

test('a notice reaches every receiver, signed, and is struck out', async () => {
  const [one, other] = [await listening(accepts), await listening(accepts)];
  const notice = aNotice('n1');
  await note(notice);
  start([one.url, other.url]);
  await allTold();
  expect([one.ids(), other.ids()]).toEqual([['n1'], ['n1']]);
  const [{ headers, body }] = one.told as [Told];
  const { clusterId } = await store.read('');
  expect(JSON.parse(body)).toEqual({ ...notice, time: new Date(notice.atMs).toISOString(), cluster: clusterId });
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-reactor-event': 'scale', 'x-reactor-delivery': 'n1' });
  const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-reactor-signature']))!;
  expect(signature).toBe(createHmac('sha256', SECRET).update(`${seconds}.${body}`).digest('hex'));
  expect(counted).toEqual({ delivered: 2 });
});

test('one that fails twice is told a third time, with the same id, and in order', async () => {
  const failing = await listening((response, nth) => void response.writeHead(nth < 2 ? 500 : 200).end());
  await note(aNotice('n1'), aNotice('n2'));
  start([failing.url]);
  await allTold();
  expect(failing.ids()).toEqual(['n1', 'n1', 'n1', 'n2']);
  expect(counted).toEqual({ failed: 2, delivered: 2 });
  expect(logged).toEqual([expect.stringMatching(/status 500; it is tried again$/)]);
});

test('one that hangs holds up nobody else, nor the end of the daemon', async () => {
  const hanging = await listening(() => undefined);
  const other = await listening(accepts);
  await note(aNotice('n1'), aNotice('n2'), aNotice('n3'));
  const webhooks = start([hanging.url, other.url]);
  await until('the others are told', 10_000, () => other.told.length === 3 && hanging.told.length === 1);
  expect(await left()).toBe(3);
  await webhooks.stop();
});

test('a redirect is not followed, and is given up after a few times', async () => {
  const target = await listening(accepts);
  const redirecting = await listening((response) => void response.writeHead(307, { location: target.url }).end());
  await note(aNotice('n1'));
  start([redirecting.url]);
  await allTold();
  expect([redirecting.told.length, target.told.length, counted['dropped']]).toEqual([3, 0, 1]);
  expect(logged.at(-1)).toMatch(/given up: status 307: redirects are not followed/);
});

test('only the leader tells, and a new leader tells again what the former could not strike out', async () => {
  const slow = await listening((response, nth) => (nth === 0 ? undefined : accepts(response)));
  await note(aNotice('n1'));
  let leads = true;
  const former = start([slow.url], () => leads);
  start([slow.url], () => !leads);
  await until('it is asked', 10_000, () => slow.told.length === 1);
  leads = false;
  await former.stop();
  await allTold();
  expect(slow.ids()).toEqual(['n1', 'n1']);
});

test('a notice that could not be struck out is not told again by the same leader', async () => {
  const one = await listening(accepts);
  await note(aNotice('n1'));
  let refusals = 1;
  const troubled = withCommit(async (change) => {
    if (refusals-- > 0) throw new ReactorError('state_unavailable', 'nobody answers');
    return store.commit(change);
  });
  start([one.url], () => true, troubled);
  await allTold();
  expect(one.ids()).toEqual(['n1']);
});

test('what is too old or cannot be read is given up and counted', async () => {
  const one = await listening(accepts);
  await note(aNotice('old', { atMs: Date.now() - 3_700_000 }), { id: 'bad', event: 'party' }, aNotice('new'));
  start([one.url]);
  await allTold();
  expect([one.ids(), counted]).toEqual([['new'], { dropped: 2, delivered: 1 }]);
});

test.each([
  'http://169.254.169.254/latest',
  'http://2852039166/',
  'http://[fe80::1]/',
  'http://[::ffff:169.254.169.254]/',
  'http://[fd00:ec2::254]/',
])('%s is never asked', async (url) => {
  const signal = new AbortController().signal;
  const outcome = await deliver({ url, secret: SECRET, id: 'n1', event: 'scale', body: '{}', nowMs: 0, signal });
  expect(outcome).toMatchObject({ kind: 'refused', why: expect.stringMatching(/is never asked$/) });
});
