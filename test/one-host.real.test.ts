import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HistoryAnswer } from '@reactor/client';
import { decideAgain, type KeptDecision, readRecording } from '@reactor/core';
import { type RunningReactor, sandbox, startLoad, startReactor, until } from '@reactor/testkit';

/** The main job, end to end, on real Docker and real nginx, through the real commands. */

const SERVICE = 'http://127.0.0.1/';

const configuration = (extra = ''): string => `[endpoint]
url=http://
cloud=docker
loadbalancer=nginx
port=5000
decommissioned_timeout=3
[scaling]
min_instances=1
max_instances=5
window=4
scale_down_delay=2
[cloud:docker]
image=${sandbox().image}
command=/usr/local/bin/runapp
${extra}`;

interface State {
  readonly state: string;
  readonly active: readonly string[];
  readonly shadow: { readonly target: number } | null;
  readonly instances: Readonly<Record<string, number>>;
}

let reactor: RunningReactor;

beforeAll(async () => {
  reactor = await startReactor();
}, 30_000);
afterAll(() => reactor.stop(), 60_000);

const state = (endpoint = 'pyex'): Promise<State> => reactor.get(`/v1.1/endpoints/${endpoint}/state`);
const ready = async (endpoint = 'pyex'): Promise<number> => (await state(endpoint)).instances['ready'] ?? 0;
const total = async (endpoint = 'pyex'): Promise<number> =>
  Object.values((await state(endpoint)).instances).reduce((a, b) => a + b, 0);
const answers = async (url = SERVICE): Promise<boolean> => (await fetch(url)).ok;

describe('the walk-through', () => {
  test('deploys with manage and start', async () => {
    await reactor.reactor(['unmanage', 'apihttp']);
    await reactor.reactor(['manage', 'pyex'], configuration());
    expect(await reactor.get('/v1.1/endpoints/pyex/state')).toMatchObject({ state: 'PAUSED' });
    await reactor.reactor(['start', 'pyex']);
    await until('the service answers', 20_000, () => answers());
    expect(JSON.parse(await reactor.reactor(['get-metrics', 'pyex']))).toMatchObject({ active: expect.any(Number) });
  }, 40_000);

  test('scales to five under load, drains, takes back, returns to one, and no request fails', async () => {
    await reactor.reactor(['set', 'pyex', 'scaling', 'rules', '0 < rate < 1']);
    const first = startLoad({ url: SERVICE, perSecond: 25 });
    await until('five instances are ready', 30_000, async () => (await ready()) === 5);
    await until('all five answer', 15_000, () => first.result().instances.size === 5);
    const metrics = JSON.parse(await reactor.reactor(['get-metrics', 'pyex']));
    expect(metrics.rate).toBeGreaterThan(2);
    expect(metrics.rate).toBeLessThan(8);
    expect((await first.stop()).failures).toEqual([]);

    await until('instances drain', 20_000, async () => ((await state()).instances['draining'] ?? 0) > 0);
    const again = startLoad({ url: SERVICE, perSecond: 25 });
    await until('five are ready again', 20_000, async () => (await ready()) === 5);
    expect((await again.stop()).failures).toEqual([]);
    const log = await reactor.reactor(['log', 'pyex']);
    expect(log).toContain('back into service');

    await until('one instance is left', 40_000, async () => (await total()) === 1);
    const containers = await reactor.dockerCli(['ps', '-q', '--filter', 'label=reactor.endpoint=pyex']);
    expect(containers.trim().split('\n')).toHaveLength(1);
  }, 150_000);

  test('explains the last decision in words', async () => {
    const text = await reactor.reactor(['explain', 'pyex']);
    expect(text).toMatch(/0 < rate < 1/);
    expect(text).toMatch(/1 instance wanted/);
  });

  test('keeps what it measured and decided, and deciding it again gives every live decision', async () => {
    const lines = await (await fetch(`${reactor.api}/v1.1/endpoints/pyex/recording`)).text();
    const again = lines
      .trim()
      .split('\n')
      .flatMap((line) => [...decideAgain(readRecording(line)!)]);
    expect(again.filter(([round, record]) => record.target !== round.target)).toEqual([]);
    const recorded = new Map(again.map(([{ atMs, instances, target }]) => [atMs, `${instances} => ${target}`]));
    const rows = await reactor.get<[number, string, string, number, string][]>('/v1.1/endpoints/pyex/log');
    const live = rows
      .filter(([, , , , event]) => event === 'SCALE_UPDATE')
      .map(([s, , text]) => [Math.round(s * 1000), text.split(':')[0]] as const);
    expect(live.length).toBeGreaterThanOrEqual(3);
    expect(live.map(([atMs]) => [atMs, recorded.get(atMs)])).toEqual(live);

    const answer = JSON.parse(await reactor.reactor(['simulate', '--recorded', 'pyex', '--since', '10m', '--json']));
    expect(answer.replay).toEqual({ rounds: expect.any(Number), divergent: 0 });
    expect(answer.runs[0].summary.peak).toBe(5);

    writeFileSync(join(reactor.directory, 'web.conf'), '[scaling]\nmax_instances = 5\nrules = 0 < rate < 1, p99 < 10s\n');
    const words = [
      'simulate',
      join(reactor.directory, 'web.conf'),
      '--log',
      join(reactor.data, 'nginx/logs/access.log'),
      '--json',
    ];
    const fromLog = JSON.parse(await reactor.reactor(words));
    expect(fromLog.remarks).toEqual([expect.stringMatching(/^\d+ requests$/)]);
    expect(fromLog.runs[0].summary).toMatchObject({ peak: 5, unknownSeconds: 0 });

    const { points } = await reactor.get<HistoryAnswer>('/v1.1/endpoints/pyex/history?points=3600');
    expect(Math.max(...points.map(({ instances }) => instances))).toBe(5);
    expect(Math.max(...points.map(({ metrics }) => metrics['rate'] ?? 0))).toBeGreaterThan(2);
  });

  test('explains earlier ones from what was kept of them: deciding again gives what the daemon decided', async () => {
    const { decisions } = await reactor.get<{ decisions: readonly KeptDecision[] }>('/v1.1/endpoints/pyex/decisions');
    expect(decisions.length).toBeGreaterThan(2);
    expect(decisions.filter(({ reproduced }) => reproduced !== true)).toEqual([]);
    const up = decisions.find(({ instances, target }) => target > instances)!;
    expect(await reactor.reactor(['explain', 'pyex', '--at', String(up.atMs / 1000)])).toContain(`pyex: ${up.sentence}\n`);
    expect(await reactor.reactor(['explain', 'pyex', '--history'])).toContain(up.sentence);
  });
});

describe('a candidate for the rules', () => {
  test('is decided beside them, shown everywhere, and nothing of it is done', async () => {
    await reactor.reactor(['set', 'pyex', 'scaling', 'shadow_rules', '4 < instances']);
    await until('it wants five', 10_000, async () => (await state()).shadow?.target === 5);
    expect(await reactor.reactor(['explain', 'pyex'])).toContain('shadow: 5 (rules 4 < instances)');
    expect(await (await fetch(`${reactor.api}/metrics`)).text()).toMatch(
      /^reactor_endpoint_shadow_target\{endpoint="pyex"\} 5$/m,
    );
    expect(await reactor.reactor(['log', 'pyex'])).toContain('shadow_rules want 5, the rules want 1: ');
    const { points } = await reactor.get<HistoryAnswer>('/v1.1/endpoints/pyex/history?points=3600');
    expect(points.at(-1)).toMatchObject({ target: 1, shadowTarget: 5 });
    expect(await total()).toBe(1);
    await reactor.reactor(['set', 'pyex', 'scaling', 'shadow_rules', '']);
    await until('there is none any more', 10_000, async () => (await state()).shadow === null);
  }, 40_000);
});

describe('restarts of the daemon', () => {
  test('kill -9 under load changes nothing for clients, and starting again changes nothing at all', async () => {
    const containers = (): Promise<string> =>
      reactor.dockerCli(['ps', '-aq', '--no-trunc', '--filter', 'label=reactor.endpoint=pyex']);
    const before = await containers();
    const { address } = (await reactor.get<{ address: string }[]>('/v1.1/endpoints/pyex/instances?detail=1'))[0]!;
    const load = startLoad({ url: SERVICE, perSecond: 0.5 * 1 });
    await reactor.kill('SIGKILL');
    await until('the data path answers without the daemon', 5_000, () => answers());
    await reactor.start();
    await until('the instance is adopted', 10_000, async () => (await ready()) === 1);
    expect((await load.stop()).failures).toEqual([]);
    expect(await containers()).toBe(before);
    expect((await state()).active).toEqual([address]);
    expect(reactor.log()).not.toMatch(/reload.*after restart/);
  }, 60_000);
});

describe('what people do to containers by hand', () => {
  test.each([['kill'], ['stop'], ['rm -f']])(
    'docker %s: the instance is replaced',
    async (verb) => {
      const [victim] = await reactor.get<{ id: string }[]>('/v1.1/endpoints/pyex/instances?detail=1');
      const [id] = (await reactor.dockerCli(['ps', '-q', '--filter', `label=reactor.instance=${victim!.id}`])).trim().split('\n');
      await reactor.dockerCli([...verb.split(' '), id!]);
      await until('another one is ready', 30_000, async () => {
        const rows = await reactor.get<{ id: string; state: string }[]>('/v1.1/endpoints/pyex/instances?detail=1');
        return rows.length === 1 && rows[0]!.state === 'ready' && rows[0]!.id !== victim!.id;
      });
      await until('it answers', 10_000, () => answers());
    },
    90_000,
  );
});

describe('removal', () => {
  test('unmanage ends the instances and frees the address', async () => {
    await reactor.reactor(['unmanage', 'pyex']);
    await until(
      'no container is left',
      30_000,
      async () => (await reactor.dockerCli(['ps', '-aq', '--filter', 'label=reactor.endpoint=pyex'])).trim() === '',
    );
    await until('nothing listens any more', 10_000, async () =>
      fetch(SERVICE).then(
        () => false,
        () => true,
      ),
    );
  }, 60_000);
});
