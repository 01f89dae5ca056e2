import { TOPICS } from '../src/keys.js';
import type { Json } from '../src/model.js';
import type { EndpointTraffic, TrafficReport } from '../src/traffic.js';
import { isSilent, publishedTraffic, trafficOfHosts } from '../src/traffic-publication.js';
import { measure } from '../src/traffic-window.js';

const NOW = 1_700_000_000_000;
const ENDPOINTS = 1_000;
const INSTANCES = 10;
/** What the cluster state takes as one value. */
const VALUE_BYTES = 1024 * 1024;

/** Wide numbers everywhere, a minute of seconds and a broad sketch. */
function busy(endpoint: number): EndpointTraffic {
  const buckets = Array.from({ length: 61 }, (_, index) => ({
    second: NOW / 1000 - 60 + index,
    requests: 123_456,
    bytes: 123_456_789_012,
    timed: 123_456,
    seconds: 1_234.567_890_123,
    errors: 12_345,
  }));
  const times = Array.from({ length: 120 }, (_, index) => [300 + index, 123_456]).flat();
  const backends = Object.fromEntries(
    Array.from({ length: INSTANCES }, (_, index) => [
      `shop${endpoint}-${index}-0123456789abcdef`,
      { active: 1_234, requests: 1_234_567, errors: 123_456, refused: 0 },
    ]),
  );
  return { buckets, times, active: 12_340, backends };
}

const QUIET: EndpointTraffic = {
  buckets: [],
  times: [],
  active: 0,
  backends: { quiet1: { active: 0, requests: 0, errors: 0, refused: 0 } },
};

const reportOf = (endpoints: TrafficReport['endpoints'], atMs = NOW): TrafficReport => ({
  atMs,
  completeSinceMs: NOW - 3_600_000,
  endpoints,
  badLines: 2,
  lagBytes: 3,
});

const named = (count: number, traffic: (index: number) => EndpointTraffic) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`shop${index}`, traffic(index)]));

const published = (host: string, report: TrafficReport): Map<string, Json> =>
  new Map(Object.entries(publishedTraffic(host, report)));

test('a thousand busy endpoints through one host come back whole, and no value exceeds what the cluster state takes', () => {
  const report = reportOf(named(ENDPOINTS, busy));
  const values = published('vm1', report);
  expect(values.size).toBeGreaterThan(1);
  for (const value of values.values()) expect(JSON.stringify(value).length).toBeLessThan(VALUE_BYTES);
  expect(trafficOfHosts(values)).toEqual(new Map([['vm1', report]]));
});

test('endpoints and backends of which nothing was seen cost nothing, and read like silence all the same', () => {
  const report = reportOf(named(ENDPOINTS, () => QUIET));
  const values = published('vm1', report);
  expect(isSilent(report)).toBe(true);
  expect(values.size).toBe(1);
  expect(JSON.stringify([...values]).length).toBeLessThan(200);
  const options = { nowMs: NOW, windowMs: 10_000, expectedSources: 1, instances: 1 };
  const [before, after] = [[report], [...trafficOfHosts(values).values()]].map((reports) => measure(reports, 'shop7', options));
  expect(after).toEqual(before);
});

test('a backend that refuses connections is told, however quiet it is', () => {
  const refusing = { ...QUIET, backends: { bad: { active: 0, requests: 0, errors: 0, refused: 3 } } };
  expect(isSilent(reportOf({ shop: refusing }))).toBe(false);
  expect(trafficOfHosts(published('vm1', reportOf({ shop: refusing }))).get('vm1')!.endpoints).toEqual({ shop: refusing });
});

test('a queue and a used up backend are told, however quiet the rest is', () => {
  const spent = { ...QUIET, backends: { old: { active: 0, requests: 0, errors: 0, refused: 0, spent: true } } };
  for (const traffic of [{ ...QUIET, backends: {}, pending: 1 }, spent]) {
    expect(trafficOfHosts(published('vm1', reportOf({ shop: traffic }))).get('vm1')!.endpoints).toEqual({ shop: traffic });
  }
});

test('a host of whose report a part is missing or older is not heard, the others are', () => {
  const other = published('vm2', reportOf({}));
  const report = reportOf(named(ENDPOINTS, busy));
  const stale = published('vm1', { ...report, atMs: NOW - 250 });
  const values = new Map([...published('vm1', report), ...other]);
  const part = TOPICS.trafficPartOf('vm1', 1);
  values.set(part, stale.get(part)!);
  expect([...trafficOfHosts(values).keys()]).toEqual(['vm2']);
  values.delete(part);
  expect([...trafficOfHosts(values).keys()]).toEqual(['vm2']);
});

test('parts that an earlier, larger report left behind are none of the newest one', () => {
  const earlier = published('vm1', reportOf(named(ENDPOINTS, busy), NOW - 250));
  const report = reportOf({ shop0: busy(0) });
  expect(trafficOfHosts(new Map([...earlier, ...published('vm1', report)]))).toEqual(new Map([['vm1', report]]));
});
