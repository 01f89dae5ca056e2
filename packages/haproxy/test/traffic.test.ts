import { REFUSALS_PER_MARK } from '@reactor/core';
import type { LogLine } from '../src/access-log.js';
import type { ServerFigures } from '../src/runtime.js';
import { Traffic } from '../src/traffic.js';
import { groupServices, serverName } from '../src/virtual-service.js';
import { backendAt, serviceAt } from './services.js';

const NOW = 1_000_000;
const backend = backendAt(1, 'a');
const service = serviceAt('web', 80, { backends: [backend] });
const token = groupServices([service]).virtual[0]!.token;
const name = serverName(backend);
const line = (change: Partial<LogLine> = {}): LogLine => ({
  backend: token,
  server: name,
  status: 200,
  bytes: 10,
  upstreamMs: 20,
  endedBy: '-',
  endedIn: '-',
  ...change,
});
const figures = (change: Partial<ServerFigures> = {}): ServerFigures => ({
  backend: token,
  name,
  active: 0,
  connectErrors: 0,
  down: false,
  ...change,
});

function traffic(sinceMs = 0): Traffic {
  const made = new Traffic(sinceMs);
  made.configure([service], NOW);
  return made;
}

test('requests add up by second, with what went wrong', () => {
  const seen = traffic();
  seen.count(line(), NOW);
  seen.count(line({ status: 502 }), NOW);
  seen.count(line({ status: 503, upstreamMs: -1, endedBy: 'S', endedIn: 'C' }), NOW + 1_000);
  seen.count(line({ server: '<NOSRV>', status: 503, upstreamMs: -1, endedBy: 'S', endedIn: 'C' }), NOW + 1_000);
  seen.count(line({ backend: 'rffffffffffff' }), NOW);
  expect(seen.report(NOW + 1_000)['web']).toMatchObject({
    buckets: [
      { second: 1_000, requests: 2, bytes: 20, timed: 2, seconds: 0.04, errors: 1 },
      { second: 1_001, requests: 2, timed: 0, errors: 1 },
    ],
    backends: { a: { requests: 3, errors: 2 } },
  });
  expect(seen.report(NOW + 60_000)['web']).toMatchObject({ buckets: [], times: [] });
});

test('connections are those of all workers, and those of one that drains count on', () => {
  const seen = traffic();
  seen.observe(
    new Map([
      [1, [figures({ active: 2 })]],
      [2, [figures({ active: 3 })]],
    ]),
    2,
  );
  seen.configure([serviceAt('web', 80)], NOW);
  expect(seen.report(NOW)['web']).toMatchObject({ active: 5, backends: { a: { active: 5 } } });
  seen.configure([], NOW + 16 * 60_000);
  expect(seen.report(NOW)['web']?.active).toBe(5);
  seen.observe(new Map(), null);
  expect(seen.report(NOW)['web']?.active).toBe(0);
});

test('connect errors count since one was answered; what is down counts as a failed check', () => {
  const seen = traffic();
  const refused = () => seen.report(NOW)['web']?.backends['a']?.refused;
  seen.observe(new Map([[1, [figures({ connectErrors: 5 })]]]), 1);
  expect(refused()).toBe(0);
  seen.observe(new Map([[1, [figures({ connectErrors: 8 })]]]), 1);
  expect(refused()).toBe(3);
  seen.count(line(), NOW);
  expect(refused()).toBe(0);
  seen.observe(new Map([[1, [figures({ connectErrors: 8, down: true })]]]), 1);
  expect(refused()).toBe(REFUSALS_PER_MARK);
  // An old worker checks no more: what it says of health is the past.
  seen.observe(
    new Map([
      [1, [figures({ connectErrors: 8, down: true })]],
      [2, [figures()]],
    ]),
    2,
  );
  expect(refused()).toBe(0);
});

test('until a whole window is known, it says since when it is', () => {
  const seen = traffic(NOW);
  expect(seen.report(NOW + 5_000)['web']?.completeSinceMs).toBe(NOW);
  expect(seen.report(NOW + 10_000)['web']?.completeSinceMs).toBeUndefined();
});
