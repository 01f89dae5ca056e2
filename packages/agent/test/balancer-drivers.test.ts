import {
  type ApplyReport,
  type BalancerKind,
  type LoadBalancer,
  ReactorError,
  type Service,
  type TrafficReport,
} from '@reactor/core';
import { anEndpointConfig } from '@reactor/testkit';
import { type BalancerDriver, combineDrivers } from '../src/balancer-drivers.js';

const config = anEndpointConfig();

function aService(endpoint: string, kind: BalancerKind): Service {
  const common = { endpoint, url: config.url!, backends: [], redirect: null, windowMs: 10_000 };
  return { ...common, kind, nginx: config.nginx, haproxy: config.haproxy, tcp: config.tcp } as Service;
}

/** A driver that does as it is told, and what it was told. */
function aDriver(kind: BalancerKind, ranBefore = false) {
  const told = {
    missing: null as string | null,
    openFails: false,
    applyFails: false,
    trafficFails: false,
    opened: 0,
    closed: 0,
    applied: [] as (readonly string[])[],
    report: { completeSinceMs: 0, endpoints: {}, badLines: 1, lagBytes: 10 } as Omit<TrafficReport, 'atMs'>,
    setAside: {} as Readonly<Record<string, string>>,
  };
  const balancer: LoadBalancer = {
    async open() {
      if (told.openFails) throw new ReactorError('balancer_unavailable', 'it does not start');
      told.opened += 1;
    },
    async apply(services): Promise<ApplyReport> {
      if (told.applyFails) throw new ReactorError('balancer_refused', 'it refuses');
      told.applied.push(services.map(({ endpoint }) => endpoint));
      return { changed: true, setAside: told.setAside };
    },
    async traffic(atMs) {
      if (told.trafficFails) throw new Error('no socket');
      return { atMs, ...told.report };
    },
    async close() {
      told.closed += 1;
    },
  };
  const driver: BalancerDriver = { kind, ranBefore, missing: () => told.missing, create: () => balancer };
  return { told, driver };
}

function aHost(...drivers: readonly { readonly driver: BalancerDriver }[]) {
  const time = { ms: 0 };
  const lines: string[] = [];
  const clock = { now: () => time.ms, monotonic: () => time.ms, sleep: async () => undefined };
  const balancer = combineDrivers({
    drivers: drivers.map(({ driver }) => driver),
    clock,
    log: (_level, line) => lines.push(line),
  });
  return { balancer, time, lines };
}

test('each driver gets its own services, and is opened when the first one comes', async () => {
  const [nginx, haproxy] = [aDriver('nginx', true), aDriver('haproxy')];
  const { balancer } = aHost(nginx, haproxy);
  await balancer.open();
  expect([nginx.told.opened, haproxy.told.opened]).toEqual([1, 0]);
  await balancer.apply([aService('a', 'nginx')]);
  expect([nginx.told.applied, haproxy.told.opened]).toEqual([[['a']], 0]);
  expect(await balancer.apply([aService('a', 'nginx'), aService('b', 'haproxy')])).toEqual({ changed: true, setAside: {} });
  expect([nginx.told.applied.at(-1), haproxy.told.applied]).toEqual([['a'], [['b']]]);
  await balancer.apply([aService('a', 'nginx')]);
  expect(haproxy.told.applied.at(-1)).toEqual([]);
  await balancer.close();
  expect([nginx.told.closed, haproxy.told.closed]).toEqual([1, 1]);
});

test('one that is not installed has its endpoints set aside, and holds nothing', async () => {
  const [nginx, haproxy] = [aDriver('nginx', true), aDriver('haproxy')];
  haproxy.told.missing = 'not installed';
  const { balancer } = aHost(nginx, haproxy);
  await balancer.open();
  const report = await balancer.apply([aService('a', 'nginx'), aService('b', 'haproxy')]);
  expect(report).toEqual({ changed: true, setAside: { b: 'haproxy: not installed' } });
  haproxy.told.missing = null;
  expect(await balancer.apply([aService('b', 'haproxy')])).toEqual({ changed: true, setAside: {} });
});

test('one that cannot be opened names its endpoints, is not tried at every round, and comes back', async () => {
  const [nginx, haproxy] = [aDriver('nginx', true), aDriver('haproxy', true)];
  haproxy.told.openFails = true;
  const { balancer, time, lines } = aHost(nginx, haproxy);
  await balancer.open();
  const services = [aService('a', 'nginx'), aService('b', 'haproxy')];
  for (let round = 0; round < 3; round += 1) {
    const report = await balancer.apply(services);
    expect(report.setAside).toEqual({ b: 'haproxy: it does not start' });
    expect(report.failed).toEqual({ problem: 'haproxy: it does not start', endpoints: ['b'] });
  }
  expect(lines).toEqual(['haproxy: it does not start']);
  expect(nginx.told.applied.length).toBe(3);
  haproxy.told.openFails = false;
  time.ms = 5_000;
  expect(await balancer.apply(services)).toEqual({ changed: true, setAside: {} });
});

test('one that fails may still serve what it served, also what is no longer its own; the others go on', async () => {
  const [nginx, haproxy] = [aDriver('nginx', true), aDriver('haproxy')];
  const { balancer } = aHost(nginx, haproxy);
  await balancer.apply([aService('a', 'nginx'), aService('b', 'haproxy')]);
  haproxy.told.applyFails = true;
  const report = await balancer.apply([aService('a', 'nginx'), aService('b', 'nginx'), aService('c', 'haproxy')]);
  expect(report.failed).toEqual({ problem: 'haproxy: it refuses', endpoints: ['b', 'c'] });
  expect(nginx.told.applied.at(-1)).toEqual(['a', 'b']);
  haproxy.told.applyFails = false;
  expect((await balancer.apply([aService('b', 'nginx')])).failed).toBeUndefined();
});

test('a kind that nobody serves is named', async () => {
  const { balancer } = aHost(aDriver('nginx', true));
  expect((await balancer.apply([aService('b', 'tcp')])).setAside).toEqual({ b: 'this host has no tcp' });
});

test('their traffic is one report; what one cannot tell is unknown from now on, and its connections stay open', async () => {
  const [nginx, haproxy] = [aDriver('nginx', true), aDriver('haproxy')];
  const seen = { buckets: [], times: [], active: 2, backends: { i1: { active: 2, requests: 0, errors: 0, refused: 0 } } };
  nginx.told.report = { ...nginx.told.report, completeSinceMs: 5, endpoints: { a: { ...seen, active: 1, backends: {} } } };
  haproxy.told.report = { ...haproxy.told.report, endpoints: { b: seen } };
  const { balancer, lines } = aHost(nginx, haproxy);
  await balancer.apply([aService('a', 'nginx'), aService('b', 'haproxy')]);
  const together = await balancer.traffic(1_000);
  expect(together).toMatchObject({ atMs: 1_000, completeSinceMs: 5, badLines: 2, lagBytes: 20 });
  expect(Object.keys(together.endpoints)).toEqual(['a', 'b']);
  haproxy.told.trafficFails = true;
  for (const atMs of [2_000, 3_000]) {
    const { endpoints, completeSinceMs } = await balancer.traffic(atMs);
    expect(completeSinceMs).toBe(5);
    expect(endpoints['a']?.completeSinceMs).toBeUndefined();
    expect(endpoints['b']).toEqual({ ...seen, completeSinceMs: atMs });
  }
  expect(lines.filter((line) => line.includes('traffic cannot be read')).length).toBe(1);
  nginx.told.trafficFails = true;
  await expect(balancer.traffic(4_000)).rejects.toThrow('no socket');
});
