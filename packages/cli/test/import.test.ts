import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Answer, type FixedDaemon, fixedDaemon, refused } from './fixed-daemon.js';
import { type Printed, type Surroundings, typed } from './typed.js';

const SHOP = `services:
  web: {image: "web:\${TAG}", ports: ["80:5000"], depends_on: [api], restart: always}
  api: {image: api, expose: [6000], env_file: api.env}
`;
const RESTART = 'reactor: web: restart: Reactor itself replaces what ends, ever more slowly when it ends again and again\n';
const CREATED = { body: { warnings: [], revision: 1 } };
const EP = '/v1.1/endpoints';

let directory: string;
let file: string;
let daemon: FixedDaemon | null = null;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reactor-import-'));
  file = join(directory, 'docker-compose.yml');
  writeFileSync(file, SHOP);
  writeFileSync(join(directory, '.env'), 'TAG=1.4\nWHO=file\n');
  writeFileSync(join(directory, 'api.env'), 'WHO\n');
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  await daemon?.close();
  daemon = null;
});

async function asked(
  words: readonly string[],
  answers: Readonly<Record<string, Answer>>,
  around: Surroundings = {},
): Promise<{ readonly printed: Printed; readonly sent: readonly string[] }> {
  daemon = await fixedDaemon(answers);
  const printed = await typed(['import', ...words], { ...around, env: { ...around.env, REACTOR_API: daemon.api } });
  return { printed, sent: daemon.requests.map(({ line }) => line) };
}

test('--dry-run prints the configurations and asks nobody; .env counts, below the shell', async () => {
  const { printed, sent } = await asked([file, '--dry-run', '--project', 'shop'], {}, { env: { WHO: 'shell' } });
  expect(sent).toEqual([]);
  expect(printed.status).toBe(0);
  expect(printed.stderr).toContain(RESTART);
  expect(printed.stdout).toBe(`# endpoint shop-api
[endpoint]
url = http://api:6000
port = 6000
cloud = docker
loadbalancer = nginx

[cloud:docker]
image = api
environment = WHO=shell
links = shop-web:web

# endpoint shop-web
[endpoint]
url = http://
port = 5000
cloud = docker
loadbalancer = nginx

[cloud:docker]
image = web:1.4
links = shop-api:api
`);
});

test('creates what others depend on first, and says how to run it', async () => {
  const { printed, sent } = await asked([file], {
    [`GET ${EP}`]: { body: ['other'] },
    [`PUT ${EP}/api`]: CREATED,
    [`PUT ${EP}/web`]: CREATED,
  });
  expect(sent).toEqual([`GET ${EP}`, `PUT ${EP}/api`, `PUT ${EP}/web`]);
  expect([printed.status, printed.stdout]).toEqual([
    0,
    'api created, PAUSED; to run it: reactor start api\nweb created, PAUSED; to run it: reactor start web\n',
  ]);
});

test('an endpoint that is there already is left as it is, and nothing is created', async () => {
  const { printed, sent } = await asked([file], { [`GET ${EP}`]: { body: ['web'] } });
  expect(sent).toEqual([`GET ${EP}`]);
  expect(printed.status).toBe(1);
  expect(printed.stderr).toContain("reactor: nothing was imported: 'web' is already there; see --project\n");
});

test('when one is refused, those before it are taken back', async () => {
  const { printed, sent } = await asked([file], {
    [`GET ${EP}`]: { body: [] },
    [`PUT ${EP}/api`]: CREATED,
    [`PUT ${EP}/web`]: refused(409, 'exists', "http://:80/ is served by endpoint 'old'"),
    [`DELETE ${EP}/api`]: { body: null },
  });
  expect(sent.slice(-2)).toEqual([`PUT ${EP}/web`, `DELETE ${EP}/api`]);
  expect([printed.status, printed.stdout]).toEqual([1, '']);
  expect(printed.stderr).toContain(
    "reactor: 'web' could not be created: http://:80/ is served by endpoint 'old'; nothing was imported\n",
  );
});

test('what cannot be taken back is named', async () => {
  const { printed } = await asked([file], { [`GET ${EP}`]: { body: [] }, [`PUT ${EP}/api`]: CREATED });
  expect(printed.stderr).toContain("'api' was created and could not be removed again\n");
});

test('every mistake is a line, nothing is created, nobody is asked', async () => {
  writeFileSync(file, 'services: {a: {image: "B A D"}, b: {image: x, cpus: lots}}');
  const { printed, sent } = await asked([file], {});
  expect(sent).toEqual([]);
  expect(printed).toEqual({
    status: 1,
    stdout: '',
    stderr: [
      "reactor: b: cpus: 'lots' is not a number of processors",
      "reactor: a: cloud:docker.image: 'B A D' is not a valid image reference",
      'reactor: nothing was imported: 2 mistakes',
      '',
    ].join('\n'),
  });
});

test('- is standard input', async () => {
  const { printed } = await asked(['-', '--dry-run', '--json'], {}, { stdin: 'services: {a: {image: x, expose: [80]}}' });
  expect(JSON.parse(printed.stdout)).toMatchObject({ endpoints: { a: { endpoint: { url: 'http://a' } } } });
});

test.each<[what: string, words: () => readonly string[], around: Surroundings, status: number, told: string]>([
  ['no file', () => [join(directory, 'gone.yml')], {}, 1, 'no file '],
  ['a directory', () => [directory], {}, 1, 'cannot be read: it is a directory'],
  ['a terminal', () => ['-'], { stdin: null }, 2, 'reactor import - < docker-compose.yml'],
  ['something endless', () => ['/dev/zero'], {}, 1, 'is longer than 1048576 bytes'],
  ['no argument', () => [], {}, 2, 'usage: reactor import FILE'],
])('%s is told in one line', async (_what, words, around, status, told) => {
  const { printed } = await asked(words(), {}, around);
  expect([printed.status, printed.stdout]).toEqual([status, '']);
  expect(printed.stderr).toContain(told);
  expect(printed.stderr.trimEnd().split('\n')).toHaveLength(1);
});
