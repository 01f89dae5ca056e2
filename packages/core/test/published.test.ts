import {
  type Json,
  postedReports,
  publishedTraffic,
  sessionsOfHosts,
  TOPICS,
  type TrafficReport,
  trafficOfHosts,
} from '@reactor/core';

/** What is published is read every round by whoever leads: what somebody else put there must not stop it. */

const REPORT: TrafficReport = {
  atMs: 5_000,
  completeSinceMs: 1_000,
  badLines: 0,
  lagBytes: 0,
  endpoints: { web: { buckets: [], times: [], active: 2, backends: {} } },
};
const traffic = publishedTraffic('vm1', REPORT);
const GOOD = traffic[TOPICS.trafficOf('vm1')] as { readonly [key: string]: Json };

const SHAPES: readonly Json[] = [null, 0, 'what is not JSON', [], {}, { atMs: 'now' }];

test.each<Json>([
  ...SHAPES,
  { ...GOOD, parts: 1e12 },
  { ...GOOD, parts: 0 },
  { ...GOOD, atMs: null },
  { ...GOOD, endpoints: { web: null } },
  { ...GOOD, endpoints: { web: { buckets: {}, backends: [], times: [], active: 1 } } },
])('traffic that is %j is none of ours, and is left out', (value) => {
  const reports = trafficOfHosts(new Map([...Object.entries(traffic), [TOPICS.trafficOf('vm2'), value]]));
  expect([...reports.keys()]).toEqual(['vm1']);
  expect(reports.get('vm1')).toEqual(REPORT);
});

test.each<Json>([...SHAPES, { atMs: 1, by: 'vm1', values: { x: 5 } }, { atMs: 1, by: 'vm1', values: { x: [1, 2, 3] } }])(
  'a posted metric that is %j is none of ours, and is left out',
  (value) => {
    const good = { atMs: 1, by: 'vm1', values: { queue: [1, 5] } };
    const reports = postedReports(
      new Map<string, Json>([
        [TOPICS.posted('web', null), good],
        [TOPICS.posted('web', 'i1'), value],
      ]),
    );
    expect(reports.get('web')).toEqual([{ ...good, backend: null }]);
  },
);

test.each<Json>([...SHAPES, { atMs: 1, sessions: [{ client: 5 }], more: 0 }])(
  'a list of sessions that is %j is none of ours, and is left out',
  (value) => {
    const good = { atMs: 1, sessions: [], more: 0 };
    const told = sessionsOfHosts(
      new Map<string, Json>([
        [TOPICS.sessionsOf('vm1'), good],
        [TOPICS.sessionsOf('vm2'), value],
      ]),
    );
    expect([...told]).toEqual([['vm1', good]]);
  },
);
