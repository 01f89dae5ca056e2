import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadBalancer, TcpConfig, TcpService } from '@reactor/core';
import { until } from '@reactor/testkit';
import { findProxy } from '../src/proxy-process.js';
import { createTcp } from '../src/tcp.js';

/** The driver and the process it starts; what happens to connections when either of them ends. */

const SOON_MS = 10_000;
const TCP: TcpConfig = {
  exclusive: false,
  disposable: false,
  disposeMinMs: 0,
  reconnectMs: 0,
  clientSubnets: [],
  balance: 'random',
};

let directory: string;
let port: number;
let backend: Server;
const told: string[] = [];
const drivers: LoadBalancer<TcpService>[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'reactor-tcp-'));
  told.length = 0;
  backend = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const probe = createServer();
  port = await new Promise<number>((resolve) => probe.listen(0, () => resolve((probe.address() as { port: number }).port)));
  await new Promise((resolve) => probe.close(resolve));
});
afterEach(async () => {
  for (const driver of drivers.splice(0)) await driver.close();
  const pid = findProxy(directory);
  if (pid !== null) process.kill(pid, 'SIGTERM');
  await until('the proxy has ended', SOON_MS, () => findProxy(directory) === null);
  backend.close();
  rmSync(directory, { recursive: true, force: true });
});

async function aDriver(): Promise<LoadBalancer<TcpService>> {
  const driver = createTcp({ directory, log: (level, message) => told.push(`${level}: ${message}`) });
  drivers.push(driver);
  await driver.open();
  return driver;
}

function aService(change: Partial<TcpService> = {}): TcpService {
  const { port: backendPort } = backend.address() as { port: number };
  return {
    kind: 'tcp',
    endpoint: 'echo',
    url: { scheme: 'tcp', host: null, port, path: '/' },
    backends: [{ id: 'a', host: '127.0.0.1', port: backendPort, weight: 1 }],
    redirect: null,
    windowMs: 10_000,
    tcp: TCP,
    ...change,
  };
}

function aClient() {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  const heard = { text: '', closed: false };
  socket.on('data', (part: string) => {
    heard.text += part;
  });
  socket
    .on('error', () => undefined)
    .on('close', () => {
      heard.closed = true;
    });
  const echo = async (text: string): Promise<void> => {
    heard.text = '';
    socket.write(text);
    await until(`${text} comes back`, SOON_MS, () => heard.text === text);
  };
  return { socket, heard, echo };
}

test('no process runs while there is nothing to serve', async () => {
  const driver = await aDriver();
  expect(await driver.apply([])).toEqual({ changed: false, setAside: {} });
  expect(await driver.traffic(Date.now())).toMatchObject({ endpoints: {} });
  expect(findProxy(directory)).toBeNull();
});

test('a connection outlives the driver, and the next driver takes the same process over', async () => {
  const first = await aDriver();
  expect(await first.apply([aService()])).toEqual({ changed: true, setAside: {} });
  expect(await first.apply([aService()])).toEqual({ changed: false, setAside: {} });
  const pid = findProxy(directory);
  const client = aClient();
  await client.echo('one');
  await first.close();
  await client.echo('two');

  const second = await aDriver();
  expect(await second.sessions!.list()).toMatchObject([{ endpoint: 'echo', instance: 'a' }]);
  await second.apply([aService()]);
  await client.echo('three');
  expect((await second.traffic(Date.now())).endpoints['echo']).toMatchObject({ active: 1, pending: 0 });
  expect(findProxy(directory)).toBe(pid);
  const [session] = await second.sessions!.list();
  expect(await second.sessions!.kill('echo', session!.client)).toBe(true);
  await until('the client is cut off', SOON_MS, () => client.heard.closed);
});

test('a process that was killed is started again and serves what it served, before anybody tells it to', async () => {
  const driver = await aDriver();
  await driver.apply([aService()]);
  const killed = findProxy(directory)!;
  process.kill(killed, 'SIGKILL');
  await until('another one is there', SOON_MS, () => ![null, killed].includes(findProxy(directory)));
  const client = aClient();
  await client.echo('again');
  client.socket.destroy();
  expect(told.filter((line) => line.includes('is gone'))).toHaveLength(1);
  expect(await driver.apply([aService()])).toMatchObject({ setAside: {} });
});

test('a port that is taken and a backend that is the port itself are set aside by endpoint', async () => {
  const driver = await aDriver();
  const { port: taken } = backend.address() as { port: number };
  const other = aService({ endpoint: 'other', url: { scheme: 'tcp', host: null, port: taken, path: '/' }, backends: [] });
  const round = aService({ endpoint: 'round', backends: [{ id: 'a', host: '127.0.0.1', port, weight: 1 }] });
  // The backend listens on 127.0.0.1 only; a listener for all addresses still meets it.
  expect((await driver.apply([other])).setAside).toEqual({ other: `another program listens on port ${taken}` });
  expect((await driver.apply([round])).setAside).toEqual({
    round: `backend 127.0.0.1:${port} is this host's own port ${port}: connections would go round`,
  });
});
