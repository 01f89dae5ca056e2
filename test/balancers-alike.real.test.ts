import { ask, LocalServers, type RunningReactor, sandbox, startReactor, until } from '@reactor/testkit';

/** What holds behind every load balancer that carries requests, through the real command and daemon. */

const REQUESTS = 2_000;
const AT_ONCE = 20;
const SHARE = 0.1;
/** Five standard deviations of so many draws: outside of that once in two million runs, if chance alone decided. */
const TOLERANCE = 5 * Math.sqrt(REQUESTS * SHARE * (1 - SHARE));

/** Listens until it is asked to close, and runs on. */
const CLOSING = `const s=require("http").createServer((q,r)=>{r.end("ok");if(q.url==="/close")setTimeout(()=>{s.close();s.closeAllConnections()},50)}).listen(5000);setInterval(String,1e6)`;

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

test.each([
  ['nginx', 'http://:8133/', 8133],
  ['haproxy', 'http://:8134/', 8134],
  ['tcp', 'tcp://8135', 8135],
])(
  'an instance that %s cannot connect to is replaced, long before its own check would find out',
  async (balancer, url, port) => {
    const name = `closing-${balancer}`;
    const served = `url=${url}\nloadbalancer=${balancer}\ncloud=docker\nport=5000\nhealth_interval=1h\ndecommissioned_timeout=1`;
    const container = `[cloud:docker]\nimage=${sandbox().image}\ncommand=node -e '${CLOSING}'\n`;
    await reactor.reactor(['manage', name], `[endpoint]\n${served}\n[loadbalancer:tcp]\nexclusive=false\n${container}`);
    await reactor.reactor(['start', name]);
    const body = async (path = '/'): Promise<string> => (await ask(port, { path })).body;
    await until('it answers', 30_000, async () => (await body()) === 'ok');
    const rows = () =>
      reactor.get<{ readonly id: string; readonly state: string }[]>(`/v1.1/endpoints/${name}/instances?detail=1`);
    const [first] = await rows();
    await body('/close');
    await until('another one answers', 40_000, async () => {
      const answer = await body().catch(() => '');
      return answer === 'ok' && (await rows()).some(({ id, state }) => state === 'ready' && id !== first!.id);
    });
    expect(await reactor.reactor(['log', name])).toContain('could not connect');
    await reactor.reactor(['unmanage', name]);
  },
  90_000,
);
