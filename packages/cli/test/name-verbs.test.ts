import { type Answer, type FixedDaemon, fixedDaemon, refused } from './fixed-daemon.js';
import { typed } from './typed.js';

let daemon: FixedDaemon | null = null;
afterEach(async () => {
  await daemon?.close();
  daemon = null;
});

const EP = '/v1.1/endpoints/pyex';

async function ask(
  argv: readonly string[],
  answers: Readonly<Record<string, Answer>>,
  env: Readonly<Record<string, string>> = {},
) {
  daemon = await fixedDaemon(answers);
  const { status, stdout, stderr } = await typed(argv, { env: { ...env, REACTOR_API: daemon.api }, stdin: 'hello' });
  return { status, stdout, stderr, sent: daemon.requests.map(({ line, body }) => (body === '' ? line : `${line} ${body}`)) };
}

test.each<readonly [argv: readonly string[], request: string, body: string, answer: unknown, stdout: string]>([
  [['rename', 'pyex', 'web'], `POST ${EP}/rename`, '"web"', { names: ['web'], warnings: [], revision: 3 }, ''],
  [['alias', 'pyex', 'web'], `POST ${EP}/alias`, '"web"', { names: ['pyex', 'web'], warnings: [], revision: 3 }, ''],
  [['metadata-list', 'pyex'], `GET ${EP}/metadata`, '', ['a', 'b'], 'a\nb\n'],
  [['metadata-get', 'pyex', 'a'], `GET ${EP}/metadata/a`, '', 'text', 'text\n'],
  [['metadata-get', 'pyex', 'a'], `GET ${EP}/metadata/a`, '', { b: 1 }, '{\n  "b": 1\n}\n'],
  [['metadata-get', 'pyex', 'a'], `GET ${EP}/metadata/a`, '', null, 'None\n'],
  [['metadata-set', 'pyex', 'a', '07'], `POST ${EP}/metadata/a`, '"07"', {}, ''],
  [['metadata-set', 'pyex', 'a', '[7]', '--json'], `POST ${EP}/metadata/a`, '[7]', {}, ''],
  [['metadata-delete', 'pyex', 'a'], `DELETE ${EP}/metadata/a`, '', {}, ''],
])('%j', async (argv, request, body, answer, stdout) => {
  const answers = { [request]: { body: typeof answer === 'string' ? JSON.stringify(answer) : answer } };
  expect(await ask(argv, answers)).toEqual({
    status: 0,
    stdout,
    stderr: '',
    sent: [body === '' ? request : `${request} ${body}`],
  });
});

test('a name that is taken is told in one line', async () => {
  const { status, stderr } = await ask(['rename', 'pyex', 'web'], {
    [`POST ${EP}/rename`]: refused(409, 'exists', "endpoint 'web' is already there"),
  });
  expect([status, stderr]).toEqual([1, "reactor: endpoint 'web' is already there\n"]);
});

test('--json with what is no JSON is a wrong command line', async () => {
  const { status, stderr, sent } = await ask(['metadata-set', 'pyex', 'a', '{', '--json'], {});
  expect([status, stderr, sent]).toEqual([2, "reactor: with --json the value has to be JSON, not '{'\n", []]);
});

describe('in an instance the endpoint may be left out', () => {
  const OWN = '/v1.1/endpoint';

  test.each<readonly [argv: readonly string[], request: string, body: string]>([
    [['state'], `GET ${OWN}/state`, ''],
    [['start'], `POST ${OWN}/state`, '{"action":"start"}'],
    [['get-metrics'], `GET ${OWN}/metrics`, ''],
    [['log'], `GET ${OWN}/log`, ''],
    [['post'], `POST ${OWN}/log`, '"hello"'],
    [['get', 'scaling', 'rules'], `GET ${OWN}`, ''],
    [['set', 'scaling', 'rules', ''], `PATCH ${OWN}`, '{"section":"scaling","key":"rules","value":""}'],
    [['metadata-set', 'a', 'b'], `POST ${OWN}/metadata/a`, '"b"'],
    [['rename', 'other'], `POST ${OWN}/rename`, '"other"'],
    [['associate', 'i1'], `POST ${OWN}/instances/i1`, ''],
    [['disassociate', 'i1'], `DELETE ${OWN}/instances/i1`, ''],
    [['sessions'], `GET ${OWN}/sessions?detail=1`, ''],
    [['kill', '10.0.0.7:5000'], `DELETE ${OWN}/sessions/10.0.0.7%3A5000`, ''],
    [['remove'], `DELETE ${OWN}`, ''],
  ])('%j', async (argv, request, body) => {
    const answer = { body: request.startsWith('GET') ? {} : { warnings: [] } };
    const lists = /^GET .*\/(?:log|sessions\?detail=1)$/.test(request);
    const answers = { [request]: lists ? { body: [] } : answer };
    const { status, stderr, sent } = await ask(argv, answers, { REACTOR_TOKEN: 'secret' });
    expect([status, stderr]).toEqual([0, '']);
    expect(sent).toEqual([body === '' ? request : `${request} ${body}`]);
    expect(daemon?.requests[0]?.token).toBe('secret');
  });

  test('and may be given', async () => {
    const { sent } = await ask(['start', 'pyex'], { [`POST ${EP}/state`]: { body: {} } }, { REACTOR_TOKEN: 'secret' });
    expect(sent).toEqual([`POST ${EP}/state {"action":"start"}`]);
  });

  test.each<[Record<string, string>]>([[{}], [{ REACTOR_TOKEN: '' }]])('but not elsewhere: %j', async (env) => {
    const { status, stderr, sent } = await ask(['start'], {}, env);
    expect([status, stderr, sent]).toEqual([2, 'usage: reactor start ENDPOINT\n', []]);
  });
});
