import { type Host, type Hosts, loadThrough, openHosts, until } from '@reactor/testkit';

/** Three hosts as one: real engines, real nginx on every host, one Redis; hosts, leaders and Redis die under load. */

/** Six instances a host. */
const SLOTS = 60;
/** Longer than a host's lease and the checks after it. */
const LOST_MS = 40_000;

interface Row {
  readonly id: string;
  readonly host: string;
  readonly state: string;
}

let cluster: Hosts;
let hosts: readonly Host[];

const configuration = (scaling: string): string => `[endpoint]
url=http://
cloud=docker
loadbalancer=nginx
port=5000
decommissioned_timeout=2
unknown_timeout=5
stop_timeout=2
[scaling]
window=4
scale_down_delay=2
${scaling}
[cloud:docker]
image=${cluster.image}
command=/usr/local/bin/runapp
`;

beforeAll(async () => {
  cluster = await openHosts(3, { slots: SLOTS });
  hosts = cluster.hosts;
}, 120_000);
afterAll(() => cluster?.close(), 60_000);

const rows = (asked: Host): Promise<readonly Row[]> => asked.get('/v1.1/endpoints/pyex/instances?detail=1');
const readyRows = async (asked: Host): Promise<readonly Row[]> => (await rows(asked)).filter(({ state }) => state === 'ready');
const leader = async (asked: Host): Promise<Host | undefined> => {
  const { manager } = await asked.get<{ manager: string | null }>('/v1.1/endpoints/pyex/state');
  return hosts.find(({ name }) => name === manager);
};
const liveHosts = async (asked: Host): Promise<number> =>
  (await asked.get<readonly { readonly state: string }[]>('/v1.1/hosts')).filter(({ state }) => state === 'ready').length;
const answers = async (host: Host): Promise<boolean> => (await fetch(host.url, { signal: AbortSignal.timeout(3_000) })).ok;
const others = (without: Host): readonly Host[] => hosts.filter((host) => host !== without);
const allContainers = async (of: readonly Host[] = hosts): Promise<readonly string[]> =>
  (await Promise.all(of.map((host) => host.containers('pyex')))).flat().sort();

const settled = (count: number, asked: Host = hosts[0]!): Promise<void> =>
  until(`exactly ${count} instances exist, all ready, each a container`, 60_000, async () => {
    const all = await rows(asked);
    const ready = all.length === count && all.every(({ state }) => state === 'ready');
    return ready && (await allContainers()).length === count;
  });

async function reconfigure(scaling: string, count: number): Promise<void> {
  await hosts[1]!.reactor(['update', 'pyex'], configuration(scaling));
  await settled(count);
}

const figure = (text: string): void => console.log(text);
const stopwatch = (): (() => string) => {
  const sinceMs = performance.now();
  return () => `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
};

describe('three hosts', () => {
  test('what is managed on one host is served by every host', async () => {
    await hosts[1]!.reactor(['unmanage', 'apihttp']);
    await hosts[1]!.reactor(['manage', 'pyex'], configuration('min_instances=1\nmax_instances=1'));
    await hosts[2]!.reactor(['start', 'pyex']);
    for (const host of hosts) await until(`${host.name} serves it`, 20_000, () => answers(host));
    expect(await liveHosts(hosts[2]!)).toBe(3);
    expect(await allContainers()).toHaveLength(1);
  }, 60_000);

  test('what the containers of all hosts write is read from any of them, in order of time', async () => {
    const talking = (text: string): string =>
      configuration('min_instances=3\nmax_instances=3').replace(
        'command=/usr/local/bin/runapp',
        `command=node -e "const s=()=>console.log('${text}',Date.now());s();setInterval(s,300);require('http').createServer((q,r)=>r.end('ok')).listen(5000)"`,
      );
    await hosts[1]!.reactor(['update', 'pyex'], talking('hello'));
    type Line = readonly [seconds: number, instance: string, stream: string, text: string, host: string];
    const told = async (asked: Host): Promise<readonly Line[]> =>
      (await asked.reactor(['logs', 'pyex', '--json', '--since', '5s']))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Line);
    for (const asked of hosts) {
      await until(`${asked.name} tells what all three write`, 60_000, async () => {
        const lines = (await told(asked)).filter((line) => line[3].startsWith('hello'));
        return new Set(lines.map((line) => line[4])).size === 3;
      });
    }
    const times = (await told(hosts[2]!)).map(([seconds]) => seconds);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    await reconfigure('min_instances=1\nmax_instances=1', 1);
  }, 150_000);

  test('with Redis away the hosts are shown as they were last, also to read logs by, and nothing is written', async () => {
    await cluster.redis.kill();
    for (const host of hosts) {
      const took = stopwatch();
      expect(await host.reactor(['hosts'])).toMatch(/^vm1 +ready /m);
      figure(`Redis away: reactor hosts on ${host.name} took ${took()}`);
    }
    for (const words of [['list'], ['ps'], ['info'], ['explain', 'pyex'], ['logs', 'pyex', '--tail', '1']])
      expect(await hosts[0]!.reactor(words)).not.toBe('');
    await expect(hosts[0]!.reactor(['scale', 'pyex=2'])).rejects.toThrow(/state store unreachable since/);
    await cluster.redis.start();
    await until('all are back', LOST_MS, async () => (await liveHosts(hosts[0]!)) === 3);
    await settled(1);
  }, 120_000);

  test('load through all hosts spreads the instances evenly, and no host takes more than its slots', async () => {
    await reconfigure('min_instances=1\nmax_instances=30\nrules=0 < rate < 1', 1);
    const load = loadThrough(hosts, 60);
    let most = 0;
    const held = async (): Promise<void> => {
      for (const host of hosts) most = Math.max(most, (await host.containers('pyex')).length);
    };
    await until('every slot is in use', 60_000, async () => {
      await held();
      return (await readyRows(hosts[0]!)).length === 18;
    });
    for (const host of hosts) expect(await host.containers('pyex')).toHaveLength(6);
    expect(await hosts[0]!.reactor(['explain', 'pyex'])).toContain('needs 10 slots, 0 free');
    await held();
    expect(most).toBe(6);
    expect((await load.stop()).failures).toEqual([]);
    // Open connections come before the spread when it is chosen who goes.
    await until('no connection is open', 20_000, async () => {
      const { active } = JSON.parse(await hosts[0]!.reactor(['get-metrics', 'pyex'])) as { active: number };
      return active === 0;
    });
    await reconfigure('min_instances=6\nmax_instances=6', 6);
    for (const host of hosts) expect(await host.containers('pyex')).toHaveLength(2);
  }, 150_000);

  test('kill -9 of the leader: another one leads, no request fails, nothing else changes', async () => {
    const before = await allContainers();
    const killed = (await leader(hosts[0]!))!;
    const rest = others(killed);
    const load = loadThrough(hosts, 150);
    const took = stopwatch();
    await killed.signal('SIGKILL');
    await until('another host leads', LOST_MS, async () => {
      const next = await leader(rest[0]!);
      return next !== undefined && next !== killed;
    });
    figure(`leader killed: the next one leads after ${took()}`);
    await killed.start();
    await until('it is back', 20_000, async () => (await liveHosts(rest[0]!)) === 3);
    await settled(6, rest[0]!);
    const { sent, failures } = await load.stop();
    figure(`leader killed: ${sent} requests, ${failures.length} failed`);
    expect(failures).toEqual([]);
    expect(await allContainers()).toEqual(before);
  }, 120_000);

  test('a host whose daemon alone is dead goes on serving, and is served', async () => {
    const killed = others((await leader(hosts[0]!))!)[0]!;
    const asked = others(killed)[0]!;
    const own = await killed.containers('pyex');
    const load = loadThrough(hosts, 150);
    await killed.signal('SIGKILL');
    await until('its lease is gone', LOST_MS, async () => (await liveHosts(asked)) === 2);
    expect(await killed.containers('pyex')).toEqual(own);
    await until('its instances are replaced elsewhere', 30_000, async () => (await readyRows(asked)).length === 6);
    // Nobody but the host itself stops its containers.
    expect(await killed.containers('pyex')).toEqual(own);
    const took = stopwatch();
    await killed.start();
    await settled(6, asked);
    figure(`daemon back: duplicates dropped after ${took()}`);
    expect(await killed.containers('pyex')).toEqual([]);
    const { sent, failures } = await load.stop();
    figure(`daemon killed for longer than unknown_timeout: ${sent} requests, ${failures.length} failed`);
    expect(failures).toEqual([]);
  }, 150_000);

  test('power-off of a host: traffic through the others goes on, its instances are replaced, and its return changes nothing more', async () => {
    // More on each host than nginx tries for one request.
    await reconfigure('min_instances=12\nmax_instances=12', 12);
    const dead = (await leader(hosts[0]!))!;
    const rest = others(dead);
    const onDead = (await rows(rest[0]!)).filter(({ host }) => host === dead.name).length;
    expect(onDead).toBeGreaterThanOrEqual(4);
    const load = loadThrough(rest, 150);
    // By then each nginx holds connections to each backend open, over which it goes on sending after the death.
    await until('the load flows', 20_000, () => load.result().ok >= 300);
    const took = stopwatch();
    await dead.powerOff();
    await until('both know', LOST_MS, async () => (await liveHosts(rest[0]!)) === 2);
    const lost = took();
    await until('no nginx sends anything there', LOST_MS, () =>
      rest.every((host) => (host.log().match(/does not answer this host/g) ?? []).length >= onDead),
    );
    const out = took();
    await until(
      'its instances are replaced',
      60_000,
      async () => (await allContainers(rest)).length === 12 && (await readyRows(rest[0]!)).length === 12,
    );
    figure(`host dead: lost after ${lost}, out of every load balancer after ${out}, replaced after ${took()}`);
    const { sent, failures } = await load.stop();
    figure(`host dead: ${sent} requests through the others, ${failures.length} failed`);
    expect(failures).toEqual([]);
    for (const host of rest) expect(host.log()).toMatch(/is not acknowledged, and .* connections ended/);

    const back = loadThrough(rest, 50);
    await dead.powerOn();
    await until('it is back', 20_000, async () => (await liveHosts(rest[0]!)) === 3);
    await settled(12, rest[0]!);
    await until('it serves again', 20_000, () => answers(dead));
    await until('no container of it is left over', 20_000, async () => (await dead.docker(['ps', '-aq'])).trim() === '');
    expect((await back.stop()).failures).toEqual([]);
  }, 240_000);

  // Longer ones are among the faults of test/faults-cluster.real.test.ts.
  test.each([2])(
    'Redis killed for %i s: clients notice nothing, nothing is started or stopped',
    async (seconds) => {
      const before = await allContainers();
      const load = loadThrough(hosts, 150);
      await cluster.redis.kill();
      const sinceMs = Date.now();
      await until('the outage is over', 60_000, () => Date.now() - sinceMs >= seconds * 1000);
      expect(await allContainers()).toEqual(before);
      await cluster.redis.start();
      const took = stopwatch();
      await until(
        'all are back and one leads',
        LOST_MS,
        async () => (await liveHosts(hosts[0]!)) === 3 && (await leader(hosts[0]!)) !== undefined,
      );
      figure(`Redis away for ${seconds} s: all hosts and a leader again after ${took()}`);
      await settled(12);
      const { sent, failures } = await load.stop();
      figure(`Redis away for ${seconds} s: ${sent} requests, ${failures.length} failed`);
      expect(failures).toEqual([]);
      expect(await allContainers()).toEqual(before);
    },
    120_000,
  );
});
