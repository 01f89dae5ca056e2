/* Faults on three real hosts. Long, but one thing: one cluster, made once because that takes longest, suffers them all in turn. */
import { randomInt } from 'node:crypto';
import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CutDirection, type Host, newestEpoch, until } from '@reactor/testkit';
import {
  type ClusterUnderLoad,
  configuration,
  figure,
  INSTANCES,
  lasting,
  openClusterUnderLoad,
  SLOTS,
  stopwatch,
} from './cluster-under-load.js';
import { describeTime } from './faults-of-time.js';

/**
 * One fault after the other on three real hosts under load: daemons stopped, killed and restarted, hosts cut off from the
 * state, from each other and from everything, operators who change their minds, and the state itself away.
 */

/** A leader's, and a host's. */
const LEASE_MS = 15_000;
/** A lease, what a late round takes, and the time before what a lost host ran is replaced. */
const LOST_MS = 60_000;
/** A lease, and then some. */
const OUTAGE_MS = 20_000;
const RANDOM_MS = 25_000;
const TEST_MS = 240_000;

let stage: ClusterUnderLoad;

beforeAll(async () => {
  stage = await openClusterUnderLoad({ troubled: true });
}, 180_000);
afterAll(() => stage?.close(), 90_000);

const hosts = (): readonly Host[] => stage.cluster.hosts;
const revision = async (): Promise<number> =>
  Number(await stage.cluster.redis.command('HGET', '{reactor:default}:moment', 'revision'));
const epoch = (): Promise<number> => newestEpoch(stage.cluster);
const leads = (notThis: Host, asked: Host): Promise<void> =>
  until('another host leads', LOST_MS, async () => {
    const next = await stage.view.leader(asked);
    return next !== undefined && next !== notThis;
  });
const follower = async (): Promise<Host> => stage.view.others((await stage.view.leader())!)[0]!;
/** Of the hosts that do not lead, the one that runs most of pyex; the first of equals. */
const busiestFollower = async (): Promise<Host> => {
  const followers = stage.view.others((await stage.view.leader())!);
  const counts = await Promise.all(followers.map(async (host) => (await host.containers('pyex')).length));
  return followers[counts.indexOf(Math.max(...counts))]!;
};
/** As a failing disk does: one wrong bit here and there. */
function flipBits(file: string): void {
  const bytes = readFileSync(file);
  for (let at = 1_023; at < bytes.length; at += 1_024) bytes[at]! ^= 1;
  writeFileSync(file, bytes);
}
const restart = async (host: Host): Promise<void> => {
  await host.signal('SIGKILL');
  await host.start();
};

describe('daemons', () => {
  test(
    'a leader killed in the middle of scaling: another one finishes what it began, nothing is started twice',
    async () => {
      const { view, ledger } = stage;
      ledger.allow({});
      const killed = (await view.leader())!;
      const [asked] = view.others(killed) as readonly [Host];
      stage.loadBegins();
      const before = await revision();
      await stage.update({ scaling: 'min_instances=12\nmax_instances=12' }, asked);
      // The update is one revision, and the first starts are the next.
      await until('the round has begun', 5_000, async () => (await revision()) > before + 1);
      await killed.signal('SIGKILL');
      const took = stopwatch();
      await leads(killed, asked);
      figure(`leader killed: another leads after ${took()}`);
      await killed.start();
      await view.whole(asked);
      await view.settled('pyex', 12, asked);
      await until('the auditor has seen them all', 10_000, () => ledger.peak('pyex') >= 12);
      expect(ledger.peak('pyex')).toBe(12);
      // What drains is above the new ceiling.
      ledger.allow({ surge: 12 - INSTANCES });
      await stage.update({}, asked);
      await view.settled('pyex', INSTANCES, asked);
      await stage.accounted('leader killed while scaling');
    },
    TEST_MS,
  );

  test(
    'all daemons killed and started at once: no request fails, nothing is touched, Redis is not stormed',
    async () => {
      const { cluster, view, ledger } = stage;
      ledger.allow({});
      const [before, term] = [await view.containers('pyex'), await epoch()];
      const commands = async (): Promise<number> =>
        Number(/total_commands_processed:(\d+)/.exec(await cluster.redis.command('INFO', 'stats'))?.[1]);
      const perSecond = async (work: () => Promise<unknown>): Promise<number> => {
        const [from, sinceMs] = [await commands(), performance.now()];
        await work();
        return ((await commands()) - from) / ((performance.now() - sinceMs) / 1000);
      };
      stage.loadBegins();
      const steady = await perSecond(() => lasting(4_000));
      const took = stopwatch();
      const storm = await perSecond(async () => {
        await Promise.all(hosts().map((host) => host.signal('SIGKILL')));
        await Promise.all(hosts().map((host) => host.start()));
        await lasting(2_000);
      });
      figure(`all daemons restarted: Redis commands per second ${steady.toFixed(0)} before, ${storm.toFixed(0)} meanwhile`);
      // Until its lease ends, the state still names the leader that was killed.
      await until('one leads anew', LOST_MS, async () => (await epoch()) > term);
      await view.whole();
      figure(`all daemons restarted: all live and one leads after ${took()}`);
      expect(storm).toBeLessThan(3 * steady);
      await stage.accounted('all daemons restarted');
      expect(await view.containers('pyex')).toEqual(before);
    },
    TEST_MS,
  );

  test(
    'daemons restarted one after the other, one with a damaged copy of the state: no request fails, nothing is touched',
    async () => {
      const { view, ledger } = stage;
      ledger.allow({});
      const before = await view.containers('pyex');
      const damaged = await follower();
      const said = damaged.log().length;
      stage.loadBegins();
      for (const host of hosts()) {
        await host.signal('SIGTERM');
        await until(`reactord of ${host.name} has ended`, 20_000, () => !host.running());
        if (host === damaged) flipBits(join(host.data, 'copy/data.mdb'));
        await host.start();
      }
      await view.whole();
      expect(damaged.log().slice(said)).toMatch(/copy of the cluster state in \S+ cannot be used and is begun anew/);
      await stage.accounted('daemons restarted in turn');
      expect(await view.containers('pyex')).toEqual(before);
    },
    TEST_MS,
  );

  test(
    'a host that advertises less than it runs keeps what it runs',
    async () => {
      const { view, ledger } = stage;
      const shrunk = await follower();
      ledger.allow({ overfull: [shrunk.name] });
      const before = await view.containers('pyex');
      stage.loadBegins();
      shrunk.setSlots(10);
      await restart(shrunk);
      await view.whole();
      await view.settled('pyex', INSTANCES);
      await stage.accounted('slots below use');
      expect(await view.containers('pyex')).toEqual(before);
      shrunk.setSlots(SLOTS);
      await restart(shrunk);
      await view.whole();
    },
    TEST_MS,
  );

  test(
    'a host whose remembered epoch was damaged starts nothing until the file is deleted',
    async () => {
      const { view, ledger } = stage;
      const damaged = await follower();
      const [asked] = view.others(damaged) as readonly [Host];
      ledger.allow({});
      const before = await view.containers('pyex');
      const its = await damaged.containers('pyex');
      stage.loadBegins();
      await damaged.signal('SIGKILL');
      const file = join(damaged.data, 'epoch');
      truncateSync(file, statSync(file).size / 2);
      const starting = damaged.start();
      // Awaited below; until then a failure of something else must not leave it unheard.
      starting.catch(() => undefined);
      await until('it says what it waits for', 20_000, async () =>
        (await (await fetch(`${damaged.api}/readyz`)).text()).includes(`${file}, which remembers`),
      );
      await stage.update({ scaling: 'min_instances=12\nmax_instances=12' }, asked);
      await until('the others have started theirs', 20_000, async () => {
        const rows = await view.rows('pyex', asked);
        return rows.length === 12 && rows.every(({ host, state }) => state === 'ready' || host === damaged.name);
      });
      expect(await damaged.containers('pyex')).toEqual(its);
      expect(await view.containers('pyex')).toEqual(expect.arrayContaining([...before]));
      rmSync(file);
      await starting;
      await view.settled('pyex', 12, asked);
      ledger.allow({ surge: 12 - INSTANCES });
      await stage.update({}, asked);
      await view.settled('pyex', INSTANCES, asked);
      await stage.accounted('remembered epoch damaged');
    },
    TEST_MS,
  );
});

describe('the network', () => {
  test(
    'a leader that the answers of the state do not reach any more: its containers and all traffic go on',
    async () => {
      const { cluster, view, ledger } = stage;
      ledger.allow({});
      const before = await view.containers('pyex');
      const lonely = (await view.leader())!;
      const [asked] = view.others(lonely) as readonly [Host];
      stage.loadBegins();
      // Commands still arrive, which is worse than when nothing does: they count, and their sender does not know.
      await lonely.cutFrom(cluster.redis.places, 'from');
      await leads(lonely, asked);
      await until('its lease is gone', LOST_MS, async () => (await view.liveHosts(asked)) === 2);
      const took = stopwatch();
      await lonely.heal();
      await view.whole(lonely);
      figure(`cut off from the state: back ${took()} after the cut was healed`);
      await view.settled('pyex', INSTANCES, lonely);
      await stage.accounted('cut off from the state');
      expect(await view.containers('pyex')).toEqual(before);
    },
    TEST_MS,
  );

  test(
    'a host cut off completely for less than a lease is not replaced, and nobody notices',
    async () => {
      const { view, ledger } = stage;
      ledger.allow({});
      const before = await view.containers('pyex');
      const cut = await busiestFollower();
      const rest = view.others(cut);
      stage.loadBegins(rest);
      const deathMs = performance.now();
      await cut.cut();
      await lasting(LEASE_MS / 2);
      await cut.heal();
      await view.whole(rest[0]);
      await view.settled('pyex', INSTANCES, rest[0]);
      await stage.accounted('cut off for half a lease', { deathMs });
      expect(await view.containers('pyex')).toEqual(before);
    },
    TEST_MS,
  );

  test(
    'a host cut off for longer is replaced; when it returns, the duplicates go',
    async () => {
      const { view, ledger } = stage;
      const cut = await busiestFollower();
      const rest = view.others(cut);
      const [asked] = rest as readonly [Host];
      await stage.update({ unknownSeconds: 5 }, asked);
      const onCut = (await cut.containers('pyex')).length;
      expect(onCut).toBeGreaterThan(0);
      ledger.allow({ surge: onCut });
      stage.loadBegins(rest);
      const took = stopwatch();
      const deathMs = performance.now();
      await cut.cut();
      await until('all it ran is replaced', LOST_MS, async () => {
        const ready = await view.ready('pyex', asked);
        return ready.filter(({ host }) => host !== cut.name).length === INSTANCES;
      });
      figure(`host cut off: replaced after ${took()}`);
      await cut.heal();
      await view.whole(asked);
      await view.settled('pyex', INSTANCES, asked);
      await stage.update({}, asked);
      await stage.accounted('cut off for longer', { deathMs });
    },
    TEST_MS,
  );

  test(
    'two hosts that cannot reach each other, while the state reaches both: no request fails',
    async () => {
      const { view, ledger } = stage;
      ledger.allow({});
      const before = await view.containers('pyex');
      const [one, two] = hosts() as readonly [Host, Host];
      stage.loadBegins();
      const deathMs = performance.now();
      await one.cutFrom([two]);
      await lasting(8_000);
      await one.heal();
      await stage.accounted('two hosts apart', { deathMs });
      expect(await view.containers('pyex')).toEqual(before);
    },
    TEST_MS,
  );

  test(
    'a leader whose whole machine is suspended for longer than its lease acts on nothing old when it goes on',
    async () => {
      const { view, ledger } = stage;
      ledger.allow({});
      const [before, term] = [await view.containers('pyex'), await epoch()];
      const suspended = (await view.leader())!;
      const rest = view.others(suspended);
      stage.loadBegins(rest);
      const deathMs = performance.now();
      const took = stopwatch();
      await suspended.suspend();
      await leads(suspended, rest[0]!);
      figure(`leader suspended: another leads after ${took()}`);
      await lasting(LEASE_MS / 3);
      await suspended.resume();
      await view.whole(rest[0]);
      await view.settled('pyex', INSTANCES, rest[0]);
      expect(await epoch()).toBe(term + 1);
      await stage.accounted('machine suspended and resumed', { deathMs });
      expect(await view.containers('pyex')).toEqual(before);
    },
    TEST_MS,
  );

  test(
    'links cut and healed at random for longer than a lease: in the end all is as if nothing had been',
    async () => {
      const { cluster, view, ledger } = stage;
      const seed = Number(process.env['REACTOR_TEST_SEED'] ?? randomInt(1, 2 ** 31));
      figure(`random cuts: REACTOR_TEST_SEED=${seed}`);
      const draw = generator(seed);
      const pick = <T>(of: readonly T[]): T => of[Math.floor(draw() * of.length)]!;
      // Whoever is cut off from the state for long enough is replaced, and may be the next to be back with duplicates.
      ledger.allow({ surge: INSTANCES });
      await stage.update({ unknownSeconds: 5 });
      stage.loadBegins();
      const endMs = Date.now() + RANDOM_MS;
      while (Date.now() < endMs) {
        const host = pick(hosts());
        if (draw() < 0.4) await host.heal();
        else {
          const other = pick(view.others(host));
          await host.cutFrom(draw() < 0.5 ? cluster.redis.places : [other], pick<CutDirection>(['both', 'to', 'from']));
        }
        await lasting(1_000 + draw() * 4_000);
      }
      for (const host of hosts()) await host.heal();
      await view.whole();
      await view.settled('pyex', INSTANCES);
      await stage.update();
      // A load balancer that is cut off from every host that runs an instance can serve none.
      await stage.accounted(`random cuts, seed ${seed}`, { failuresAllowed: true });
    },
    TEST_MS,
  );
});

/** Mulberry32 (Tommy Ettinger, public domain): numbers in [0, 1) that depend on the seed alone. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('time', () => describeTime(() => stage));

describe('operators', () => {
  test(
    'two of them change the same endpoint at the same moment: one is refused, nothing is lost',
    async () => {
      const path = '/v1.1/endpoints/pyex';
      const [one, two] = hosts() as readonly [Host, Host];
      const etag = (await one.request(path)).headers.get('etag')!;
      const patch = (host: Host, count: number): Promise<Response> =>
        host.request(path, {
          method: 'PATCH',
          headers: { 'content-type': 'application/json', 'if-match': etag },
          body: JSON.stringify({ section: 'scaling', key: 'max_instances', value: String(count) }),
        });
      const answers = await Promise.all([patch(one, 7), patch(two, 8)]);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
      const winner = answers[0]!.status === 200 ? '7' : '8';
      const kept = (await (await two.request(path)).json()) as { scaling: { max_instances: string | number } };
      expect(String(kept.scaling.max_instances)).toBe(winner);
      await stage.update();
    },
    TEST_MS,
  );

  test(
    'an endpoint that is removed while its instances start, or changed while they start and drain, leaves nothing behind',
    async () => {
      const { cluster, view, ledger } = stage;
      ledger.allow({ surge: 12 });
      const [one, two, three] = hosts() as readonly [Host, Host, Host];
      stage.loadBegins();
      const text = (boot: number, count: number): string =>
        configuration(cluster.image, {
          url: 'http://:8002',
          scaling: `min_instances=${count}\nmax_instances=${count}`,
          container: `environment=BOOT_MS=${boot}`,
        });
      const begin = async (): Promise<void> => {
        await one.reactor(['manage', 'gamma'], text(2_000, 6));
        await one.reactor(['start', 'gamma']);
        await until('a container starts', 20_000, async () => (await view.containers('gamma')).length > 0);
      };
      const nothingLeft = (): Promise<void> =>
        until('nothing of it is left', LOST_MS, async () => {
          const listed = (await Promise.all(hosts().map((host) => host.listing()))).flat();
          const known = await one.get<readonly string[]>('/v1.1/endpoints');
          return !known.includes('gamma') && !listed.some(({ labels }) => labels['reactor.endpoint'] === 'gamma');
        });
      await begin();
      await two.reactor(['unmanage', 'gamma']);
      await nothingLeft();

      await begin();
      await two.reactor(['update', 'gamma'], text(100, 6));
      await three.reactor(['update', 'gamma'], text(50, 3));
      await view.settled('gamma', 3);
      // Draining begins with this, and is changed before it can have ended.
      await two.reactor(['update', 'gamma'], text(50, 1));
      await three.reactor(['update', 'gamma'], text(0, 2));
      await view.settled('gamma', 2);
      const { BOOT_MS } = (await (await fetch(`http://${three.address}:8002/env`)).json()) as { BOOT_MS: string };
      expect(BOOT_MS).toBe('0');
      await one.reactor(['unmanage', 'gamma']);
      await nothingLeft();
      await stage.accounted('endpoints removed and changed while starting and draining');
    },
    TEST_MS,
  );

  test(
    'a load balancer whose traffic is not reported any more never makes the target lower',
    async () => {
      const { view, ledger } = stage;
      ledger.allow({});
      const silent = await follower();
      const [asked] = view.others(silent) as readonly [Host];
      await stage.update({ scaling: `min_instances=1\nmax_instances=12\nrules=0 < rate < 15` }, asked);
      stage.loadBegins();
      const target = async (): Promise<number> =>
        (await asked.get<{ record: { target: number } }>('/v1.1/endpoints/pyex/decision')).record.target;
      await until('the load has its instances', LOST_MS, async () => (await target()) >= 6);
      await lasting(4_000);
      const before = await target();
      await silent.signal('SIGSTOP');
      const targets: number[] = [];
      const endMs = Date.now() + LEASE_MS + 5_000;
      while (Date.now() < endMs) {
        targets.push(await target());
        await lasting(500);
      }
      await silent.signal('SIGCONT');
      expect(Math.min(...targets)).toBeGreaterThanOrEqual(before);
      await view.whole(asked);
      ledger.allow({ surge: 12 - INSTANCES });
      await stage.update({}, asked);
      await view.settled('pyex', INSTANCES);
      await stage.accounted('traffic not reported');
    },
    TEST_MS,
  );

  test(
    'a host that comes back under its name with an empty disk of the daemon is a host like any other',
    async () => {
      const { view, ledger } = stage;
      const renewed = await busiestFollower();
      const rest = view.others(renewed);
      await stage.update({ unknownSeconds: 5 }, rest[0]);
      ledger.allow({ surge: INSTANCES });
      expect((await renewed.containers('pyex')).length).toBeGreaterThan(0);
      stage.loadBegins(rest);
      const deathMs = performance.now();
      await renewed.powerOff();
      await ledger.excuse(renewed);
      await until('all it ran is replaced', LOST_MS, async () => {
        const ready = await view.ready('pyex', rest[0]);
        return ready.filter(({ host }) => host !== renewed.name).length === INSTANCES;
      });
      renewed.wipe();
      await renewed.powerOn();
      await view.whole(rest[0]);
      await view.settled('pyex', INSTANCES, rest[0]);
      await stage.update({}, rest[0]);
      await until('it serves again', 20_000, async () => (await fetch(renewed.url)).ok);
      await stage.accounted('a host with another data directory', { deathMs });
    },
    TEST_MS,
  );
});

describe('the state', () => {
  test(
    'Redis killed for longer than a lease: clients notice nothing, nothing is started or stopped',
    async () => {
      const { cluster, view, ledger } = stage;
      ledger.allow({});
      const before = await view.containers('pyex');
      stage.loadBegins();
      await cluster.redis.kill();
      await lasting(OUTAGE_MS);
      expect(await view.containers('pyex')).toEqual(before);
      await cluster.redis.start();
      const took = stopwatch();
      await view.whole();
      figure(`Redis away for ${OUTAGE_MS / 1000} s: all hosts and a leader again after ${took()}`);
      await view.settled('pyex', INSTANCES);
      await stage.accounted('Redis away');
      expect(await view.containers('pyex')).toEqual(before);
    },
    TEST_MS,
  );

  test(
    'FLUSHALL: no container ends, and all of them are known again without anybody doing anything',
    async () => {
      const { cluster, view, ledger } = stage;
      ledger.allow({});
      const before = await view.containers('pyex');
      stage.loadBegins();
      await cluster.redis.command('FLUSHALL');
      const took = stopwatch();
      await view.whole();
      await view.settled('pyex', INSTANCES);
      figure(`FLUSHALL: all instances known again after ${took()}`);
      await stage.accounted('FLUSHALL');
      expect(await view.containers('pyex')).toEqual(before);
    },
    TEST_MS,
  );

  test(
    'an old dump restored: no container ends, and all of them are known again without anybody doing anything',
    async () => {
      const { cluster, view, ledger } = stage;
      await cluster.redis.keepDump();
      // What the dump knows nothing of: a newer count, and so newer instances.
      ledger.allow({});
      await stage.update({ scaling: 'min_instances=9\nmax_instances=9' });
      await view.settled('pyex', 9);
      const before = await view.containers('pyex');
      stage.loadBegins();
      await cluster.redis.restoreDump();
      const took = stopwatch();
      await view.whole();
      await until('all instances are known again', LOST_MS, async () => (await view.ready('pyex')).length >= 9);
      figure(`an old dump: all instances known again after ${took()}`);
      expect(await view.containers('pyex')).toEqual(before);
      await stage.accounted('an old dump restored');
      ledger.allow({ surge: 3 });
      await stage.update();
      await view.settled('pyex', INSTANCES);
    },
    TEST_MS,
  );
});
