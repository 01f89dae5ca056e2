import {
  type EndpointTraffic,
  type InstanceRecord,
  type InstanceReport,
  KEYS,
  NO_FAILURES,
  NO_HISTORY,
  publishedTraffic,
  TOPICS,
  type TrafficReport,
} from '@reactor/core';
import { aHost } from '@reactor/testkit';
import { anInstance, aReport } from './placed-instances.js';
import { PYEX, type RunningApi, startApi } from './running-api.js';

const NOTHING_REMEMBERED = { targets: NO_HISTORY, failures: NO_FAILURES };

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
  await running.client.createEndpoint('pyex', PYEX);
  await running.put(KEYS.host('host-a'), aHost('host-a'));
});
afterEach(() => running.close());

async function place(record: InstanceRecord, report: InstanceReport | null): Promise<void> {
  await running.put(KEYS.instance(record.id), record);
  if (report) await running.put(KEYS.report(record.host, record.id), report);
}

async function placeOneOfEach(): Promise<void> {
  await place(anInstance('ready'), aReport('ready'));
  await place(anInstance('young', { createdAtMs: 9 }), null);
  await place(
    anInstance('ill'),
    aReport('ill', { state: 'unhealthy', error: 'answers 500', address: { host: '10.0.0.1', port: 20_001 } }),
  );
  await place(anInstance('draining', { phase: 'drain' }), aReport('draining', { address: { host: '10.0.0.1', port: 20_002 } }));
  await place(anInstance('failed', { phase: 'drain', errored: true }), aReport('failed', { state: 'exited' }));
  await place(anInstance('leaving', { phase: 'remove' }), aReport('leaving'));
  await place(anInstance('lost', { host: 'host-z' }), aReport('lost', { host: 'host-z' }));
  await place(anInstance('alien', { endpoint: 'pyexx' }), aReport('alien'));
}

describe('the state of an endpoint', () => {
  test('counts every instance by one word and lists what requests go to', async () => {
    await placeOneOfEach();
    await running.put(KEYS.leader, { host: 'host-a', epoch: 4 });
    await running.client.setValue('pyex', 'endpoint', 'static_instances', '10.9.9.9:81');
    expect(await running.client.state('pyex')).toEqual({
      state: 'PAUSED',
      active: ['10.0.0.1:20000', '10.9.9.9:81'],
      manager: 'host-a',
      target: null,
      shadow: null,
      hold: null,
      instances: { starting: 1, ready: 1, dropped: 0, unhealthy: 1, dead: 0, unknown: 1, draining: 1, errored: 1, stopping: 1 },
      setAside: {},
    });
    expect(await running.client.ips('pyex')).toEqual(['10.0.0.1:20000']);
  });

  test('tells what a candidate would do', async () => {
    const shadow = { rules: ['rate < 20'], instances: 2, target: 3, sentence: '3 instances wanted (2 now).' };
    await running.put(KEYS.history('pyex'), {
      ...NOTHING_REMEMBERED,
      decision: { atMs: 1, record: { target: 5 }, steps: [], shadow },
    });
    expect((await running.client.state('pyex')).shadow).toEqual({ rules: ['rate < 20'], instances: 2, target: 3 });
  });

  test('has no manager while nobody leads, and names the host that could not serve it', async () => {
    await running.put(KEYS.balancer('host-a'), {
      host: 'host-a',
      revision: 1,
      serving: [],
      setAside: { pyex: 'nginx refused it' },
      error: null,
    });
    expect(await running.client.state('pyex')).toMatchObject({
      manager: null,
      active: [],
      setAside: { 'host-a': 'nginx refused it' },
    });
  });
});

describe('instances', () => {
  test('are listed under the words of 2013', async () => {
    await placeOneOfEach();
    expect(await running.client.instances('pyex')).toEqual({
      active: ['ill', 'lost', 'ready', 'young'],
      decommissioned: ['draining'],
      errored: ['failed'],
      discarded: ['leaving'],
    });
  });

  test('in detail say where they are and what is wrong', async () => {
    await placeOneOfEach();
    const rows = await running.client.instancesDetail('pyex');
    expect(rows.map(({ id, state }) => `${id} ${state}`)).toEqual([
      'draining draining',
      'failed errored',
      'ill unhealthy',
      'leaving stopping',
      'lost unknown',
      'ready ready',
      'young starting',
    ]);
    expect(rows[2]).toMatchObject({ host: 'host-a', address: '10.0.0.1:20001', error: 'answers 500', phase: 'run', slots: 10 });
    expect(rows[6]).toMatchObject({ address: null, createdAtMs: 9, error: null });
  });

  test('of all endpoints come in the order of their names, with the connections that all load balancers count', async () => {
    await place(anInstance('two', { endpoint: 'web' }), null);
    await place(anInstance('one'), aReport('one'));
    expect((await running.client.allInstances()).map(({ id, active }) => [id, active])).toEqual([
      ['one', null],
      ['two', null],
    ]);
    const backend = { active: 2, requests: 0, errors: 0, refused: 0 };
    const pyex: EndpointTraffic = { buckets: [], times: [], active: 2, backends: { one: backend } };
    const report: TrafficReport = { atMs: 0, completeSinceMs: 0, endpoints: { pyex }, badLines: 0, lagBytes: 0 };
    for (const host of ['host-a', 'host-b']) await running.store.publish(publishedTraffic(host, report), 60_000);
    expect((await running.client.allInstances()).map(({ id, active }) => [id, active])).toEqual([
      ['one', 4],
      ['two', 0],
    ]);
  });
});

describe('metrics', () => {
  const second = 1_699_999_998;

  const publish = (host: string, traffic: EndpointTraffic | null): Promise<void> => {
    const report: TrafficReport = {
      atMs: running.clock.nowMs,
      completeSinceMs: 0,
      endpoints: traffic === null ? {} : { pyex: traffic },
      badLines: 0,
      lagBytes: 0,
    };
    return running.store.publish(publishedTraffic(host, report), 60_000);
  };

  const busy = (requests: number): EndpointTraffic => ({
    buckets: [{ second, requests, bytes: requests * 100, timed: requests, seconds: requests * 0.25, errors: requests / 10 }],
    times: [],
    active: 4,
    backends: {},
  });

  test('of an endpoint at rest are its open connections alone', async () => {
    expect(await running.client.metrics('pyex')).toEqual({ active: 0 });
    await publish('host-a', null);
    expect(await running.client.metrics('pyex')).toEqual({ active: 0 });
  });

  test('are loads per serving instance, and times and shares as they are', async () => {
    await place(anInstance('i1'), aReport('i1'));
    await place(anInstance('i2'), aReport('i2', { address: { host: '10.0.0.1', port: 20_001 } }));
    await publish('host-a', busy(100));
    await publish('host-b', busy(300));
    const metrics = await running.client.metrics('pyex');
    expect(metrics['active']).toBe(4);
    expect(metrics['rate']).toBeCloseTo(20);
    expect(metrics['bytes']).toBeCloseTo(2_000);
    expect(metrics['response']).toBeCloseTo(0.25);
    expect(metrics['errors']).toBeCloseTo(0.1);
    expect((await running.client.info()).active).toBe(8);
  });
});

describe('the decision', () => {
  const decision = (atMs: number, target: number) => ({ atMs, record: { target, sentence: 'because' }, steps: [] });

  test('is null before the first', async () => {
    expect(await running.client.decision('pyex')).toBeNull();
  });

  test('is the newest of what was published and what is remembered, as it was made', async () => {
    await running.put(KEYS.history('pyex'), { ...NOTHING_REMEMBERED, decision: decision(10, 3) });
    expect(await running.client.decision('pyex')).toEqual(decision(10, 3));
    await running.store.publish(
      { [TOPICS.decision('pyex')]: decision(20, 4), [TOPICS.decision('pyexx')]: decision(99, 9) },
      60_000,
    );
    expect(await running.client.decision('pyex')).toEqual(decision(20, 4));
    expect((await running.client.state('pyex')).target).toBe(4);
    expect(await running.client.endpointsDetail()).toMatchObject([
      { name: 'pyex', state: 'PAUSED', url: 'http://', target: 4, instances: 0 },
    ]);
    await running.put(KEYS.history('pyex'), { ...NOTHING_REMEMBERED, decision: decision(30, 5) });
    expect(await running.client.decision('pyex')).toEqual(decision(30, 5));
  });
});

describe('the cluster', () => {
  test('counts endpoints by state, instances that serve and live daemons', async () => {
    await placeOneOfEach();
    await running.client.createEndpoint('other', '[endpoint]\nurl=http://other/\n');
    await running.client.act('other', 'stop');
    await running.put(KEYS.leader, { host: 'host-a', epoch: 1 });
    const { active, instances, managers, endpoints, ...more } = await running.client.info();
    expect({ active, instances, managers, endpoints }).toEqual({
      active: 0,
      instances: 2,
      managers: 1,
      endpoints: { PAUSED: 1, STOPPED: 1 },
    });
    expect(more).toMatchObject({ leader: 'host-a', version: '9.9.9', cluster: expect.any(String) });
    expect(more.hosts.map(({ id, state, usedSlots }) => [id, state, usedSlots])).toEqual([
      ['host-a', 'ready', 60],
      ['host-z', 'lost', 10],
    ]);
    expect(more.hosts[0]).not.toHaveProperty('images');
  });

  test('says that the brake is on when most hosts went missing together, and nothing otherwise', async () => {
    expect((await running.client.info()).brake).toBeNull();
    await place(anInstance('one', { host: 'host-y' }), null);
    await place(anInstance('two', { host: 'host-z' }), null);
    expect((await running.client.info()).brake).toBe('2 of 3 hosts were lost within 60 s');
  });

  test('shows its hosts with the slots that are taken and who leads', async () => {
    await placeOneOfEach();
    await running.put(KEYS.host('host-b'), aHost('host-b', { dockerError: 'does not answer' }));
    await running.put(KEYS.leader, { host: 'host-b', epoch: 1 });
    const hosts = await running.client.hosts();
    // All of host-a but the one whose container has exited.
    expect(hosts.map(({ id, leader, usedSlots, instances }) => ({ id, leader, usedSlots, instances }))).toEqual([
      { id: 'host-a', leader: false, usedSlots: 60, instances: 6 },
      { id: 'host-b', leader: true, usedSlots: 0, instances: 0 },
      { id: 'host-z', leader: false, usedSlots: 10, instances: 1 },
    ]);
    expect(await running.client.managersActive()).toEqual(['host-a', 'host-b']);
    expect(await running.client.manager('host-b')).toEqual({
      name: 'host-b',
      keys: [],
      loadbalancers: [],
      clouds: [],
      leader: true,
    });
    expect(await running.client.manager('host-x')).toBeNull();
  });
});

describe('where the next instance would go', () => {
  test('is answered for every host, and nothing is written', async () => {
    await running.put(KEYS.host('host-b'), aHost('host-b'));
    await running.put(KEYS.host('host-c'), aHost('host-c', { slots: 5 }));
    await running.put(KEYS.hostConfig('host-b'), { draining: true, removed: false });
    await place(anInstance('lost', { host: 'host-z' }), null);
    const { revision } = await running.store.read('');
    expect(await running.client.placement('pyex')).toEqual({
      endpoint: 'pyex',
      strategy: 'spread',
      host: 'host-a',
      reason: 'spread: 1.0 % used after placement',
      hosts: [
        { host: 'host-a', verdict: 'chosen', filter: null, reason: 'spread: 1.0 % used after placement' },
        { host: 'host-b', verdict: 'refused', filter: 'health', reason: 'draining' },
        { host: 'host-c', verdict: 'refused', filter: 'capacity', reason: 'needs 10 slots, 5 free' },
        { host: 'host-z', verdict: 'refused', filter: 'health', reason: 'lost' },
      ],
      more: {},
    });
    expect((await running.store.read('')).revision).toBe(revision);
  });

  test('keeps away from hosts where its starts failed lately', async () => {
    await running.put(KEYS.host('host-b'), aHost('host-b'));
    const failed = { host: 'host-a', atMs: running.clock.nowMs };
    const failures = { count: 3, notBeforeMs: 0, recent: [failed, failed, failed] };
    await running.put(KEYS.history('pyex'), { targets: { targets: [] }, failures, decision: null });
    expect((await running.client.placement('pyex')).host).toBe('host-b');
  });

  test('is no question for an endpoint without a cloud', async () => {
    await running.client.createEndpoint('fixed', '[endpoint]\nurl=http://fixed/\n');
    await expect(running.client.placement('fixed')).rejects.toMatchObject({ code: 'request_invalid' });
  });
});

describe('hosts', () => {
  const states = async () => Object.fromEntries((await running.client.hosts()).map(({ id, state }) => [id, state]));

  test('are ready, draining or lost, and say when they were heard', async () => {
    await running.put(KEYS.host('host-b'), aHost('host-b'));
    await running.put(KEYS.hostConfig('host-b'), { draining: true, removed: false });
    await running.put(KEYS.balancer('host-c'), { host: 'host-c', revision: 1, serving: [], setAside: {}, error: null });
    await running.put(KEYS.loss('host-c'), { sinceMs: 5 });
    const report: TrafficReport = { atMs: 7, completeSinceMs: 0, endpoints: {}, badLines: 0, lagBytes: 0 };
    await running.store.publish(publishedTraffic('host-a', report), 60_000);
    expect((await running.client.hosts()).map(({ id, state, heartbeatMs }) => [id, state, heartbeatMs])).toEqual([
      ['host-a', 'ready', 7],
      ['host-b', 'draining', null],
      ['host-c', 'lost', 5],
    ]);
  });

  test('are drained and activated, which says what stands in the way', async () => {
    await place(anInstance('one'), aReport('one'));
    expect(await running.client.changeHost('host-a', 'drain')).toEqual({
      host: 'host-a',
      state: 'draining',
      instances: 1,
      warnings: [
        'pyex is PAUSED: its instances stay until it is started',
        'no other host takes instances: they stay until one does',
      ],
    });
    expect(await states()).toEqual({ 'host-a': 'draining' });
    expect(await running.client.changeHost('host-a', 'activate')).toMatchObject({ state: 'ready', warnings: [] });
    expect((await running.store.read(KEYS.hostConfigs)).entries.size).toBe(0);
  });

  test('are removed only when they are gone', async () => {
    await expect(running.client.removeHost('host-a')).rejects.toMatchObject({ code: 'host_alive' });
    await place(anInstance('lost', { host: 'host-z' }), null);
    expect(await states()).toEqual({ 'host-a': 'ready', 'host-z': 'lost' });
    expect(await running.client.removeHost('host-z')).toMatchObject({ state: 'removing', instances: 1 });
    expect(await running.client.removeHost('host-z')).toMatchObject({ state: 'removing' });
  });

  test('are not removed when they come back at that very moment', async () => {
    await place(anInstance('lost', { host: 'host-z' }), null);
    running.rival.before = () => running.put(KEYS.host('host-z'), aHost('host-z'));
    await expect(running.client.removeHost('host-z')).rejects.toMatchObject({ code: 'host_alive' });
    expect((await running.store.read(KEYS.hostConfigs)).entries.size).toBe(0);
  });

  test('that nobody knows are named, with those that are there', async () => {
    await expect(running.client.changeHost('vm9', 'drain')).rejects.toMatchObject({
      code: 'not_found',
      message: "no host 'vm9'; there is host-a",
    });
    const answer = await running.ask('POST', '/v1.1/hosts/host-a/state', {
      headers: { 'content-type': 'application/json' },
      body: '{"action":"stop"}',
    });
    expect(answer.body.error).toMatchObject({
      code: 'request_invalid',
      message: "action: expected drain or activate, got 'stop'",
    });
  });
});

describe('for Prometheus', () => {
  test('instances are counted at the scrape, and what the loops reported is there', async () => {
    await placeOneOfEach();
    running.api.meter.add('reactor_reloads_total', { result: 'acknowledged' }, 3);
    running.api.meter.observe('reactor_start_seconds', { endpoint: 'pyex' }, 0.3);
    const first = await running.client.prometheus();
    expect(first).toContain('reactor_instances{endpoint="pyex",state="ready"} 1');
    expect(first).toContain('reactor_reloads_total{result="acknowledged"} 3');
    expect(first).toContain('reactor_start_seconds_bucket{le="0.5",endpoint="pyex"} 1');
    await running.put(KEYS.instance('ready'), null);
    expect(await running.client.prometheus()).not.toContain('endpoint="pyex",state="ready"');
  });

  test('an endpoint that is gone leaves nothing behind', async () => {
    for (const name of ['pyex', 'ghost']) {
      running.api.meter.set('reactor_target_instances', { endpoint: name }, 2);
      running.api.meter.observe('reactor_drain_seconds', { endpoint: name }, 61);
      running.api.meter.add('reactor_scale_events_total', { endpoint: name, step: 'start' });
    }
    const text = await running.client.prometheus();
    expect(text).not.toContain('ghost');
    expect(text.match(/endpoint="pyex"/g)?.length).toBeGreaterThan(3);
  });

  test('a meter used for what it is not is a bug that is told', () => {
    expect(() => running.api.meter.add('reactor_leader', {})).toThrow(/is a gauge/);
    expect(() => running.api.meter.set('reactor_rounds_total', { result: 'idle' }, 1)).toThrow(/is a counter/);
    expect(() => running.api.meter.observe('reactor_leader', {}, 1)).toThrow(/is a gauge/);
  });
});
