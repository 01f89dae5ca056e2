/**
 * The product as a service: installed, started, restarted under load, stopped and taken away, with the programs and files
 * that a user gets. On a private copy of this machine, with a real Docker engine and a real nginx.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { sweepContainers, until } from '@reactor/testkit';
import { type Outcome, openPrivateMachine, type PrivateMachine } from './private-machine.js';

const INIT = '/etc/init.d/reactor';
const PIDFILE = '/run/reactor/reactord.pid';
const CONFIG = '/etc/reactor/reactor.conf';
const LOG = '/var/log/reactor/reactord.log';
const API = 'http://127.0.0.1:8080';
const SERVICE = 'http://127.0.0.1/';

/** Starting a container takes a second; the machine may be busy with other tests. */
const SERVING_WITHIN_MS = 60_000;
const TEST_LIMIT_MS = 180_000;

const need = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set; run this through scripts/sandbox`);
  return value;
};

let machine: PrivateMachine;
const init = (...args: readonly string[]): Promise<Outcome> => machine.run(INIT, ...args);
const file = async (path: string): Promise<string> => (await machine.run('cat', path)).text;
const write = (path: string, text: string): Promise<string> =>
  succeeds(machine.run('bash', '-c', 'printf %s "$2" >"$1"', 'bash', path, text));
const daemonPid = async (): Promise<number> => Number(await file(PIDFILE));
const containers = (): string =>
  execFileSync('docker', ['-H', `unix://${need('REACTOR_TEST_DOCKER')}`, 'ps', '-q', '--no-trunc'], { encoding: 'utf8' });

async function succeeds(outcome: Promise<Outcome>): Promise<string> {
  const { status, text } = await outcome;
  if (status !== 0) throw new Error(`status ${status}: ${text}`);
  return text;
}

/** What the daemon did and thought, for a failure. */
async function account(): Promise<string> {
  return (
    await machine.run(
      'bash',
      '-c',
      'reactor log pyex; reactor instances pyex; reactor explain pyex; tail -n 20 "$1"',
      'bash',
      LOG,
    )
  ).text;
}

/** Asks until the answer is 200; the last answer is in the failure. */
async function answers(url: string, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const last = await fetch(url).then(
      async (response) => ({ status: response.status, body: await response.text() }),
      (error: Error) => ({ status: 0, body: String(error.cause ?? error) }),
    );
    if (last.status === 200) return;
    if (Date.now() > deadline)
      throw new Error(`${url} did not answer 200 within ${withinMs} ms; last: ${last.status} ${last.body}\n${await account()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

beforeAll(async () => {
  const directory = mkdtempSync(join(need('REACTOR_TEST_DIR'), 'machine-'));
  machine = await openPrivateMachine(directory);
}, TEST_LIMIT_MS);

afterAll(async () => {
  await machine?.close();
  // Uninstalling leaves the service running, as it should.
  await sweepContainers();
}, TEST_LIMIT_MS);

test(
  'below a prefix everything is put, and nothing outside of it',
  async () => {
    const prefix = join(need('REACTOR_TEST_DIR'), 'prefix');
    mkdirSync(prefix);
    await succeeds(machine.run('scripts/install', '--prefix', prefix));
    expect(await machine.changed()).toEqual([]);
    const put = (await machine.run('find', prefix, '!', '-type', 'd', '-not', '-path', '*/versions/*')).text.trim().split('\n');
    expect(put.map((path) => path.slice(prefix.length)).sort()).toEqual([
      '/etc/default/reactor',
      INIT,
      '/etc/logrotate.d/reactor',
      '/etc/reactor/default/apihttp.conf',
      '/etc/reactor/default/apihttps.conf',
      CONFIG,
      '/lib/systemd/system/reactor.service',
      '/usr/bin/reactor',
      '/usr/bin/reactord',
      '/usr/lib/reactor/conffiles',
      '/usr/lib/reactor/current',
      '/usr/share/bash-completion/completions/reactor',
    ]);
    await succeeds(machine.run('scripts/uninstall', '--purge', '--prefix', prefix));
    expect((await machine.run('find', prefix, '!', '-type', 'd')).text).toBe('');
  },
  TEST_LIMIT_MS,
);

test(
  'the installation puts the two programs on the PATH, with an account and completion',
  async () => {
    await succeeds(machine.run('scripts/install'));
    expect(await succeeds(machine.run('reactor', 'version'))).toMatch(/^reactor \d+\.\d+/);
    expect(await succeeds(machine.run('reactord', '--check'))).toContain('valid');
    expect(await file('/etc/passwd')).toMatch(/^reactor:.*\/nologin$/m);
    await succeeds(machine.run('bash', '-c', 'source /usr/share/bash-completion/completions/reactor && complete -p reactor'));
    expect(
      await succeeds(
        machine.run('find', '/etc/reactor', '/usr/lib/reactor', '/usr/bin/reactord', '-perm', '/o+w', '!', '-type', 'l'),
      ),
    ).toBe('');
  },
  TEST_LIMIT_MS,
);

test(
  'the systemd unit is well-formed and leaves nginx and containers alone',
  async () => {
    const { text } = await machine.run('systemd-analyze', 'verify', '/lib/systemd/system/reactor.service');
    expect(text.split('\n').filter((line) => line.includes('reactor'))).toEqual([]);
    expect(await file('/lib/systemd/system/reactor.service')).toMatch(/^KillMode=process$/m);
  },
  TEST_LIMIT_MS,
);

test('the init script refuses what it does not know with 2, and says 3 before the first start', async () => {
  expect((await init()).status).toBe(2);
  expect((await init('begin')).status).toBe(2);
  expect((await init('start', 'now')).status).toBe(2);
  expect((await init('status')).status).toBe(3);
  expect((await init('stop')).status).toBe(0);
  expect((await init('try-restart')).status).toBe(0);
  expect((await init('status')).status).toBe(3);
});

test(
  'a start serves the API, a second start changes nothing',
  async () => {
    expect(await file(CONFIG)).toMatch(/^user = reactor$/m);
    const [defaults] = /^default_endpoints = \/.*$/m.exec(await file(CONFIG))!;
    const place = `[manager]\naddress = ${need('REACTOR_TEST_ADDRESS')}\n${defaults}\n[cloud:docker]\nsocket = ${need('REACTOR_TEST_DOCKER')}\n`;
    await write(CONFIG, `${place}[loadbalancer:nginx]\nuser = reactor\n`);
    await succeeds(init('start'));
    await answers(`${API}/healthz`, SERVING_WITHIN_MS);
    await answers(`${API}/ui/`, SERVING_WITHIN_MS);
    expect((await init('status')).status).toBe(0);
    const pid = await daemonPid();
    expect((await init('start')).status).toBe(0);
    expect(await daemonPid()).toBe(pid);
  },
  TEST_LIMIT_MS,
);

test(
  'the first start publishes the API at ports 80 and 443, to which no way round the key leads; unmanaged it is gone for good',
  async () => {
    const site = `http://${need('REACTOR_TEST_ADDRESS')}/`;
    await answers(site, SERVING_WITHIN_MS);
    expect(await (await fetch(site)).json()).toMatchObject({ version: '1.1' });
    expect(await succeeds(machine.run('curl', '-ksS', site.replace('http', 'https')))).toContain('"version":"1.1"');
    // Nobody has set a key: whoever reaches the API itself is let in, whoever comes through nginx is not, claim what they may.
    expect((await fetch(`${API}/v1.1/endpoints`)).status).toBe(200);
    for (const headers of [
      {},
      { 'X-Real-IP': '', 'X-Forwarded-For': '' },
      { Connection: 'X-Real-IP, X-Forwarded-For' },
      { Host: 'localhost' },
    ]) {
      const words = Object.entries(headers).flatMap(([name, value]) => ['-H', value === '' ? `${name};` : `${name}: ${value}`]);
      const status = ['-ksS', '-o', '/dev/null', '-w', '%{http_code}', ...words];
      for (const url of [site, SERVICE, site.replace('http', 'https')]) {
        expect(await succeeds(machine.run('curl', ...status, `${url}v1.1/endpoints`))).toBe('401');
      }
    }
    await succeeds(machine.run('reactor', 'unmanage', 'apihttp'));
    await succeeds(machine.run('reactor', 'unmanage', 'apihttps'));
    const closed = (url: string): Promise<boolean> =>
      fetch(url).then(
        () => false,
        () => true,
      );
    await until('nothing listens at port 80', SERVING_WITHIN_MS, () => closed(site));
    await succeeds(init('restart'));
    await answers(`${API}/readyz`, SERVING_WITHIN_MS);
    expect(await succeeds(machine.run('reactor', 'list'))).toBe('');
    expect(await closed(site)).toBe(true);
  },
  TEST_LIMIT_MS,
);

test('others than root may look but not touch', async () => {
  const asNobody = (verb: string): Promise<Outcome> =>
    machine.run('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', INIT, verb);
  expect((await asNobody('status')).status).toBe(0);
  expect((await asNobody('stop')).status).toBe(4);
  expect((await init('status')).status).toBe(0);
});

test(
  'a restart under load drops no request and restarts no container',
  async () => {
    const endpoint = `[endpoint]\nurl = http://\ncloud = docker\nloadbalancer = nginx\nport = 5000\n[scaling]\nmin_instances = 1\nmax_instances = 2\n[cloud:docker]\nimage = ${need('REACTOR_TEST_IMAGE')}\n`;
    await write('/etc/reactor/pyex.conf', endpoint);
    await succeeds(
      machine.run('bash', '-c', 'reactor manage pyex </etc/reactor/pyex.conf && reactor start pyex; rm /etc/reactor/pyex.conf'),
    );
    await answers(SERVICE, SERVING_WITHIN_MS);

    const before = { containers: containers(), pid: await daemonPid() };
    const load = { on: true, sent: 0, failures: [] as string[] };
    const client = async (): Promise<void> => {
      while (load.on) {
        load.sent += 1;
        const response = await fetch(SERVICE).catch((error: Error) => error);
        if (response instanceof Error) load.failures.push(String(response.cause ?? response));
        else if (response.status !== 200) load.failures.push(`status ${response.status}`);
        if (!(response instanceof Error)) await response.arrayBuffer();
      }
    };
    const clients = [client(), client(), client(), client()];
    await succeeds(init('restart'));
    await answers(`${API}/healthz`, SERVING_WITHIN_MS);
    load.on = false;
    await Promise.all(clients);

    expect(load.failures).toEqual([]);
    expect(load.sent).toBeGreaterThan(100);
    expect(containers()).toBe(before.containers);
    expect(await daemonPid()).not.toBe(before.pid);
  },
  TEST_LIMIT_MS,
);

test(
  'a mistake in the configuration keeps the running daemon, and says where it is',
  async () => {
    const pid = await daemonPid();
    const good = await file(CONFIG);
    await write(CONFIG, `${good}\n[manager\n`);
    const refused = await init('restart');
    expect(refused.status).toBe(6);
    expect(refused.text).toContain(CONFIG);
    expect((await init('force-reload')).status).toBe(6);
    expect((await machine.run('scripts/install')).status).toBe(1);
    expect(await daemonPid()).toBe(pid);
    expect((await init('status')).status).toBe(0);
    await write(CONFIG, good);
  },
  TEST_LIMIT_MS,
);

test('after the log was rotated the daemon writes to the new one', async () => {
  await succeeds(machine.run('mv', LOG, `${LOG}.1`));
  await succeeds(init('rotate'));
  await succeeds(
    machine.run('bash', '-c', 'for i in $(seq 100); do [ -e "$1" ] && exit 0; sleep 0.1; done; exit 1', 'bash', LOG),
  );
});

test(
  'an update keeps edited configuration, restarts the daemon and leaves the service alone',
  async () => {
    const before = {
      containers: containers(),
      pid: await daemonPid(),
      config: await file(CONFIG),
      current: await file('/usr/lib/reactor/current/package.json'),
    };
    await succeeds(machine.run('scripts/install'));
    expect(await file(CONFIG)).toBe(before.config);
    expect(await daemonPid()).not.toBe(before.pid);
    expect(containers()).toBe(before.containers);
    expect((await machine.run('ls', '/usr/lib/reactor/versions')).text.trim().split('\n')).toHaveLength(1);
    await answers(`${API}/healthz`, SERVING_WITHIN_MS);
    await answers(SERVICE, 1000);
  },
  TEST_LIMIT_MS,
);

test(
  'a killed daemon is told from a stopped one; requests are served all the while',
  async () => {
    process.kill(await daemonPid(), 'SIGKILL');
    await succeeds(
      machine.run(
        'bash',
        '-c',
        'for i in $(seq 50); do "$1" status >/dev/null; [ $? = 1 ] && exit 0; sleep 0.1; done; exit 1',
        'bash',
        INIT,
      ),
    );
    await answers(SERVICE, 1000);
    await succeeds(init('start'));
    expect((await init('status')).status).toBe(0);

    expect(await succeeds(init('stop'))).toContain('go on serving');
    expect((await init('status')).status).toBe(3);
    await answers(SERVICE, 1000);
  },
  TEST_LIMIT_MS,
);

test('a pid file that names another program is not believed', async () => {
  await write(PIDFILE, '1\n');
  expect((await init('status')).status).toBe(1);
  expect((await init('stop')).status).toBe(0);
  expect((await init('status')).status).toBe(3);
});

test('without the program the init script says 5', async () => {
  await machine.run('mv', '/usr/bin/reactord', '/usr/bin/reactord.aside');
  expect((await init('start')).status).toBe(5);
  expect((await init('status')).status).toBe(3);
  await machine.run('mv', '/usr/bin/reactord.aside', '/usr/bin/reactord');
});

test(
  'uninstalling keeps the edited configuration and the service; purging leaves nothing',
  async () => {
    await succeeds(machine.run('scripts/uninstall'));
    await answers(SERVICE, 1000);
    const ours = async (): Promise<readonly string[]> =>
      (await machine.changed()).filter((path) => path.includes('reactor') && !path.startsWith('/var/'));
    expect((await ours()).filter((path) => path !== CONFIG && !path.startsWith('/run/'))).toEqual([]);
    expect(await file(CONFIG)).toContain('socket');

    await succeeds(machine.run('scripts/uninstall', '--purge'));
    const left = await machine.changed();
    // The account databases are written anew, without the account. Docker's and nginx's own files are not ours.
    expect(left.filter((path) => path.includes('reactor'))).toEqual([]);
    expect(await file('/etc/passwd')).not.toContain('reactor:');
  },
  TEST_LIMIT_MS,
);
