import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunningReactor, sandbox, startReactor, until } from '@reactor/testkit';

/**
 * The example every Compose file begins with, a web proxy, an API that scales and a database, imported and run. All three
 * are the test image: what matters is who reaches whom, and by which address. The database has the port of one, so it is reached over tcp.
 */

let reactor: RunningReactor;
let file: string;

beforeAll(async () => {
  reactor = await startReactor();
  const directory = mkdtempSync(join(sandbox().directory, 'shop-'));
  file = join(directory, 'docker-compose.yml');
  writeFileSync(join(directory, '.env'), `IMAGE=${sandbox().image}\n`);
  writeFileSync(join(directory, 'api.env'), 'GREETING="hello, world"\n');
  writeFileSync(file, SHOP);
}, 60_000);
afterAll(() => reactor.stop(), 60_000);

/** The proxy goes by the variable it is given, the API by the name and port it had in Compose. */
const SHOP = `
x-service: &service
  image: \${IMAGE:?the image to run}
  entrypoint: [/usr/local/bin/node, -e]
  restart: unless-stopped
services:
  proxy:
    <<: *service
    command:
      - |
        require('http').createServer((q, r) => fetch(process.env.API_URL + q.url).then(async (a) => r.end('proxy ' + (await a.text())),
          (e) => { r.statusCode = 502; r.end(String(e.cause)); })).listen(5000)
    ports: ["8000:5000"]
    depends_on: [api]
  api:
    <<: *service
    command:
      - |
        require('http').createServer((q, r) => fetch('http://db:5432/').then(async (a) => r.end('api ' + process.env.GREETING + ' ' +
          require('os').hostname() + ' ' + (await a.text())), (e) => { r.statusCode = 502; r.end(String(e.cause)); })).listen(5000)
    env_file: api.env
    expose: ["5000"]
    depends_on: [db]
    stop_grace_period: 2s
    healthcheck: {test: [CMD, curl, -f, "http://localhost:5000/"], interval: 500ms, timeout: 2s}
    x-reactor: {rules: 0 < active < 10, max_instances: 3, scale_down_delay: 2}
  db:
    image: \${IMAGE}
    environment: {PORT: "5432"}
    expose: ["5432"]
    mem_limit: 128m
`;

const page = async (): Promise<string> => (await fetch('http://127.0.0.1:8000/')).text();

test('an imported project runs: the proxy reaches the API, and the API the database, by the names they had', async () => {
  const { status, stdout, stderr } = await reactor.tryReactor(['import', file, '--project', 'shop']);
  expect([status, stderr]).toEqual([0, expect.stringContaining('proxy: restart: Reactor itself replaces what ends')]);
  const names = [...stdout.matchAll(/^(\S+) created/gm)].map(([, name]) => name!);
  expect(names).toEqual(['shop-db', 'shop-api', 'shop-proxy']);
  for (const name of names) await reactor.reactor(['start', name]);
  await until('all three answer', 30_000, async () => /^proxy api hello, world [0-9a-f]{12} Hello from /.test(await page()));
}, 90_000);

test('the address stays while the API grows and shrinks behind it', async () => {
  await reactor.reactor(['scale', 'shop-api=3']);
  const seen = new Set<string>();
  await until('three instances of the API have answered the same proxy', 30_000, async () => {
    seen.add((await page()).split(' ')[4] ?? '');
    return [...seen].filter((name) => /^[0-9a-f]{12}$/.test(name)).length === 3;
  });
  const proxies = await reactor.dockerCli(['ps', '-q', '--filter', 'label=reactor.endpoint=shop-proxy']);
  expect(proxies.trim().split('\n')).toHaveLength(1);
}, 60_000);

test('a second import of it is refused as a whole', async () => {
  const { status, stderr } = await reactor.tryReactor(['import', file, '--project', 'shop']);
  expect([status, stderr]).toEqual([1, expect.stringContaining("nothing was imported: 'shop-db', 'shop-api', 'shop-proxy'")]);
});

test('when the last endpoint is refused, the ones before it are gone again', async () => {
  await reactor.reactor(
    ['create', 'other'],
    '[endpoint]\nurl=https://:8444\nloadbalancer=nginx\n[loadbalancer:nginx]\nssl=true\n',
  );
  const { status, stderr } = await reactor.tryReactor(
    ['import', '-'],
    'services: {a: {image: x, expose: [80]}, b: {image: x, ports: ["8444:80"]}}',
  );
  expect([status, stderr]).toEqual([1, expect.stringMatching(/'b' could not be created: .*'other'.*; nothing was imported/)]);
  expect((await reactor.reactor(['list'])).trim().split('\n')).toEqual(['other', 'shop-api', 'shop-db', 'shop-proxy']);
});
