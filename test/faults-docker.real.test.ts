import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  dockerEvents,
  exampleEndpoint,
  freeze,
  operationsAtRest,
  operationsDuring,
  type RunningReactor,
  type SteadyLoad,
  sandbox,
  startLoad,
  startReactor,
  until,
} from '@reactor/testkit';

/** Docker failing in every way it can, and people using it by hand, while two endpoints are served. */

const ALPHA = 'http://127.0.0.1/';
const BETA = 'http://127.0.0.1:8001/';
/** Ten of the controller's rounds. */
const REST_MS = 5_000;

interface Row {
  readonly id: string;
  readonly state: string;
  readonly container: string | null;
}

let reactor: RunningReactor;
let decoy: string;

const dockerd = (): number => Number(readFileSync(sandbox().dockerPid, 'utf8'));
const rows = (endpoint: string): Promise<readonly Row[]> => reactor.get(`/v1.1/endpoints/${endpoint}/instances?detail=1`);
const containers = async (filter = 'label=reactor.endpoint'): Promise<readonly string[]> =>
  (await reactor.dockerCli(['ps', '-aq', '--no-trunc', '--filter', 'label=reactor.cluster', '--filter', filter]))
    .split('\n')
    .filter(Boolean)
    .sort();
const hosts = (): Promise<readonly { readonly usedSlots: number; readonly dockerError: string | null }[]> =>
  reactor.get('/v1.1/hosts');
const readyz = async (): Promise<{ readonly ok: boolean; readonly problems: readonly string[] }> =>
  (await fetch(`${reactor.api}/readyz`)).json() as Promise<{ ok: boolean; problems: string[] }>;
const settled = (endpoint: string, count: number): Promise<void> =>
  until(`${endpoint} has ${count} ready instances and no other container`, 30_000, async () => {
    const all = await rows(endpoint);
    const there = await containers(`label=reactor.endpoint=${endpoint}`);
    return all.length === count && there.length === count && all.every((row) => row.state === 'ready');
  });

/** Both endpoints under load, and whoever answered. */
const loads = (): {
  readonly stop: (bearable?: number) => Promise<void>;
  readonly alpha: SteadyLoad;
  readonly beta: SteadyLoad;
} => {
  const alpha = startLoad({ url: ALPHA, perSecond: 20 });
  const beta = startLoad({ url: BETA, perSecond: 20 });
  const stop = async (bearable = 0): Promise<void> => {
    const [a, b] = [await alpha.stop(), await beta.stop()];
    const failures = [...a.failures, ...b.failures];
    if (failures.length > bearable) expect(failures).toEqual([]);
    expect([...a.instances.keys()]).toEqual(['alpha']);
    expect([...b.instances.keys()]).toEqual(['beta']);
  };
  return { stop, alpha, beta };
};

beforeAll(async () => {
  reactor = await startReactor({ interval: 0.5 });
  await reactor.reactor(
    ['manage', 'alpha'],
    exampleEndpoint({ scaling: { min_instances: 2 }, 'cloud:docker': { hostname: 'alpha' } }),
  );
  await reactor.reactor(
    ['manage', 'beta'],
    exampleEndpoint({ endpoint: { url: BETA }, scaling: { min_instances: 2 }, 'cloud:docker': { hostname: 'beta' } }),
  );
  await reactor.reactor(['start', 'alpha']);
  await reactor.reactor(['start', 'beta']);
  await until('both are served', 20_000, async () => (await fetch(ALPHA)).ok && (await fetch(BETA)).ok);
  // Looks like one of ours to whoever looks at names and environment only.
  const options = [
    '--name',
    'reactor-alpha-decoy',
    '--label',
    'reactor.endpoint=alpha',
    '--label',
    'reactor.instance=decoy',
    '-e',
    'REACTOR_ENDPOINT=alpha',
  ];
  decoy = (await reactor.dockerCli(['run', '-d', ...options, sandbox().image])).trim();
}, 60_000);
afterAll(async () => {
  await reactor.dockerCli(['rm', '-f', decoy]);
  await reactor.stop();
}, 60_000);

const atRest = async (): Promise<void> => {
  await settled('alpha', 2);
  await settled('beta', 2);
  expect(await operationsAtRest(reactor, { ms: REST_MS })).toEqual([]);
  expect((await reactor.dockerCli(['inspect', '--format', '{{.State.Status}} {{.RestartCount}} {{.Name}}', decoy])).trim()).toBe(
    'running 0 /reactor-alpha-decoy',
  );
};

/** Kills dockerd and starts it again, as its supervisor would. */
async function restartDockerd(changed: (words: readonly string[]) => readonly string[] = (words) => words): Promise<void> {
  const pid = dockerd();
  const [program, ...words] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
  process.kill(pid, 'SIGKILL');
  await until('dockerd is dead', 5_000, () => !isDockerd(pid));
  // Its containerd ended with it. Where nobody reaps orphans the pid would still look alive, and be waited for in vain.
  rmSync(join(words[words.indexOf('--exec-root') + 1]!, 'containerd/containerd.pid'), { force: true });
  spawn(program!, changed(words), { detached: true, stdio: 'ignore' }).unref();
  await until('dockerd answers', 30_000, async () => (await reactor.dockerCli(['version'])) !== '');
}

function isDockerd(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('dockerd');
  } catch {
    return false;
  }
}

describe('nothing is wrong', () => {
  test('two endpoints are served, each by its own containers, and at rest nothing is done', async () => {
    await settled('alpha', 2);
    await settled('beta', 2);
    const load = loads();
    await until('both answer', 10_000, () => load.alpha.result().ok > 10 && load.beta.result().ok > 10);
    await load.stop();
    await atRest();
  }, 60_000);

  test('kill -9 and start of the daemon make no Docker write, no file write and no reload', async () => {
    await settled('alpha', 2);
    const meanwhile = async (): Promise<void> => {
      await reactor.kill('SIGKILL');
      await reactor.start();
    };
    expect(await operationsDuring(reactor, { ms: REST_MS, meanwhile })).toEqual([]);
    await atRest();
  }, 60_000);
});

describe('people use Docker by hand', () => {
  const acts: readonly [verb: string, becomes: string, words: (id: string) => readonly string[]][] = [
    ['stop', 'replaced', (id) => ['stop', '-t', '1', id]],
    ['kill', 'replaced', (id) => ['kill', id]],
    ['rm -f', 'replaced', (id) => ['rm', '-f', id]],
    ['restart', 'kept', (id) => ['restart', '-t', '1', id]],
    ['rename', 'kept', (id) => ['rename', id, 'renamed-by-hand']],
  ];
  test.each(acts)(
    'docker %s: the container is %s, the endpoint is at its count again and no request fails',
    async (_verb, becomes, words) => {
      await settled('alpha', 2);
      const load = loads();
      const [id] = await containers('label=reactor.endpoint=alpha');
      await reactor.dockerCli(words(id!));
      if (becomes === 'replaced') await until('its container is gone', 20_000, async () => !(await containers()).includes(id!));
      await settled('alpha', 2);
      await load.stop();
      expect((await containers()).includes(id!)).toBe(becomes === 'kept');
    },
    60_000,
  );

  test('docker pause: the instance counts as failed and is replaced; unpaused meanwhile, it harms nobody', async () => {
    await settled('alpha', 2);
    const [id] = await containers('label=reactor.endpoint=alpha');
    const beta = startLoad({ url: BETA, perSecond: 20 });
    await reactor.dockerCli(['pause', id!]);
    await until(
      'it is not served any more',
      5_000,
      async () =>
        !(await reactor.get<{ active: string[] }>('/v1.1/endpoints/alpha/state')).active.includes(id!) &&
        (await rows('alpha')).some((row) => row.state !== 'ready'),
    );
    await until('it is replaced', 20_000, async () => (await rows('alpha')).filter((row) => row.state === 'ready').length === 2);
    await settled('alpha', 2);
    const [other] = await containers('label=reactor.endpoint=alpha');
    await reactor.dockerCli(['pause', other!]);
    await reactor.dockerCli(['unpause', other!]);
    await settled('alpha', 2);
    expect((await beta.stop()).failures).toEqual([]);
    await atRest();
  }, 90_000);
});

describe('dockerd hangs', () => {
  test('traffic flows, readiness says why, the host is not lost, nothing is restarted', async () => {
    await settled('alpha', 2);
    await settled('beta', 2);
    const before = await containers();
    const load = loads();
    const pid = dockerd();
    await freeze(pid);
    try {
      await until('readiness names Docker', 25_000, async () =>
        (await readyz()).problems.some((problem) => /Docker/.test(problem)),
      );
      const frozenMs = Date.now();
      await until('it has hung for longer than a lease', 40_000, async () => {
        expect((await hosts()).length).toBe(1);
        return Date.now() - frozenMs > 20_000;
      });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await until('readiness is back', 15_000, async () => (await readyz()).ok);
    await until('instances may be placed here again', 15_000, async () => (await hosts())[0]!.dockerError === null);
    await load.stop();
    expect(await containers()).toEqual(before);
    await atRest();
  }, 100_000);
});

describe('dockerd is killed', () => {
  test('with live-restore nothing changes for clients, nor for containers', async () => {
    await settled('alpha', 2);
    await settled('beta', 2);
    const before = await containers();
    const load = loads();
    await restartDockerd();
    await until('readiness is back', 15_000, async () => (await readyz()).ok);
    await until('instances may be placed here again', 15_000, async () => (await hosts())[0]!.dockerError === null);
    // Docker forwards to a published port by rules that it deletes and makes anew when it starts: on a busy machine a
    // request or two, of 40 a second, fall between.
    await load.stop(40);
    expect(await containers()).toEqual(before);
    await atRest();
  }, 60_000);

  test('without it all containers end: they are replaced, and nobody is ever sent to another endpoint', async () => {
    const before = await containers();
    await restartDockerd((words) => words.filter((word) => word !== '--live-restore'));
    const alpha = startLoad({ url: ALPHA, perSecond: 50 });
    const beta = startLoad({ url: BETA, perSecond: 50 });
    // Now they are its own children and end with it.
    await restartDockerd();
    await until('all are new', 30_000, async () => !(await containers()).some((id) => before.includes(id)));
    await reactor.dockerCli(['start', decoy]);
    await until('instances may be placed here again', 15_000, async () => (await hosts())[0]!.dockerError === null);
    await settled('alpha', 2);
    await settled('beta', 2);
    const answered = (): readonly number[] => [alpha.result().ok, beta.result().ok];
    const [a, b] = answered();
    await until('both are served', 10_000, () => answered()[0]! > a! && answered()[1]! > b!);
    const results = [await alpha.stop(), await beta.stop()];
    expect(results.map(({ instances }) => [...instances.keys()].filter(Boolean))).toEqual([['alpha'], ['beta']]);
    await atRest();
  }, 100_000);
});

describe('containers that fail', () => {
  const NODE = '/usr/local/bin/node -e';
  const FLAPPING = "require('http').createServer((q,s)=>{s.writeHead(Date.now()%%6000<3000?200:500);s.end()}).listen(5000)";
  const broken: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string | number>>>>>> = {
    exits: { 'cloud:docker': { command: `${NODE} "process.exit(3)"` } },
    slow: { endpoint: { unregistered_timeout: 2 }, 'cloud:docker': { environment: 'BOOT_MS=1000000' } },
    deaf: { endpoint: { unregistered_timeout: 2, port: 5999 } },
    greedy: { 'cloud:docker': { mem_limit: '64MB', command: `${NODE} "const a=[];for(;;)a.push(Buffer.alloc(1e6,1))"` } },
    flaps: {
      endpoint: { health_check: '/', health_interval: 0.3, error_marks: 1 },
      'cloud:docker': { command: `${NODE} "${FLAPPING}"` },
    },
    imageless: { 'cloud:docker': { image: 'no.such.registry.invalid/image:1' } },
  };
  const names = Object.keys(broken);

  test('each says why, starts no more often than its back-off allows, and costs the others nothing', async () => {
    await settled('alpha', 2);
    const calm = startLoad({ url: ALPHA, perSecond: 50 });
    await until('there is something to compare with', 10_000, () => calm.result().ok >= 150);
    const usual = (await calm.stop()).latencyMs(0.9);

    const load = loads();
    const sinceMs = Date.now();
    for (const [index, name] of names.entries()) {
      const url = `http://127.0.0.1:${8011 + index}/`;
      const { endpoint, ...others } = broken[name]!;
      const text = exampleEndpoint({ ...others, endpoint: { url, ...endpoint }, scaling: { max_instances: 1 } });
      await reactor.reactor(['manage', name], text);
      await reactor.reactor(['start', name]);
    }
    for (const name of names.filter((each) => each !== 'flaps')) {
      const failed = async (): Promise<number> => ((await reactor.reactor(['log', name])).match(/in place of/g) ?? []).length;
      await until(`${name} has been tried again`, 40_000, async () => (await failed()) >= 1);
    }
    const words: Readonly<Record<string, RegExp>> = {
      exits: /exit code 3/,
      slow: /not ready within 2 s/,
      deaf: /not ready within 2 s: .*5999|not ready within 2 s: no connection/,
      greedy: /mem_limit/,
      flaps: /answered 500/,
      imageless: /no\.such\.registry\.invalid\/image:1/,
    };
    for (const name of names) {
      await until(`${name} says why`, 15_000, async () => {
        const log = await reactor.reactor(['log', name]);
        if (!words[name]!.test(log)) throw new Error(log.slice(-1_000));
        return true;
      });
    }
    const elapsedS = (Date.now() - sinceMs) / 1000;
    const created = (await dockerEvents(reactor, sinceMs, Date.now())).filter((event) => event.startsWith('create'));
    // Waits of 1, 2, 4, 8, ... s, each up to a quarter shorter.
    const allowed = 2 + Math.ceil(Math.log2(elapsedS / 0.75 + 1));
    for (const name of names) {
      // Instances, not containers: a start that a busy Docker did not answer in time is made again under the same name.
      const starts = created.filter((event) => event.includes(`reactor-${name}-`));
      const instances = new Set(starts.map((event) => event.split(' ')[1]));
      if (instances.size > allowed) throw new Error(`${name} was started more than ${allowed} times: ${starts.join(', ')}`);
      // One of its max_instances, and one on its way out.
      expect((await containers(`label=reactor.endpoint=${name}`)).length).toBeLessThanOrEqual(2);
    }
    expect(load.alpha.result().latencyMs(0.9)).toBeLessThan(usual * 4 + 250);
    await load.stop();
    console.log(
      JSON.stringify({
        elapsedS,
        allowed,
        usual,
        created: names.map((name) => [name, created.filter((event) => event.includes(`reactor-${name}-`)).length]),
      }),
    );

    for (const name of names) await reactor.reactor(['unmanage', name]);
    await until('they are gone and hold no slot', 40_000, async () => {
      return (await hosts())[0]!.usedSlots === 40;
    });
    await atRest();
  }, 180_000);
});
