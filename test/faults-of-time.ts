import { type Host, newestEpoch, until } from '@reactor/testkit';
import { type ClusterUnderLoad, figure, INSTANCES, lasting, stopwatch } from './cluster-under-load.js';

/** Hosts and the state that do not agree on what time it is, and hosts that the leader hears nothing of. Cases of faults-cluster. */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MINUTE_MS = 60_000;
/** Longer than a lease. */
const BLOCKED_MS = 20_000;
/** A lease of a leader, or of a host, and what a late round takes; or the time for which a troubled daemon keeps still. */
const LATE_MS = 60_000;
const TEST_MS = 240_000;
const MANY = 12;
const fixed = (count: number): { readonly scaling: string } => ({ scaling: `min_instances=${count}\nmax_instances=${count}` });

export function describeTime(stageOf: () => ClusterUnderLoad): void {
  test(
    'one clock an hour fast, one set back by a day, a leader held up for 20 s: whoever may lead does, nothing is done twice',
    () => wrongTimes(stageOf()),
    TEST_MS,
  );
  test(
    'the clock of the state a minute fast, so that all leases are over at once, and right again: nothing is done twice',
    () => leasesOver(stageOf()),
    TEST_MS,
  );
  test(
    'most hosts unheard of by the leader, each in another way, while all serve: nothing is concluded, no request fails',
    () => unheard(stageOf()),
    TEST_MS,
  );
}

async function wrongTimes(stage: ClusterUnderLoad): Promise<void> {
  const { view, ledger } = stage;
  ledger.allow({});
  const blocked = (await view.leader())!;
  const [fast, set] = view.others(blocked) as readonly [Host, Host];
  const leads = (host: Host): Promise<void> =>
    until(`${host.name} leads`, LATE_MS, async () => (await view.leader(set)) === host);
  stage.loadBegins();
  // From the first moment, as a machine boots with it: nothing jumps for this one.
  await restarted([fast], () => fast.trouble({ clockMs: HOUR_MS }));
  await view.whole(set);
  set.trouble({ clockMs: -DAY_MS });
  await until('the one that was set keeps still', LATE_MS, () => /jumped back by 86/.test(set.log()));
  await stage.update(fixed(MANY), set);
  await until('the round has begun', LATE_MS, async () => (await view.rows('pyex', set)).length > INSTANCES);
  const took = stopwatch();
  blocked.trouble({ blockMs: BLOCKED_MS });
  await leads(fast);
  figure(`leader held up for ${BLOCKED_MS / 1000} s: one an hour fast leads after ${took()}`);
  await view.settled('pyex', MANY, set);
  await until('the auditor has seen them all', LATE_MS, () => ledger.peak('pyex') >= MANY);
  expect(ledger.peak('pyex')).toBe(MANY);
  await until('the one held up has noticed', LATE_MS, () => /this process stood still for 2\d\.\d s/.test(blocked.log()));
  // Set right while it leads: it gives up at once, and of the others the one that was set a day back is the first to be trusted.
  fast.trouble({ clockMs: 0 });
  await leads(set);
  figure(`clock of the leader set: one a day late leads after ${took()}`);
  ledger.allow({ surge: MANY - INSTANCES });
  await stage.update({}, set);
  await view.settled('pyex', INSTANCES, set);
  await restarted([set], () => set.trouble({ clockMs: 0 }));
  await view.whole(blocked);
  await view.settled('pyex', INSTANCES, blocked);
  await stage.accounted('clocks apart');
}

/** In order, so that a leader gives its term back. */
async function restarted(hosts: readonly Host[], meanwhile: () => void): Promise<void> {
  for (const host of hosts) {
    await host.signal('SIGTERM');
    await until(`reactord of ${host.name} has ended`, LATE_MS, () => !host.running());
    meanwhile();
    await host.start();
  }
}

/**
 * What a step of Redis's own clock does to a cluster, done to the ends of the leases: the clock of one process cannot be set
 * where it is the kernel's, and what stands between a program and the kernel does not get on with how Redis allocates.
 */
async function leasesOver(stage: ClusterUnderLoad): Promise<void> {
  const { cluster, view, ledger } = stage;
  ledger.allow({});
  const [before, term] = [await view.containers('pyex'), await newestEpoch(cluster)];
  const step = (ms: number): Promise<string> =>
    cluster.redis.command(
      'EVAL',
      "for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], ARGV[1], id) end",
      '1',
      '{reactor:default}:leases',
      String(ms),
    );
  stage.loadBegins();
  const took = stopwatch();
  await step(-MINUTE_MS);
  await until('a leader is found again', LATE_MS, async () => (await newestEpoch(cluster)) > term);
  await view.whole();
  figure(`all leases over at once: all hosts and a leader again after ${took()}`);
  await step(MINUTE_MS);
  await view.whole();
  await view.settled('pyex', INSTANCES);
  await stage.accounted('the clock of the state');
  expect(await view.containers('pyex')).toEqual(before);
}

const UNKNOWN_SECONDS = 5;

async function unheard(stage: ClusterUnderLoad): Promise<void> {
  const { cluster, view, ledger } = stage;
  ledger.allow({});
  const leader = (await view.leader())!;
  const [deaf, mute] = view.others(leader) as readonly [Host, Host];
  // Or nothing would be replaced anyhow.
  await stage.update({ unknownSeconds: UNKNOWN_SECONDS }, leader);
  const before = await view.containers('pyex');
  stage.loadBegins();
  const took = stopwatch();
  // Every host still reaches every other, and all instances answer; only the state hears nothing of two of the three.
  await mute.cutFrom(cluster.redis.places, 'to');
  await deaf.cutFrom(cluster.redis.places, 'from');
  await until('the leader brakes', LATE_MS, async () => {
    const { problems } = (await (await leader.request('/readyz')).json()) as { problems: readonly string[] };
    return problems.some((problem) => problem.includes('2 of 3 hosts were lost'));
  });
  figure(`two of three hosts unheard of: the brake holds after ${took()}`);
  await lasting((UNKNOWN_SECONDS + 3) * 1_000);
  expect(await view.containers('pyex')).toEqual(before);
  expect(await view.leader(leader)).toBe(leader);
  await mute.heal();
  await deaf.heal();
  await view.whole(leader);
  await view.settled('pyex', INSTANCES, leader);
  await stage.update({}, leader);
  await stage.accounted('two of three hosts unheard of');
  expect(await view.containers('pyex')).toEqual(before);
}
