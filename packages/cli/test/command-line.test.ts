import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCommandLine } from '../src/command-line.js';
import { type FixedDaemon, fixedDaemon } from './fixed-daemon.js';
import { typed } from './typed.js';

const NAMES = ['pyex', 'apihttp'];

let daemon: FixedDaemon;
beforeEach(async () => {
  daemon = await fixedDaemon({ 'GET /v1.1/endpoints': { body: NAMES } });
});
afterEach(() => daemon.close());

describe('reading the command line', () => {
  test('leaves arguments as they were typed: no numbers, no options made of negative numbers', () => {
    const values = ['05', '1e3', '0x10', '-5', '-1 < rate', '0 < rate < 1', 'a.b', '', 'true', '-'];
    for (const value of values) expect(readCommandLine(['set', 'pyex', 'scaling', 'rules', value], {}).words[4]).toBe(value);
  });

  test('takes everything after -- as arguments', () => {
    const line = readCommandLine(['set', '--json', 'pyex', '--', 'scaling', 'rules', '--api=x'], {});
    expect(line.words).toEqual(['set', 'pyex', 'scaling', 'rules', '--api=x']);
    expect(line.options.json).toBe(true);
    expect(line.options.api).toBeUndefined();
  });

  test.each([[['--api', 'h:1', 'list']], [['list', '--api', 'h:1']], [['--api=h:1', 'list']], [['list', '-a', 'h:1']]])(
    'finds an option before and after the verb: %j',
    (argv) => {
      const line = readCommandLine(argv, { REACTOR_API: 'other' });
      expect(line.words).toEqual(['list']);
      expect(line.options.api).toBe('h:1');
    },
  );

  test('reads the environment where the command line says nothing', () => {
    const { options } = readCommandLine(['list'], {
      REACTOR_API: 'h',
      REACTOR_PASSWORD_FILE: '/k',
      REACTOR_JSON: '1',
      REACTOR_TIMEOUT: '2.5',
    });
    expect([options.api, options['password-file'], options.json, options.timeout]).toEqual(['h', '/k', true, 2.5]);
  });

  test('takes an empty variable as unset', () => {
    const { options } = readCommandLine(['list'], { REACTOR_API: '', REACTOR_TIMEOUT: '', REACTOR_JSON: '' });
    expect([options.api, options.timeout, options.json]).toEqual([undefined, undefined, undefined]);
  });

  test('lets the last of two options win', () => {
    expect(readCommandLine(['list', '--api', 'a', '--api', 'b'], {}).options.api).toBe('b');
  });

  test('knows --no-color and both spellings of --watch_delay', () => {
    expect(readCommandLine(['log', '--no-color'], {}).options.color).toBe(false);
    expect(readCommandLine(['watch', '--watch_delay=3'], {}).options.watch_delay).toBe(3);
    expect(readCommandLine(['watch', '--watch-delay', '3'], {}).options.watch_delay).toBe(3);
  });
});

describe('a wrong command line is one line on standard error and exit status 2', () => {
  test.each<readonly [readonly string[], Readonly<Record<string, string>>, string]>([
    [['mange', 'pyex'], {}, "reactor: unknown command 'mange'; did you mean 'manage'?"],
    [['frobnicate'], {}, "reactor: unknown command 'frobnicate'; 'reactor --help' lists them"],
    [['a\u001b[31m\nb'], {}, "reactor: unknown command 'a\\x1b[31m b'; 'reactor --help' lists them"],
    [[], {}, "reactor: no command given; 'reactor --help' lists them"],
    [['list', '--passwrod=x'], {}, "reactor: unknown option '--passwrod'; did you mean '--password'?"],
    [['list', '-z'], {}, "reactor: unknown option '-z'; after '--' everything is an argument"],
    [['list', '--api'], {}, 'reactor: Not enough arguments following: api'],
    [['list', '--api='], {}, 'reactor: --api is empty'],
    [['list', '--timeout', '0x10'], {}, "reactor: --timeout: expected a number such as 5 or 0.5, not '0x10'"],
    [['list', '--timeout', '0'], {}, 'reactor: --timeout: expected more than 0 and at most 86400 seconds'],
    [['list'], { REACTOR_TIMEOUT: '80a' }, "reactor: REACTOR_TIMEOUT: expected a number such as 5 or 0.5, not '80a'"],
    [['list'], { REACTOR_JSON: 'maybe' }, "reactor: REACTOR_JSON: expected 1 or 0, not 'maybe'"],
    [['list', '--python'], {}, 'reactor: --python is an option of get-metrics, not of list'],
    [['log', 'pyex', '--limit', '1.5'], {}, 'reactor: --limit: expected a whole number, not 1.5'],
    [['completion', 'fish'], {}, "reactor: no completion for 'fish': expected bash or zsh"],
    [['help', 'rule'], {}, "reactor: no help on 'rule'; did you mean 'rules'?"],
    [['list', '--askpass'], {}, 'reactor: --askpass needs a terminal; use --password-file or REACTOR_PASSWORD'],
    [['passwd', 'x', '--clear'], {}, 'reactor: passwd takes a key or --clear, not both'],
  ])('%j', async (argv, env, message) => {
    expect(await typed(argv, { env })).toEqual({ status: 2, stdout: '', stderr: `${message}\n` });
  });

  test.each([
    [['manage'], 'usage: reactor manage ENDPOINT < CONFIG'],
    [['set', 'pyex', 'scaling', 'rules'], 'usage: reactor set ENDPOINT SECTION KEY VALUE'],
    [['get', 'pyex'], 'usage: reactor get ENDPOINT SECTION KEY'],
    [['explain'], 'usage: reactor explain ENDPOINT'],
    [['list', 'extra'], 'usage: reactor list'],
    [['start', 'a', 'b'], 'usage: reactor start ENDPOINT'],
  ])('a missing or surplus argument is answered with the usage: %j', async (argv, usage) => {
    expect(await typed(argv)).toEqual({ status: 2, stdout: '', stderr: `${usage}\n` });
  });

  test.each([['manage'], ['create'], ['update'], ['post']])('%s at a terminal gives a hint instead of waiting', async (verb) => {
    const { status, stderr } = await typed([verb, 'pyex'], { env: { REACTOR_API: daemon.api } });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^reactor: .* standard input: .*reactor .*pyex.*\n$/);
    expect(daemon.requests).toEqual([]);
  });
});

describe('reaching the daemon', () => {
  test('a bare host and port will do', async () => {
    const printed = await typed(['list', '--api', `127.0.0.1:${daemon.port}`]);
    expect(printed).toEqual({ status: 0, stdout: 'apihttp\npyex\n', stderr: '' });
  });

  test('a refused connection is one line that says what to look at, exit status 1', async () => {
    const port = await closedPort();
    const printed = await typed(['list', '--api', `127.0.0.1:${port}`]);
    expect([printed.status, printed.stdout]).toEqual([1, '']);
    // How the reason is worded is the client's business.
    expect(printed.stderr).toMatch(new RegExp(`^reactor: cannot reach http://127\\.0\\.0\\.1:${port}: .*refused.*\\n$`, 'i'));
  });

  test('an impossible address is refused before anything is sent', async () => {
    const { status, stderr } = await typed(['list', '--api', 'http://h:99999']);
    expect(status).toBe(1);
    expect(stderr).toBe(
      "reactor: the API address 'http://h:99999' has the port '99999', which is not between 1 and 65535; expected http://host:port, host:port or host\n",
    );
  });

  test('--debug adds the stack, without it there is one line', async () => {
    const port = await closedPort();
    const { stderr } = await typed(['list', '--debug', '--api', `127.0.0.1:${port}`]);
    expect(stderr).toMatch(/^reactor: cannot reach .*\nReactorError: [\s\S]*caused by /);
  });

  test('a reader that has gone ends the command quietly', async () => {
    const printed = await typed(['list'], { env: { REACTOR_API: daemon.api }, brokenAfter: 0 });
    expect(printed).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});

describe('the auth key', () => {
  const WARNING =
    'reactor: warning: other users can read a password on the command line; use --askpass, --password-file or REACTOR_PASSWORD\n';
  const keysSent = () => daemon.requests.map((request) => request.key);
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reactor-cli-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('on the command line is sent and warned about', async () => {
    const printed = await typed(['list', '--password', 'k1', '--api', daemon.api]);
    expect([printed.status, printed.stderr]).toEqual([0, WARNING]);
    expect(keysSent()).toEqual(['k1']);
  });

  test('in the environment is sent without a word', async () => {
    const printed = await typed(['list'], { env: { REACTOR_API: daemon.api, REACTOR_PASSWORD: 'k2' } });
    expect([printed.status, printed.stderr]).toEqual([0, '']);
    expect(keysSent()).toEqual(['k2']);
  });

  test('is asked for with --askpass, which replaces --password', async () => {
    await typed(['list', '--askpass'], { env: { REACTOR_API: daemon.api, REACTOR_PASSWORD: 'old' }, passwords: ['asked'] });
    expect(keysSent()).toEqual(['asked']);
  });

  test('comes from a file without its line end, and a file beats a variable left over', async () => {
    const path = join(directory, 'key');
    await writeFile(path, 'k3\n', { mode: 0o600 });
    const printed = await typed(['list', '--password-file', path], { env: { REACTOR_API: daemon.api, REACTOR_PASSWORD: 'old' } });
    expect([printed.status, printed.stderr]).toEqual([0, '']);
    expect(keysSent()).toEqual(['k3']);
  });

  test('from an unfit file is refused with path and reason', async () => {
    const cases: readonly (readonly [name: string, text: string, mode: number, reason: string])[] = [
      ['open', 'k', 0o666, 'everybody may write it; chmod 600 it first'],
      ['empty', '\n', 0o600, 'it is empty'],
      ['two', 'a\nb\n', 0o600, 'it has more than one line'],
      ['long', 'x'.repeat(5000), 0o600, 'it is longer than 4096 bytes'],
    ];
    for (const [name, text, mode, reason] of cases) {
      const path = join(directory, name);
      await writeFile(path, text);
      await chmod(path, mode);
      const printed = await typed(['list', '--password-file', path], { env: { REACTOR_API: daemon.api } });
      expect(printed).toEqual({ status: 2, stdout: '', stderr: `reactor: cannot use the password file ${path}: ${reason}\n` });
    }
    for (const [path, reason] of [
      [directory, 'it is a directory'],
      [join(directory, 'none'), 'there is no such file'],
    ]) {
      const { stderr } = await typed(['list', '--password-file', path ?? '']);
      expect(stderr).toBe(`reactor: cannot use the password file ${path}: ${reason}\n`);
    }
    expect(daemon.requests).toEqual([]);
  });

  test('in a file that everybody may read is used with a warning', async () => {
    const path = join(directory, 'readable');
    await writeFile(path, 'k4');
    await chmod(path, 0o644);
    const printed = await typed(['list', '--password-file', path], { env: { REACTOR_API: daemon.api } });
    expect(printed.stderr).toBe(`reactor: warning: everybody may read the password file ${path}; chmod 600 it\n`);
    expect(keysSent()).toEqual(['k4']);
  });
});

/** A port that was free a moment ago. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
