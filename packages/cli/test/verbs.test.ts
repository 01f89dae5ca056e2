/* What each verb asks of the daemon, prints and answers. Long, but one thing: a row or two for every verb of the table. */
import type { InstanceRow, LogRow } from '@reactor/client';
import { clockTime } from '../src/output/log-line.js';
import { API_VERSION, VERSION } from '../src/version.js';
import { type Answer, type FixedDaemon, fixedDaemon, refused } from './fixed-daemon.js';
import { type Surroundings, typed } from './typed.js';

const CONFIG = '[endpoint]\nurl = http://\n';
const AT_MS = 1_700_000_000_000;
const WRITTEN = { warnings: [], revision: 7 };
const ROWS: readonly LogRow[] = [
  [1384300800.25, 'INFO', 'pyex started', 1, 'ENDPOINT_STARTED'],
  [1384300801, 'ERROR', 'no such image', 2, 'LAUNCH_FAILURE'],
];
const INSTANCE: InstanceRow = {
  id: 'i1',
  endpoint: 'pyex',
  host: 'vm1',
  state: 'ready',
  phase: 'run',
  address: '10.0.0.1:20000',
  createdAtMs: 1_000_000,
  readyAtMs: 1_000_500,
  active: 2,
  slots: 10,
  error: null,
};

interface Row {
  readonly argv: readonly string[];
  readonly answers: Readonly<Record<string, Answer>>;
  readonly around?: Surroundings;
  readonly stdout?: string;
  readonly stderr?: string;
  readonly status?: number;
  /** Request lines with bodies, in order; by default one request per answer, without a body. */
  readonly sent?: readonly string[];
}

let daemon: FixedDaemon | null = null;
afterEach(async () => {
  await daemon?.close();
  daemon = null;
});

async function check(row: Row): Promise<void> {
  daemon = await fixedDaemon(row.answers);
  const around = row.around ?? {};
  const printed = await typed(row.argv, { ...around, env: { ...around.env, REACTOR_API: daemon.api } });
  expect(printed).toEqual({ status: row.status ?? 0, stdout: row.stdout ?? '', stderr: row.stderr ?? '' });
  const sent = daemon.requests.map(({ line, body }) => (body === '' ? line : `${line} ${body}`));
  expect(sent).toEqual(row.sent ?? Object.keys(row.answers));
}

const EP = '/v1.1/endpoints/pyex';

describe('each verb asks the daemon for one thing and prints the answer', () => {
  const rows: readonly Row[] = [
    { argv: ['list'], answers: { 'GET /v1.1/endpoints': { body: ['b', 'a\u001b[1m'] } }, stdout: 'a\\x1b[1m\nb\n' },
    { argv: ['list', '--json'], answers: { 'GET /v1.1/endpoints': { body: ['b', 'a'] } }, stdout: '[\n  "a",\n  "b"\n]\n' },
    { argv: ['list'], answers: { 'GET /v1.1/endpoints': { body: [] } }, stdout: '' },
    {
      argv: ['list', '-l'],
      answers: {
        'GET /v1.1/endpoints?detail=1': {
          body: [
            { name: 'web', state: 'PAUSED', url: null, instances: 0, ready: 0, target: null, revision: 1, changedAtMs: 0 },
            { name: 'pyex', state: 'RUNNING', url: 'http://', instances: 5, ready: 4, target: 5, revision: 2, changedAtMs: 0 },
          ],
        },
      },
      stdout: [
        'NAME  STATE    READY  INSTANCES  TARGET  URL',
        'pyex  RUNNING      4          5       5  http://',
        'web   PAUSED       0          0       -  -',
        '',
      ].join('\n'),
    },
    {
      argv: ['show', 'pyex'],
      answers: { [`GET ${EP}`]: { body: { endpoint: { url: 'http://' } } } },
      stdout: '{\n  "endpoint": {\n    "url": "http://"\n  }\n}\n',
    },
    { argv: ['show', 'pyex', '--ini'], answers: { [`GET ${EP}?format=ini`]: { body: CONFIG } }, stdout: CONFIG },
    {
      argv: ['get', 'pyex', 'loadbalancer:nginx', 'ssl_key', '--secrets'],
      answers: { [`GET ${EP}?secrets=1`]: { body: { 'loadbalancer:nginx': { ssl_key: 'line 1\nline 2' } } } },
      stdout: 'line 1\nline 2\n',
    },
    {
      argv: ['get', 'pyex', 'scaling', 'RULES'],
      answers: { [`GET ${EP}`]: { body: { scaling: { rules: '0 < rate < 1' } } } },
      stdout: '0 < rate < 1\n',
    },
    { argv: ['get', 'pyex', 'scaling', 'absent'], answers: { [`GET ${EP}`]: { body: { scaling: {} } } }, stdout: '' },
    { argv: ['get', 'pyex', 'absent', 'absent'], answers: { [`GET ${EP}`]: { body: {} } }, stdout: '' },
    {
      argv: ['set', 'pyex', 'scaling', 'rules', '0 < rate < 1'],
      answers: { [`PATCH ${EP}`]: { body: WRITTEN } },
      sent: [`PATCH ${EP} {"section":"scaling","key":"rules","value":"0 < rate < 1"}`],
    },
    {
      argv: ['set', 'pyex', 'scaling', 'min_instances', '05'],
      answers: { [`PATCH ${EP}`]: { body: { warnings: ["unknown key 'x'"], revision: 8 } } },
      stderr: "reactor: warning: unknown key 'x'\n",
      sent: [`PATCH ${EP} {"section":"scaling","key":"min_instances","value":"05"}`],
    },
    {
      argv: ['state', 'pyex'],
      answers: { [`GET ${EP}/state`]: { body: { state: 'RUNNING', active: ['10.0.0.1:20000'] } } },
      stdout: '{\n  "state": "RUNNING",\n  "active": [\n    "10.0.0.1:20000"\n  ]\n}\n',
    },
    ...(['start', 'stop', 'pause'] as const).map((action) => ({
      argv: [action, 'pyex'],
      answers: { [`POST ${EP}/state`]: {} },
      sent: [`POST ${EP}/state {"action":"${action}"}`],
    })),
    {
      argv: ['scale', 'pyex=3', '--for', '30m'],
      answers: { [`PUT ${EP}/hold`]: { body: { hold: { count: 3, untilMs: 1 }, ...WRITTEN } } },
      sent: [`PUT ${EP}/hold {"count":3,"forMs":1800000}`],
    },
    {
      argv: ['scale', 'pyex=9'],
      answers: { [`PUT ${EP}/hold`]: { body: { warnings: ['max_instances caps it at 5'], revision: 8 } } },
      stderr: 'reactor: warning: max_instances caps it at 5\n',
      sent: [`PUT ${EP}/hold {"count":9,"forMs":null}`],
    },
    { argv: ['scale', 'pyex=auto'], answers: { [`DELETE ${EP}/hold`]: { body: WRITTEN } } },
    ...(
      [
        ['drop', 'POST', '/v1.1/unregister/10.0.0.1%3A20000', ['10.0.0.1:20000']],
        ['register', 'POST', '/v1.1/register/i1', ['i1']],
        ['drop', 'POST', '/v1.1/unregister', []],
        ['register', 'POST', '/v1.1/register', []],
        ['associate', 'POST', `${EP}/instances/i1`, ['pyex', 'i1']],
        ['disassociate', 'DELETE', `${EP}/instances/i1`, ['pyex', 'i1']],
      ] as const
    ).map(([verb, method, path, args]) => ({
      argv: [verb, ...args],
      answers: { [`${method} ${path}`]: { body: { instance: 'i1', endpoint: 'pyex', state: 'ready' } } },
      stdout: 'i1 of pyex is ready\n',
    })),
    { argv: ['ips', 'pyex'], answers: { [`GET ${EP}/ips`]: { body: ['10.0.0.1', '10.0.0.2'] } }, stdout: '10.0.0.1\n10.0.0.2\n' },
    {
      argv: ['instances', 'pyex'],
      answers: {
        [`GET ${EP}/instances?detail=1`]: { body: [INSTANCE, { ...INSTANCE, id: 'i10', state: 'draining', address: null }] },
      },
      around: { nowMs: 1_185_000 },
      stdout: 'i1   ready     vm1  10.0.0.1:20000  3m5s  -\ni10  draining  vm1  -               3m5s  -\n',
    },
    {
      argv: ['instances', 'pyex'],
      answers: { [`GET ${EP}/instances?detail=1`]: { body: [INSTANCE] } },
      around: { nowMs: 1_185_000, terminal: true },
      stdout: 'ID  STATE  HOST  ADDRESS         AGE   ERROR\ni1  ready  vm1   10.0.0.1:20000  3m5s  -\n',
    },
    {
      argv: ['ps'],
      answers: {
        'GET /v1.1/instances': {
          body: [
            INSTANCE,
            { ...INSTANCE, id: 'i10', endpoint: 'w', state: 'dead', address: null, active: null, error: 'killed' },
          ],
        },
      },
      around: { nowMs: 1_185_000 },
      stdout: [
        'ENDPOINT  ID   HOST  STATE  ADDRESS         AGE   OPEN  ERROR',
        'pyex      i1   vm1   ready  10.0.0.1:20000  3m5s     2  -',
        'w         i10  vm1   dead   -               3m5s     -  killed',
        '',
      ].join('\n'),
    },
    {
      argv: ['ps', 'pyex', '--json'],
      answers: { [`GET ${EP}/instances?detail=1`]: { body: [] } },
      stdout: '[]\n',
    },
    { argv: ['get-metrics', 'pyex'], answers: { [`GET ${EP}/metrics`]: { body: { active: 0 } } }, stdout: '{"active": 0}\n' },
    {
      argv: ['get-metrics', 'pyex', '--json'],
      answers: { [`GET ${EP}/metrics`]: { body: { active: 0 } } },
      stdout: '{\n  "active": 0\n}\n',
    },
    {
      argv: ['get-metrics', '--python', 'pyex'],
      answers: { [`GET ${EP}/metrics`]: { body: { active: 0, rate: 33.01 } } },
      stdout: "{u'active': 0.0, u'rate': 33.01}\n",
    },
    {
      argv: ['log', 'pyex'],
      answers: { [`GET ${EP}/log`]: { body: ROWS } },
      stdout: '1384300800.250 INFO pyex started\n1384300801.000 ERROR no such image\n',
    },
    {
      argv: ['log', 'pyex', '--since', '5.5', '--limit', '10'],
      answers: { [`GET ${EP}/log?since=5.5&limit=10`]: { body: [] } },
      stdout: '',
    },
    {
      argv: ['post', 'pyex'],
      answers: { [`POST ${EP}/log`]: {} },
      around: { stdin: ' deploying 1.4\n' },
      sent: [`POST ${EP}/log "deploying 1.4"`],
    },
    { argv: ['info', '--json'], answers: { 'GET /v1.1/info': { body: { active: 3 } } }, stdout: '{\n  "active": 3\n}\n' },
    { argv: ['manager-active'], answers: { 'GET /v1.1/managers/active': { body: ['u1'] } }, stdout: 'u1\n' },
    { argv: ['managers'], answers: { 'GET /v1.1/managers/active': { body: ['u1'] } }, stdout: 'u1\n' },
    { argv: ['url'], answers: { 'GET /v1.1/url': { body: { url: null } } }, stdout: 'None\n' },
    { argv: ['url'], answers: { 'GET /v1.1/url': { body: { url: 'http://r:8080' } } }, stdout: 'http://r:8080\n' },
    { argv: ['url', 'http://r'], answers: { 'POST /v1.1/url': {} }, sent: ['POST /v1.1/url {"url":"http://r"}'] },
    { argv: ['url', ''], answers: { 'POST /v1.1/url': {} }, sent: ['POST /v1.1/url {"url":null}'] },
    {
      argv: ['version', '--server'],
      answers: { 'GET /': { body: { version: '1.1', reactor: '9.9' } } },
      stdout: `reactor ${VERSION}\nserver 9.9, API 1.1\n`,
    },
    {
      argv: ['explain', 'pyex', '--at', '1700000000.25', '--json'],
      answers: { [`GET ${EP}/explain?at=1700000000250`]: { body: null } },
      stdout: 'null\n',
    },
    {
      argv: ['explain', 'pyex', '--at', '1700000000'],
      answers: {
        [`GET ${EP}/explain?at=1700000000000`]: {
          body: { atMs: AT_MS, instances: 1, target: 5, sentence: '5 wanted.', report: null },
        },
      },
      stdout: `${clockTime(AT_MS)}  1 => 5  5 wanted.\nThe rest of it was too long to be kept, or another version kept it.\n`,
    },
    {
      argv: ['explain', 'pyex', '--history', '--since', '1700000000', '--limit', '2'],
      answers: {
        [`GET ${EP}/decisions?since=1700000000000&limit=2`]: {
          body: {
            decisions: [
              { atMs: AT_MS + 1_000, instances: 5, target: 1, sentence: '1 wanted.' },
              { atMs: AT_MS, instances: 1, target: 5, sentence: '5 wanted.' },
            ],
          },
        },
      },
      stdout: `${clockTime(AT_MS)}  1 => 5  5 wanted.\n${clockTime(AT_MS + 1_000)}  5 => 1  1 wanted.\n`,
    },
    {
      argv: ['explain', 'pyex', '--history'],
      answers: { [`GET ${EP}/decisions`]: { body: { decisions: [] } } },
      stdout: 'no change of it is kept\n',
    },
    {
      argv: ['explain', 'pyex', '--limit', '2'],
      answers: {},
      status: 2,
      stderr: 'reactor: --since and --limit are about a list: add --history\n',
    },
    { argv: ['explain', 'pyex', '--json'], answers: { [`GET ${EP}/explain`]: { body: null } }, stdout: 'null\n' },
    {
      argv: ['explain', 'pyex'],
      answers: { [`GET ${EP}/explain`]: { body: null } },
      stdout: 'pyex: nothing has been decided yet; the controller decides within a second of its start.\n',
    },
    {
      argv: ['explain', 'pyex'],
      answers: { [`GET ${EP}/explain`]: { body: { other: 'shape' } } },
      status: 1,
      stderr: 'reactor: the daemon explains itself in another form than this version knows; try --json\n',
    },
    {
      argv: ['logs', 'pyex', '--tail', '5', '--since', '1.5'],
      answers: {
        [`GET ${EP}/output?tail=5&since=1.5`]: {
          body: '[2,"i1","stdout","hi \\u001b[1m","vm1"]\n[3,"","note","not shown: vm3 (lost)",""]\n[4,"i2","stderr","oh","vm2"]\n',
        },
      },
      stdout: 'i1@vm1 | hi \\x1b[1m\ni2@vm2 | oh\n',
      stderr: 'reactor: not shown: vm3 (lost)\n',
    },
    {
      argv: ['logs', 'pyex', '--json'],
      answers: { [`GET ${EP}/output`]: { body: '[2,"i1","stdout","hi","vm1"]\n' } },
      stdout: '[2,"i1","stdout","hi","vm1"]\n',
    },
    {
      argv: ['logs', 'pyex'],
      answers: { [`GET ${EP}/output`]: { body: '{"not":"a row"}\n' } },
      status: 1,
      stderr: expect.stringContaining('sends no log of Reactor'),
    },
    {
      argv: ['place', 'pyex', '--dry-run'],
      answers: {
        [`GET ${EP}/placement`]: {
          body: {
            endpoint: 'pyex',
            strategy: 'spread',
            host: 'vm2',
            reason: 'spread: 1.0 % used after placement',
            hosts: [
              { host: 'vm1', verdict: 'refused', filter: 'health', reason: 'draining' },
              { host: 'vm2', verdict: 'chosen', filter: null, reason: 'spread: 1.0 % used after placement' },
              { host: 'vm3', verdict: 'fits', filter: null, reason: '2.0 % used after placement' },
            ],
            more: { capacity: 3, fits: 1 },
          },
        },
      },
      stdout: [
        'pyex would go to vm2: spread: 1.0 % used after placement',
        '',
        'HOST  VERDICT  FILTER  WHY',
        'vm1   refused  health  draining',
        'vm2   chosen   -       spread: 1.0 % used after placement',
        'vm3   fits     -       2.0 % used after placement',
        'and 4 more hosts: 3 refused by capacity, 1 fit',
        '',
      ].join('\n'),
    },
    {
      argv: ['place', 'pyex', '--dry-run'],
      answers: {
        [`GET ${EP}/placement`]: {
          body: { endpoint: 'pyex', strategy: 'spread', host: null, reason: 'there is no host', hosts: [] },
        },
      },
      status: 1,
      stdout: 'pyex: no host takes it\n',
    },
    {
      argv: ['place', 'pyex'],
      answers: {},
      status: 2,
      stderr: 'reactor: place only asks, the controller acts: reactor place ENDPOINT --dry-run; to act, reactor scale\n',
    },
    {
      argv: ['hosts'],
      answers: {
        'GET /v1.1/hosts': {
          body: [
            {
              id: 'h1',
              name: 'vm1',
              state: 'ready',
              heartbeatMs: 1_184_600,
              address: '10.0.0.1',
              slots: 1000,
              usedSlots: 50,
              instances: 5,
              dockerVersion: '20.10',
              apiUrl: null,
              dockerError: null,
              leader: true,
              labels: { region: 'eu', ostype: 'linux' },
            },
            {
              id: 'h2',
              name: 'vm2',
              state: 'lost',
              heartbeatMs: null,
              address: '10.0.0.2',
              slots: 0,
              usedSlots: 0,
              instances: 0,
              dockerVersion: null,
              dockerError: 'no answer',
              leader: false,
              labels: {},
            },
          ],
        },
      },
      around: { nowMs: 1_185_000 },
      stdout: [
        'NAME  STATE  ADDRESS   SLOTS  USED  INSTANCES  DOCKER     HEARD     ROLE    ID  LABELS',
        'vm1   ready  10.0.0.1   1000    50          5  20.10      0.4s ago  leader  h1  region=eu',
        'vm2   lost   10.0.0.2      0     0          0  no answer  -         -       h2  -',
        '',
      ].join('\n'),
    },
    {
      argv: ['host', 'drain', 'vm2'],
      answers: {
        'POST /v1.1/hosts/vm2/state': { body: { host: 'vm2', state: 'draining', instances: 3, warnings: ['pyex is PAUSED'] } },
      },
      sent: ['POST /v1.1/hosts/vm2/state {"action":"drain"}'],
      stdout: 'vm2 is draining; 3 instances are to be replaced elsewhere first, see reactor hosts\n',
      stderr: 'reactor: warning: pyex is PAUSED\n',
    },
    {
      argv: ['host', 'activate', 'vm2'],
      answers: { 'POST /v1.1/hosts/vm2/state': { body: { host: 'vm2', state: 'ready', instances: 3, warnings: [] } } },
      sent: ['POST /v1.1/hosts/vm2/state {"action":"activate"}'],
      stdout: 'vm2 is ready\n',
    },
    {
      argv: ['host', 'remove', 'vm2'],
      answers: { 'DELETE /v1.1/hosts/vm2': { body: { host: 'vm2', state: null, instances: 0, warnings: [] } } },
      stdout: 'vm2 is forgotten\n',
    },
    {
      argv: ['host', 'remove', 'vm2'],
      answers: { 'DELETE /v1.1/hosts/vm2': refused(409, 'host_alive', "host 'vm2' is alive") },
      status: 1,
      stderr: "reactor: host 'vm2' is alive\n",
    },
    {
      argv: ['host', 'drian', 'vm2'],
      answers: {},
      status: 2,
      stderr: "reactor: no action 'drian' on a host; did you mean 'drain'?\n",
    },
  ];
  test.each(rows.map((row) => [row.argv.join(' '), row] as const))('%s', (_name, row) => check(row));
});

describe('configurations', () => {
  const around = { stdin: CONFIG };

  test('manage creates what is not there', () =>
    check({
      argv: ['manage', 'pyex'],
      around,
      answers: { [`PUT ${EP}`]: { body: WRITTEN } },
      sent: [`POST ${EP} ${CONFIG}`, `PUT ${EP} ${CONFIG}`],
    }));

  test('manage replaces what is there', () =>
    check({ argv: ['manage', 'pyex'], around, answers: { [`POST ${EP}`]: { body: WRITTEN } }, sent: [`POST ${EP} ${CONFIG}`] }));

  test('create, update and manage print the answer with --json', async () => {
    await check({
      argv: ['create', 'pyex', '--json'],
      around,
      answers: { [`PUT ${EP}`]: { body: WRITTEN } },
      sent: [`PUT ${EP} ${CONFIG}`],
      stdout: '{\n  "warnings": [],\n  "revision": 7\n}\n',
    });
  });

  test('a refused configuration is one line, exit status 1', () =>
    check({
      argv: ['update', 'pyex'],
      around,
      answers: { [`POST ${EP}`]: refused(422, 'config_invalid', 'line 2: port must be 1-65535\n\u001b[31m') },
      sent: [`POST ${EP} ${CONFIG}`],
      status: 1,
      stderr: 'reactor: line 2: port must be 1-65535 \\x1b[31m\n',
    }));

  test('manage --update lays the given keys over the stored ones, under the revision it read', async () => {
    const row = { name: 'pyex', state: 'RUNNING', url: null, instances: 1, ready: 1, target: 1, revision: 41, changedAtMs: 0 };
    await check({
      argv: ['manage', '-u', 'pyex'],
      around: { stdin: '[scaling]\nmax_instances = 9\n' },
      answers: {
        'GET /v1.1/endpoints?detail=1': { body: [row] },
        [`GET ${EP}`]: { body: { endpoint: { url: 'http://' }, scaling: { min_instances: '1', max_instances: '5' } } },
        [`POST ${EP}`]: { body: WRITTEN },
      },
      sent: [
        'GET /v1.1/endpoints?detail=1',
        `GET ${EP}`,
        `POST ${EP} {"endpoint":{"url":"http://"},"scaling":{"min_instances":"1","max_instances":"9"}}`,
      ],
    });
  });

  test('what is not UTF-8 is not sent', async () => {
    daemon = await fixedDaemon({});
    const stdin = CONFIG;
    const printed = await typed(['manage', 'pyex'], {
      stdin,
      stdinBytes: Uint8Array.of(0xff, 0xfe, 0x5b),
      env: { REACTOR_API: daemon.api },
    });
    expect(printed).toEqual({ status: 1, stdout: '', stderr: 'reactor: standard input is not UTF-8 text\n' });
    expect(daemon.requests).toEqual([]);
  });

  test('unmanage of an absent endpoint is done, and says so', () =>
    check({
      argv: ['unmanage', 'apihtp'],
      answers: { 'GET /v1.1/endpoints': { body: ['apihttp'] }, 'DELETE /v1.1/endpoints/apihtp': {} },
      stderr: "reactor: there is no endpoint 'apihtp'; did you mean 'apihttp'?\n",
    }));

  test('remove of a present endpoint says nothing', () =>
    check({ argv: ['remove', 'pyex'], answers: { 'GET /v1.1/endpoints': { body: ['pyex'] }, [`DELETE ${EP}`]: {} } }));
});

describe('the auth key is set', () => {
  const answers = { 'POST /v1.1/auth_key': {} };
  const sent = ['POST /v1.1/auth_key {"auth_key":"secret"}'];

  test('from an argument, with a warning', () =>
    check({
      argv: ['passwd', 'secret'],
      answers,
      sent,
      stderr: 'reactor: warning: other users can read a key on the command line; without an argument passwd asks for it\n',
    }));

  test.each([
    [[], 'secret'],
    [['--clear'], null],
  ])('of one endpoint alone: %j', (argv, key) =>
    check({
      argv: ['passwd', '--endpoint', 'pyex', ...argv],
      answers: { [`POST ${EP}/auth_key`]: {} },
      around: { stdin: 'secret\n' },
      sent: [`POST ${EP}/auth_key ${JSON.stringify({ auth_key: key })}`],
    }),
  );

  test('of an endpoint that is not there is told in one line', () =>
    check({
      argv: ['passwd', '--endpoint', 'pyx'],
      answers: { 'POST /v1.1/endpoints/pyx/auth_key': refused(404, 'not_found', "no endpoint 'pyx'") },
      around: { passwords: ['secret', 'secret'] },
      sent: ['POST /v1.1/endpoints/pyx/auth_key {"auth_key":"secret"}'],
      status: 1,
      stderr: "reactor: no endpoint 'pyx'\n",
    }));

  test('from two equal answers at the terminal', () =>
    check({ argv: ['passwd'], answers, sent, around: { passwords: ['secret', 'secret'] } }));

  test('from the first line of standard input', () => check({ argv: ['passwd'], answers, sent, around: { stdin: 'secret\n' } }));

  test.each([
    [['passwd', ''], {}, /the new key is empty; to remove the key: reactor passwd --clear\n$/],
    [['passwd'], { stdin: '\n' }, /the new key is empty/],
    [['passwd'], { passwords: ['a', 'b'] }, /the two keys differ; nothing was changed\n$/],
    [['passwd'], { passwords: [] }, /needs a terminal or the key on standard input\n$/],
    [['passwd', '--endpoint', 'pyex'], { stdin: '\n' }, /the new key is empty/],
    [['passwd', '--endpoint', 'pyex'], { passwords: ['a', 'b'] }, /the two keys differ; nothing was changed\n$/],
    [['passwd', '--endpoint', 'pyex', 'key', '--clear'], {}, /passwd takes a key or --clear, not both\n$/],
    [['passwd', '--endpoint'], {}, /./],
  ] as const)('but not to nothing or by mistake: %j %j', async (argv, around, message) => {
    daemon = await fixedDaemon(answers);
    const { status, stderr } = await typed(argv, { ...around, env: { REACTOR_API: daemon.api } });
    expect([status, daemon.requests]).toEqual([2, []]);
    expect(stderr).toMatch(message);
  });

  test('to none only when asked for by name', () =>
    check({
      argv: ['passwd', '--clear'],
      answers,
      sent: ['POST /v1.1/auth_key {"auth_key":null}'],
      stderr: 'reactor: the auth key is removed: everyone who reaches the daemon is let in\n',
    }));
});

describe('colours', () => {
  const answers = { [`GET ${EP}/log`]: { body: [ROWS[0]] } };
  const coloured = '1384300800.250 \u001b[94mINFO\u001b[0m pyex started\n';
  const plain = '1384300800.250 INFO pyex started\n';

  test('appear on a terminal', () => check({ argv: ['log', 'pyex'], answers, around: { terminal: true }, stdout: coloured }));
  test('not in a pipe', () => check({ argv: ['log', 'pyex'], answers, stdout: plain }));
  test('not with --no-color', () =>
    check({ argv: ['log', 'pyex', '--no-color'], answers, around: { terminal: true }, stdout: plain }));
  test('not with NO_COLOR', () =>
    check({ argv: ['log', 'pyex'], answers, around: { terminal: true, env: { NO_COLOR: '1' } }, stdout: plain }));
  test('in a pipe with --color', () => check({ argv: ['log', 'pyex', '--color'], answers, stdout: coloured }));
});

describe('watching', () => {
  test('prints lines as they come and ends when its reader has gone', async () => {
    const body = ROWS.map((row) => `${JSON.stringify(row)}\n`).join('');
    daemon = await fixedDaemon({ [`GET ${EP}/log?follow=1`]: { body, open: true } });
    const printed = await typed(['watch', 'pyex', '--watch_delay', '1'], { env: { REACTOR_API: daemon.api }, brokenAfter: 1 });
    expect(printed).toEqual({ status: 0, stdout: '1384300800.250 INFO pyex started\n', stderr: '' });
  });

  test('an endpoint that is not there is told at once', () =>
    check({
      argv: ['watch', 'pyex'],
      answers: { [`GET ${EP}/log?follow=1`]: refused(404, 'not_found', "there is no endpoint 'pyex'") },
      status: 1,
      stderr: "reactor: there is no endpoint 'pyex'\n",
    }));
});

describe('without a daemon', () => {
  const LINE = '{"rules":["0 < rate < 1"],"min":1,"max":5,"instances":1,"metrics":{"rate":{"total":33.01}}}';

  test('evaluate answers every line, also the last one without a line end', async () => {
    const { status, stdout, stderr } = await typed(['evaluate'], { stdin: `${LINE}\n\n${LINE}` });
    expect([status, stderr]).toEqual([0, '']);
    const answers = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(answers.map(({ range, target }) => [range, target])).toEqual([
      [[5, 5], 5],
      [[5, 5], 5],
    ]);
  });

  test('evaluate goes on after a wrong line, which it names, and exits with 1', async () => {
    const { status, stdout, stderr } = await typed(['evaluate'], { stdin: `nonsense\n${LINE}\n` });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^reactor: line 1: not JSON: .*\n$/);
    expect(stdout.split('\n').length).toBe(3);
    expect(JSON.parse(stdout.split('\n')[0] ?? '')).toHaveProperty('error');
  });

  test.each([[['version']], [['--version']]])('%j prints the version', async (argv) => {
    expect(await typed(argv)).toEqual({ status: 0, stdout: `reactor ${VERSION}\n`, stderr: '' });
  });

  test('version --json is JSON', async () => {
    expect(JSON.parse((await typed(['version', '--json'])).stdout)).toEqual({ version: VERSION, api: API_VERSION });
  });
});

describe('scale refuses before it asks', () => {
  test.each([
    [['scale', 'pyex'], "reactor: expected ENDPOINT=COUNT or ENDPOINT=auto, such as pyex=3, not 'pyex'\n"],
    [['scale', 'pyex=-1'], "reactor: expected ENDPOINT=COUNT or ENDPOINT=auto, such as pyex=3, not 'pyex=-1'\n"],
    [['scale', 'pyex=3', '--for', 'ever'], "reactor: --for: 'ever' is not a duration; write seconds, or 300ms, 30s, 2m, 1h\n"],
    [['scale', 'pyex=3', '--for', '0'], 'reactor: --for: must be > 0\n'],
    [['scale', 'pyex=auto', '--for', '5m'], 'reactor: --for says how long a count is held; auto holds none\n'],
    [['list', '--for', '5m'], 'reactor: --for is an option of scale, not of list\n'],
  ])('%j', async (argv, stderr) => {
    daemon = await fixedDaemon({});
    expect(await typed(argv, { env: { REACTOR_API: daemon.api } })).toEqual({ status: 2, stdout: '', stderr });
    expect(daemon.requests).toEqual([]);
  });
});
