import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from '@reactor/testkit';
import { type Health, UNREADY, watchHealth } from '../src/health.js';

/** Real sockets and a clock that runs a hundred times as fast, so that nobody waits for a check interval. */
const quickClock = {
  now: () => performance.now() * 100,
  monotonic: () => performance.now() * 100,
  sleep: (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms / 100);
      if (signal?.aborted) end();
      signal?.addEventListener('abort', end, { once: true });
    }),
};

let server: Server;
let status = 200;
let stop: AbortController;
let told: Health[];
let failed: (problem: string) => void;

beforeEach(async () => {
  status = 200;
  told = [];
  stop = new AbortController();
  server = createServer((_request, response) => response.writeHead(status).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  stop.abort();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function watch(
  change: { path?: string | null; errorMarks?: number; startTimeoutMs?: number; initial?: Health } = {},
): Promise<void> {
  const { port } = server.address() as AddressInfo;
  const watching = watchHealth({
    check: { path: change.path === undefined ? '/' : change.path, intervalMs: 1_000, timeoutMs: 1_000 },
    target: { host: '127.0.0.1', port },
    startTimeoutMs: change.startTimeoutMs ?? 60_000,
    errorMarks: change.errorMarks ?? 1,
    initial: change.initial ?? UNREADY,
    clock: quickClock,
    signal: stop.signal,
    changed: (health) => void told.push(health),
  });
  failed = watching.fail;
  return watching.ended;
}

const last = (): Health | undefined => told.at(-1);

test('a service is ready with its first passed check', async () => {
  void watch();
  await until('it is ready', 5_000, () => last()?.ready === true);
  expect(last()).toMatchObject({ wasReady: true, marks: 0, error: null });
});

test('without a path a connection is enough', async () => {
  status = 500;
  void watch({ path: null });
  await until('it is ready', 5_000, () => last()?.ready === true);
});

test('a service that answers 500 becomes unhealthy, and recovers', async () => {
  void watch();
  await until('it is ready', 5_000, () => last()?.ready === true);
  status = 500;
  await until('it is unhealthy', 5_000, () => last()?.failed === true);
  expect(last()).toMatchObject({ ready: false, wasReady: true, error: 'GET / answered 500' });
  status = 200;
  await until('it is ready again', 5_000, () => last()?.ready === true);
  expect(last()).toMatchObject({ marks: 0, failed: false });
});

test('fewer failed checks than error_marks leave it ready', async () => {
  void watch({ errorMarks: 1_000 });
  await until('it is ready', 5_000, () => last()?.ready === true);
  status = 503;
  await until('checks have failed', 5_000, () => (last()?.marks ?? 0) >= 2);
  expect(last()).toMatchObject({ ready: true, failed: false });
});

test('what somebody else could not reach is a failed check like any other, ended by the first that passes', async () => {
  void watch({ errorMarks: 2 });
  failed('before it was ready');
  await until('it is ready', 5_000, () => last()?.ready === true);
  failed('no connection');
  expect(last()).toMatchObject({ ready: true, marks: 1, error: 'no connection' });
  failed('no connection');
  expect(last()).toMatchObject({ ready: false, failed: true, marks: 2 });
  await until('it is ready again', 5_000, () => last()?.ready === true);
  expect(last()).toMatchObject({ marks: 0, failed: false, error: null });
});

test('one that never answers is told as failed after its start timeout, and may still come up', async () => {
  status = 404;
  void watch({ startTimeoutMs: 500 });
  await until('it has failed', 5_000, () => last()?.failed === true);
  expect(last()).toMatchObject({ wasReady: false, error: 'not ready within 0.5 s: GET / answered 404' });
  status = 200;
  await until('it is ready', 5_000, () => last()?.ready === true);
});

test('what was ready before is not told again, only checked', async () => {
  const { port } = server.address() as AddressInfo;
  void watch({ initial: { ...UNREADY, ready: true, wasReady: true, readyAtMs: 7 } });
  let asked = 0;
  server.on('request', () => {
    asked += 1;
  });
  await until('it was checked twice', 5_000, () => asked >= 2);
  expect(told).toEqual([]);
  expect(port).toBeGreaterThan(0);
});

test('a port nobody listens on is said to refuse', async () => {
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const { probe } = await import('../src/probe.js');
  expect(await probe({ host: '127.0.0.1', port }, null, 1_000)).toBe(`no connection to 127.0.0.1:${port}: connection refused`);
  expect(await probe({ host: '127.0.0.1', port }, '/x', 1_000)).toBe('GET /x: connection refused');
});
