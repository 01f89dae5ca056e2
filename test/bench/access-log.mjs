import { groupServices, Traffic } from '../../packages/nginx/dist/index.js';
import { aNginxConfig } from '../../packages/testkit/dist/builders.js';

/** An access log as our nginx writes it, for 10 endpoints with 3 backends each, and the counters its lines belong to. */

const ENDPOINTS = 10;
const BACKENDS = 3;
const WINDOW_MS = 60_000;

export function someServices() {
  return Array.from({ length: ENDPOINTS }, (_, endpoint) => ({
    endpoint: `shop${endpoint}`,
    url: { scheme: 'http', host: `shop${endpoint}.example`, port: 80, path: '/' },
    backends: Array.from({ length: BACKENDS }, (_, backend) => ({
      id: `i${endpoint}-${backend}`,
      host: '10.77.0.11',
      port: 20_000 + endpoint * BACKENDS + backend,
      weight: 1,
    })),
    redirect: null,
    nginx: aNginxConfig(),
    windowMs: WINDOW_MS,
  }));
}

export function configuredTraffic(nowMs) {
  const traffic = new Traffic();
  traffic.configure(someServices(), nowMs);
  return traffic;
}

/** `count` lines of the second that begins at `second` (Unix time), spread over it; endpoints and backends in no order. */
export function linesOf(second, count) {
  const places = groupServices(someServices()).virtual.flatMap(({ token, backends }) =>
    backends.map(({ host, port }) => ({ token, address: `${host}:${port}` })),
  );
  let chance = second;
  const upTo = (limit) => {
    chance = (Math.imul(chance, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (chance >>> 8) % limit;
  };
  const lines = Array.from({ length: count }, (_, index) => {
    const { token, address } = places[upTo(places.length)];
    const milliseconds = String(Math.floor((index * 1000) / count)).padStart(3, '0');
    const status = upTo(200) === 0 ? 502 : 200;
    const timeMs = 2 + upTo(30) + (upTo(20) === 0 ? upTo(900) : 0);
    const time = `${Math.floor(timeMs / 1000)}.${String(timeMs % 1000).padStart(3, '0')}`;
    return `${token}\t${second}.${milliseconds}\t${status}\t${200 + upTo(20_000)}\t${address}\t${status}\t0.00${upTo(3)}\t${time}\n`;
  });
  return Buffer.from(lines.join(''), 'latin1');
}

/** Requests counted so far, all endpoints together. */
export function requestsIn(traffic, nowMs) {
  return Object.values(traffic.report(nowMs, new Map()))
    .flatMap(({ buckets }) => buckets)
    .reduce((sum, { requests }) => sum + requests, 0);
}
