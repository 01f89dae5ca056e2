import { ask, LocalServers, type RunningReactor, startReactor, until } from '@reactor/testkit';

/** Two versions at one address, through the real command: each load balancer splits the requests by weight. */

const REQUESTS = 2_000;
const AT_ONCE = 20;
const SHARE = 0.1;
/** Five standard deviations of so many draws: outside of that once in two million runs, if chance alone decided. */
const TOLERANCE = 5 * Math.sqrt(REQUESTS * SHARE * (1 - SHARE));

let reactor: RunningReactor;
const servers = new LocalServers();

beforeAll(async () => {
  reactor = await startReactor();
}, 30_000);
afterAll(async () => {
  await reactor.stop();
  servers.close();
}, 60_000);

test.each([
  ['nginx', 8131],
  ['haproxy', 8132],
])(
  'behind %s a canary of weight 10 beside one of 90 gets a tenth of the requests',
  async (balancer, port) => {
    const seen = { stable: 0, canary: 0 };
    for (const [name, weight] of [
      ['stable', 90],
      ['canary', 10],
    ] as const) {
      const { port: backend } = await servers.http((_request, response) => {
        seen[name] += 1;
        response.end(name);
      });
      const served = `url=http://:${port}/\nloadbalancer=${balancer}\nweight=${weight}\nstatic_instances=127.0.0.1:${backend}`;
      await reactor.reactor(['manage', `${name}-${balancer}`], `[endpoint]\n${served}\n[loadbalancer:haproxy]\nsticky=false\n`);
    }
    await until('both answer', 20_000, async () => {
      await ask(port);
      return seen.stable > 0 && seen.canary > 0;
    });
    Object.assign(seen, { stable: 0, canary: 0 });
    for (let sent = 0; sent < REQUESTS; sent += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, () => ask(port)));
    expect(seen.stable + seen.canary).toBe(REQUESTS);
    expect(seen.canary).toBeGreaterThan(REQUESTS * SHARE - TOLERANCE);
    expect(seen.canary).toBeLessThan(REQUESTS * SHARE + TOLERANCE);
  },
  60_000,
);
