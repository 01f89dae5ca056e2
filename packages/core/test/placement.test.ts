import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type { Strategy } from '../src/model.js';
import { type HostCandidate, type PlacementRequest, place } from '../src/placement.js';
import { parseExpressions } from '../src/placement-expression.js';
import { aHost, aRequest } from './placement-hosts.js';

const vectors = JSON.parse(readFileSync(new URL('./vectors/placement.json', import.meta.url), 'utf8')) as {
  readonly slots: readonly {
    readonly strategy: Strategy;
    readonly hosts: Readonly<Record<string, readonly [used: number, total: number]>>;
    readonly need: number;
    readonly picks: string | null;
    readonly note?: string;
  }[];
};

const expressions = (text: string) => {
  const read = parseExpressions(text, 'constraint');
  if (!read.ok) throw new Error(read.fault.message);
  return read.value;
};
const placed = (endpoint: string, instance: string, hostPort: number | null = null) => ({
  endpoint,
  instance,
  hostPort,
  network: null,
});
const used = (slots: number, cpus = 0, memoryBytes = 0) => ({ used: { slots, cpus, memoryBytes } });
const picked = (request: PlacementRequest, hosts: readonly HostCandidate[]) => {
  const result = place(request, hosts, () => 0);
  return result.kind === 'placed' ? result.host : null;
};
const reasonOf = (request: PlacementRequest, host: HostCandidate) => {
  const result = place(request, [host], () => 0);
  return result.kind === 'refused' ? `${result.refusals[0]!.filter}: ${result.refusals[0]!.reason}` : null;
};

describe('slots', () => {
  test.each(vectors.slots.map((each) => [`${each.strategy} ${JSON.stringify(each.hosts)} ${each.note ?? ''}`, each] as const))(
    'are taken as the vector says: %s',
    (_name, { strategy, hosts, need, picks }) => {
      const candidates = Object.entries(hosts).map(([id, [taken, slots]]) => aHost(id, { slots }, used(taken)));
      expect(picked(aRequest({ strategy, slots: need }), candidates)).toBe(picks);
    },
  );
});

describe('a filter', () => {
  const engine = { id: 'f'.repeat(64), names: ['/db'], labels: {}, hostPorts: [5432] };
  test.each<[string, string | null, PlacementRequest, HostCandidate]>([
    ['a lost host', 'health: lost', aRequest(), aHost('a', {}, { lost: true, draining: true })],
    ['a draining host', 'health: draining', aRequest(), aHost('a', {}, { draining: true })],
    ['a host without Docker', 'health: Docker: no answer', aRequest(), aHost('a', { dockerError: 'no answer' })],
    [
      'a port of another endpoint',
      'port: port 80 is taken by api',
      aRequest({}, { hostPort: 80 }),
      aHost('a', {}, { placed: [placed('api', 'i1', 80)] }),
    ],
    [
      'a port of a foreign container',
      'port: port 5432 is taken by container db',
      aRequest({}, { hostPort: 5432 }),
      aHost('a', { containers: [engine] }),
    ],
    [
      'its own port on the network of the host',
      'port: port 80 is taken by api',
      aRequest({}, { network: 'host' }),
      aHost('a', {}, { placed: [placed('api', 'i1', 80)] }),
    ],
    ['no slots left', 'capacity: needs 10 slots, 4 free', aRequest(), aHost('a', {}, used(996))],
    ['a host that takes nothing', 'capacity: takes nothing (0 slots)', aRequest(), aHost('a', { slots: 0 })],
    ['no processors left', 'capacity: needs 0.5 cpus, 0.25 free', aRequest({}, { cpus: 0.5 }), aHost('a', {}, used(0, 3.75))],
    ['processors to the last billionth', null, aRequest({}, { cpus: 0.2 }), aHost('a', { cpus: 0.3 }, used(0, 0.1))],
    ['processors stretched by overcommit', null, aRequest({}, { cpus: 1 }), aHost('a', { overcommit: 0.25 }, used(0, 4))],
    [
      'no memory left',
      'capacity: needs 512 MiB of memory, 256 free',
      aRequest({}, { memLimitBytes: 2 ** 29 }),
      aHost('a', {}, used(0, 0, 8 * 2 ** 30 - 2 ** 28)),
    ],
    [
      'the reservation instead of the limit',
      null,
      aRequest({}, { memLimitBytes: 2 ** 40, memReservationBytes: 2 ** 20 }),
      aHost('a'),
    ],
    ['memory nobody asked for', null, aRequest(), aHost('a', {}, used(0, 99, 2 ** 50))],
    [
      'volumes of a container elsewhere',
      'dependency: needs container db, which is not there',
      aRequest({}, { volumesFrom: ['db:ro'] }),
      aHost('a'),
    ],
    ['volumes of a container there', null, aRequest({}, { volumesFrom: ['db:ro'] }), aHost('a', { containers: [engine] })],
    [
      'the network of a container elsewhere',
      'dependency: needs container vpn, which is not there',
      aRequest({}, { network: 'container:vpn' }),
      aHost('a', { containers: [engine] }),
    ],
    ['affinity', 'affinity: affinity image==nginx (not there)', aRequest({ affinity: expressions('image==nginx') }), aHost('a')],
    [
      'anti-affinity to itself',
      'affinity: affinity endpoint!=web (there)',
      aRequest({ affinity: expressions('endpoint!=web') }),
      aHost('a', {}, { placed: [placed('web', 'i1')] }),
    ],
    [
      'constraint',
      'constraint: constraint region==eu (is us)',
      aRequest({ constraints: expressions('region==eu') }),
      aHost('a', { labels: { region: 'us' } }),
    ],
    [
      'a label never set',
      'constraint: constraint ssd==yes (not set)',
      aRequest({ constraints: expressions('ssd==yes') }),
      aHost('a'),
    ],
    ['a soft rule', null, aRequest({ constraints: expressions('ssd==~yes') }), aHost('a')],
  ])('sees %s: %s', (_name, reason, request, host) => {
    expect(reasonOf(request, host)).toBe(reason);
  });

  test('keeps an endpoint away from a host where its starts fail, unless nothing else is left', () => {
    const failing = aHost('a', {}, { recentFailures: 3 });
    const good = aHost('b', {}, used(900));
    expect(place(aRequest(), [failing, good], () => 0)).toMatchObject({
      kind: 'placed',
      host: 'b',
      refusals: [{ host: 'a', filter: 'health', reason: '3 starts failed there lately' }],
    });
    expect(place(aRequest(), [failing, aHost('b', {}, { lost: true })], () => 0)).toMatchObject({
      kind: 'placed',
      host: 'a',
      reason: expect.stringContaining('last resort'),
      refusals: [{ host: 'b' }],
    });
  });
});

describe('a strategy', () => {
  test('spread breaks ties by instances of the endpoint, then by all instances, then by id', () => {
    const full = aHost('a', {}, { placed: [placed('web', 'i1')] });
    const other = aHost('b', {}, { placed: [placed('api', 'i2')] });
    expect(picked(aRequest(), [full, other])).toBe('b');
    expect(picked(aRequest(), [other, aHost('c')])).toBe('c');
    expect(picked(aRequest(), [aHost('c'), aHost('b')])).toBe('b');
  });

  test('binpack prefers more instances on a tie', () => {
    expect(picked(aRequest({ strategy: 'binpack' }), [aHost('a'), aHost('b', {}, { placed: [placed('api', 'i2')] })])).toBe('b');
  });

  test('random takes what the injected source says', () => {
    const hosts = [aHost('c'), aHost('a'), aHost('b')];
    const draws = [0, 0.34, 0.99, 1].map((draw) => place(aRequest({ strategy: 'random' }), hosts, () => draw));
    expect(draws.map((each) => each.kind === 'placed' && each.host)).toEqual(['a', 'b', 'c', 'c']);
  });

  test('ranks only the hosts that meet the most soft rules', () => {
    const request = aRequest({ constraints: expressions('region==~eu,ssd==~yes') });
    const hosts = [
      aHost('a'),
      aHost('b', { labels: { region: 'eu' } }, used(500)),
      aHost('c', { labels: { region: 'eu', ssd: 'yes' } }, used(900)),
    ];
    expect(picked(request, hosts)).toBe('c');
    expect(picked(request, hosts.slice(0, 2))).toBe('b');
  });

  test('the fullest asked dimension is the share', () => {
    const request = aRequest({}, { cpus: 1 });
    expect(picked(request, [aHost('a', {}, used(0, 3)), aHost('b', {}, used(800, 0))])).toBe('b');
  });
});

describe('a refusal', () => {
  test('is summed up per host, commonest cause first', () => {
    const request = aRequest({ constraints: expressions('region==eu') });
    const us = { labels: { region: 'us' } };
    const hosts = [aHost('vm3', {}, { draining: true }), aHost('vm2', us), aHost('vm1', {}, used(996))];
    const summary = (all: readonly HostCandidate[]) => {
      const result = place(request, all, () => 0);
      return result.kind === 'refused' ? result.summary : null;
    };
    expect(summary(hosts)).toBe('vm1: needs 10 slots, 4 free; vm2: constraint region==eu (is us); vm3: draining');
    expect(summary([...hosts, aHost('vm4', us)])).toBe(
      'vm2: constraint region==eu (is us); vm4: constraint region==eu (is us); vm1: needs 10 slots, 4 free; vm3: draining',
    );
    expect(summary([])).toBe('there is no host');
  });

  test('of many hosts stays a sentence', () => {
    const hosts = Array.from({ length: 200 }, (_, index) => aHost(`h${index}`, { slots: 0 }));
    const result = place(aRequest(), hosts, () => 0);
    expect(result.kind === 'refused' && result.summary).toMatch(/; and 190 more hosts$/);
    expect(result.refusals).toHaveLength(200);
  });
});

describe('whatever the hosts', () => {
  const host = fc
    .record({
      slots: fc.integer({ min: 0, max: 60 }),
      taken: fc.integer({ min: 0, max: 60 }),
      cpus: fc.integer({ min: 1, max: 8 }),
      busy: fc.integer({ min: 0, max: 80 }).map((tenths) => tenths / 10),
      region: fc.constantFrom('eu', 'us'),
      lost: fc.boolean(),
      failures: fc.integer({ min: 0, max: 4 }),
      mine: fc.integer({ min: 0, max: 2 }),
    })
    .map(
      (each) => (id: string) =>
        aHost(
          id,
          { slots: each.slots, cpus: each.cpus, labels: { region: each.region } },
          {
            ...used(each.taken, each.busy),
            lost: each.lost,
            recentFailures: each.failures,
            placed: Array.from({ length: each.mine }, (_, index) => placed('web', `${id}-${index}`)),
          },
        ),
    );
  const hosts = fc.array(host, { maxLength: 8 }).map((make) => make.map((each, index) => each(`h${index}`)));
  const request = fc
    .record({
      slots: fc.integer({ min: 1, max: 20 }),
      strategy: fc.constantFrom<Strategy>('spread', 'binpack', 'random'),
      cpus: fc.constantFrom(0, 0.1, 1.5),
      wish: fc.constantFrom('', 'region==eu', 'region==~eu'),
    })
    .map(({ slots, strategy, cpus, wish }) => aRequest({ slots, strategy, constraints: expressions(wish) }, { cpus }));

  test('their order changes nothing', () => {
    fc.assert(
      fc.property(
        request,
        hosts.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        (wanted, [all, shuffled]) => {
          expect(place(wanted, shuffled, () => 0.5)).toEqual(place(wanted, all, () => 0.5));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('capacity is never exceeded and every refused host has exactly one reason', () => {
    fc.assert(
      fc.property(request, hosts, (wanted, all) => {
        const result = place(wanted, all, () => 0.5);
        const refused = result.refusals.map((each) => each.host);
        expect(new Set(refused).size).toBe(refused.length);
        if (result.kind === 'refused') {
          expect(refused).toEqual(all.map(({ record }) => record.id));
          return;
        }
        expect(refused).not.toContain(result.host);
        const chosen = all.find(({ record }) => record.id === result.host)!;
        expect(chosen.used.slots + wanted.placement.slots).toBeLessThanOrEqual(chosen.record.slots);
        if (wanted.container.cpus > 0) {
          expect(chosen.used.cpus + wanted.container.cpus).toBeLessThanOrEqual(chosen.record.cpus + 1e-9);
        }
        expect(chosen.lost).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});
