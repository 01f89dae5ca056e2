import { addressKey, countTable } from '../src/connections.js';
import { LogLines } from '../src/log-line.js';
import { Traffic } from '../src/traffic.js';
import { groupServices } from '../src/virtual-service.js';
import { backendAt, serviceAt } from './services.js';

const NOW_MS = 1_700_000_000_000;
const SECOND = NOW_MS / 1000;

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:9C40 0100007F:1F40 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   1: 0100007F:1F40 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   2: 0100007F:9C42 0100007F:1F40 06 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   3: 0000000000000000FFFF00000100007F:9C44 0000000000000000FFFF00000100007F:1F40 01 00000000:00000000 00:00000000
   4: 00000000000000000000000001000000:9C44 000000FD000000000000000001000000:0050 01 00000000:00000000 00:00000000
`;

test('only established connections towards an address count, over IPv4, mapped IPv4 and IPv6', () => {
  const counts = new Map<string, number>();
  countTable(TABLE, counts);
  expect(counts.get(addressKey('127.0.0.1', 8000))).toBe(2);
  expect(counts.get(addressKey('fd00::1', 80))).toBe(1);
  expect(counts.get(addressKey('127.0.0.1', 8001))).toBeUndefined();
});

function send(traffic: Traffic, services: Parameters<typeof groupServices>[0], address: string, second = SECOND) {
  const { token } = groupServices(services).virtual[0]!;
  const buffer = Buffer.from(`${token}\t${second}.000\t200\t1\t${address}\t200\t0.000\t0.010\n`);
  new LogLines(traffic).scan(buffer, 0, buffer.length, SECOND);
}

test('endpoints of one URL each get the requests of their own backends, the first one those of nobody', () => {
  const services = [serviceAt('a', 80, { backends: [backendAt(1)] }), serviceAt('b', 80, { backends: [backendAt(2)] })];
  const traffic = new Traffic();
  traffic.configure(services, NOW_MS);
  for (const port of [1, 2, 2, 9]) send(traffic, services, `127.0.0.1:${port}`);
  const report = traffic.report(NOW_MS, new Map());
  expect(report['a']!.buckets[0]!.requests).toBe(2);
  expect(report['b']!.buckets[0]!.requests).toBe(2);
});

test('a backend that was taken out keeps its counters and connections until another has its address', () => {
  const before = [serviceAt('a', 80, { backends: [backendAt(1), backendAt(2)] })];
  const after = [serviceAt('a', 80, { backends: [backendAt(2)] })];
  const open = new Map([[addressKey('127.0.0.1', 1), 3]]);
  const traffic = new Traffic();
  traffic.configure(before, NOW_MS);
  traffic.configure(after, NOW_MS);
  send(traffic, after, '127.0.0.1:1');
  expect(traffic.report(NOW_MS, open)['a']).toMatchObject({ active: 3, backends: { b1: { active: 3, requests: 1 } } });
  traffic.configure([serviceAt('a', 80, { backends: [backendAt(1, 'new')] })], NOW_MS);
  expect(traffic.report(NOW_MS, open)['a']!.backends).toMatchObject({ b1: { active: 0 }, new: { active: 3 } });
});

test('a retired backend with an open connection is remembered, one without is forgotten', () => {
  const traffic = new Traffic();
  traffic.configure([serviceAt('a', 80, { backends: [backendAt(1), backendAt(2)] })], NOW_MS);
  traffic.configure([serviceAt('a', 80)], NOW_MS);
  const open = new Map([[addressKey('127.0.0.1', 1), 1]]);
  traffic.report(NOW_MS + 10 * 60_000, open);
  traffic.configure([serviceAt('a', 80)], NOW_MS + 20 * 60_000);
  expect(Object.keys(traffic.report(NOW_MS + 20 * 60_000, open)['a']!.backends)).toEqual(['b1']);
});

test('an endpoint without requests is reported with nothing, not left out; old seconds leave', () => {
  const services = [serviceAt('a', 80, { windowMs: 10_000 })];
  const traffic = new Traffic();
  traffic.configure(services, NOW_MS);
  expect(traffic.report(NOW_MS, new Map())).toEqual({ a: { buckets: [], times: [], active: 0, backends: {} } });
  send(traffic, services, '127.0.0.1:9');
  expect(traffic.report(NOW_MS + 9_000, new Map())['a']!.buckets).toHaveLength(1);
  expect(traffic.report(NOW_MS + 20_000, new Map())['a']!.buckets).toHaveLength(0);
});
