import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DnsmasqService, LoadBalancer } from '@reactor/core';
import { until } from '@reactor/testkit';
import { createDnsmasq, type DnsmasqOptions } from '../src/dnsmasq.js';

/** A real dnsmasq, asked by a real resolver. */

const BINARY = '/usr/sbin/dnsmasq';
const SOON_MS = 10_000;

let directory: string;
let port: number;
const drivers: LoadBalancer<DnsmasqService>[] = [];
const told: string[] = [];

beforeEach(async () => {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: scripts/prepare installs it`);
  directory = mkdtempSync(join(tmpdir(), 'reactor-dnsmasq-'));
  // dnsmasq reads its file as another account.
  chmodSync(directory, 0o755);
  told.length = 0;
  const probe = createSocket('udp4');
  port = await new Promise<number>((resolve) => probe.bind(0, '127.0.0.1', () => resolve(probe.address().port)));
  await new Promise<void>((resolve) => probe.close(resolve));
});
afterEach(async () => {
  for (const driver of drivers.splice(0)) await driver.close();
  const pid = pidOf();
  if (pid !== null) process.kill(pid, 'SIGTERM');
  await until('dnsmasq has ended', SOON_MS, () => pidOf() === null);
  rmSync(directory, { recursive: true, force: true });
});

/** Of the running one, ours or the system's of this test. */
function pidOf(): number | null {
  for (const file of [join(directory, 'own/dnsmasq.pid'), join(directory, 'system.pid')]) {
    if (!existsSync(file)) continue;
    const pid = Number(readFileSync(file, 'latin1'));
    const words = existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, 'latin1') : '';
    if (words.includes(directory)) return pid;
  }
  return null;
}

async function aDriver(mode: DnsmasqOptions['mode'] = { kind: 'own', directory: join(directory, 'own') }) {
  const driver = createDnsmasq({ mode, binary: BINARY, port, log: (level, message) => told.push(`${level}: ${message}`) });
  drivers.push(driver);
  await driver.open();
  return driver;
}

function aService(name: string, ...hosts: readonly string[]): DnsmasqService {
  const backends = hosts.map((host, index) => ({ id: `i${index}`, host, port: 80, weight: 1 }));
  const url = { scheme: 'dns' as const, host: name, port: 53, path: '/' };
  return { kind: 'dnsmasq', endpoint: name, url, backends, redirect: null, windowMs: 10_000 };
}

async function ask(name: string): Promise<readonly { readonly address: string; readonly ttl: number }[]> {
  const resolver = new Resolver({ timeout: 1_000, tries: 2 });
  resolver.setServers([`127.0.0.1:${port}`]);
  const answers = await resolver.resolve4(name, { ttl: true }).catch(() => []);
  return [...answers].sort((a, b) => (a.address < b.address ? -1 : 1));
}
const addresses = async (name: string) => (await ask(name)).map(({ address }) => address);

test('names answer with their backends as soon as they are applied, and are not to be kept', async () => {
  const driver = await aDriver();
  expect(await driver.apply([])).toEqual({ changed: false, setAside: {} });
  expect(pidOf()).toBeNull();
  expect(await driver.apply([aService('db.example', '10.1.0.1', '10.1.0.2')])).toEqual({ changed: true, setAside: {} });
  expect(await ask('db.example')).toEqual([
    { address: '10.1.0.1', ttl: 0 },
    { address: '10.1.0.2', ttl: 0 },
  ]);
  expect(await addresses('other.example')).toEqual([]);
  const pid = pidOf();
  // A drain: acknowledged means that nobody who asks now is sent there.
  await driver.apply([aService('db.example', '10.1.0.2'), aService('web.example', '10.1.0.3')]);
  expect([await addresses('db.example'), await addresses('web.example')]).toEqual([['10.1.0.2'], ['10.1.0.3']]);
  expect(pidOf()).toBe(pid);
  expect(await driver.apply([aService('db.example', '10.1.0.2'), aService('web.example', '10.1.0.3')])).toMatchObject({
    changed: false,
  });
  await driver.apply([]);
  expect(pidOf()).toBeNull();
});

test('it outlives the driver, is taken over by the next, and comes back when it is killed', async () => {
  const first = await aDriver();
  await first.apply([aService('db.example', '10.1.0.1')]);
  const pid = pidOf();
  await first.close();
  const second = await aDriver();
  expect(await second.apply([aService('db.example', '10.1.0.1')])).toEqual({ changed: false, setAside: {} });
  expect(pidOf()).toBe(pid);
  process.kill(pid!, 'SIGKILL');
  await until('it answers again', SOON_MS, async () => (await addresses('db.example')).includes('10.1.0.1'));
});

test('the system’s dnsmasq gets a file beside its own and keeps running', async () => {
  const configPath = join(directory, 'dnsmasq.d');
  mkdirSync(configPath);
  const mode = {
    kind: 'system' as const,
    configPath,
    hostsPath: join(directory, 'hosts.reactor'),
    pidFile: join(directory, 'system.pid'),
  };
  const driver = await aDriver(mode);
  await expect(driver.apply([aService('db.example', '10.1.0.1')])).rejects.toMatchObject({ code: 'balancer_unavailable' });
  const words = [
    '--conf-file=/dev/null',
    `--conf-dir=${configPath}`,
    `--pid-file=${mode.pidFile}`,
    `--port=${port}`,
    '--no-resolv',
  ];
  execFileSync(BINARY, [...words, '--bind-interfaces', '--listen-address=127.0.0.1', '--address=/old.example/10.9.9.9']);
  await driver.apply([aService('db.example', '10.1.0.1')]);
  expect([await addresses('db.example'), await addresses('old.example')]).toEqual([['10.1.0.1'], ['10.9.9.9']]);
  await driver.apply([]);
  expect([await addresses('db.example'), await addresses('old.example')]).toEqual([[], ['10.9.9.9']]);
});
