import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningReactor, sandbox, startReactor, until } from '@reactor/testkit';
import { TELEMETRY } from '../packages/core/src/telemetry.js';
import { filesBelow, ROOT } from './source-tree.js';

/** What is shipped for Prometheus and Grafana, on a real daemon that a real Prometheus asks. */

const KEY = 'for-prometheus';
const PORT = 9_090;
const STARTED_MS = 30_000;
const SCRAPED_MS = 30_000;
/** Every Prometheus gives these to what it scrapes; `le` is of histograms. */
const GIVEN_LABELS = ['job', 'instance', 'le'];

/** Nobody reports `queue`, so its rule has no data. */
const configuration = (): string => `[endpoint]
url=http://
cloud=docker
loadbalancer=nginx
port=5000
[scaling]
max_instances=2
rules=queue < 10
[cloud:docker]
image=${sandbox().image}
command=/usr/local/bin/runapp
`;

interface Rule {
  readonly name: string;
  readonly query: string;
  readonly state: string;
  readonly health: string;
  readonly alerts: readonly { readonly labels: Readonly<Record<string, string>> }[];
}

let reactor: RunningReactor;
let directory: string;
let prometheus: ChildProcess;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'reactor-prometheus-'));
  cpSync(join(ROOT, 'configs/prometheus'), directory, { recursive: true });
  cpSync(join(ROOT, 'test/prometheus'), directory, { recursive: true });
  writeFileSync(join(directory, 'reactor.key'), KEY);
  reactor = await startReactor();
  await reactor.reactor(['unmanage', 'apihttp']);
  await reactor.reactor(['manage', 'pyex'], configuration());
  await reactor.reactor(['start', 'pyex']);
  await until('the service answers', STARTED_MS, async () => (await fetch('http://127.0.0.1/')).ok);
  await reactor.reactor(['passwd', KEY]);
  prometheus = startPrometheus();
}, 90_000);
afterAll(async () => {
  if (prometheus !== undefined && prometheus.exitCode === null) {
    const ended = once(prometheus, 'exit');
    prometheus.kill('SIGKILL');
    await ended;
  }
  await reactor?.stop();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

/** As shipped, but that it asks this daemon, and more often. */
function startPrometheus(): ChildProcess {
  const shipped = readFileSync(join(directory, 'prometheus.yml'), 'utf8');
  const target = `          - ${new URL(reactor.api).host}\n`;
  const file = join(directory, 'here.yml');
  writeFileSync(file, shipped.replace(/(?: {10}- \S+\n)+/, target).replaceAll('15s', '1s'));
  const words = [`--config.file=${file}`, `--storage.tsdb.path=${directory}/data`, `--web.listen-address=127.0.0.1:${PORT}`];
  return spawn('prometheus', [...words, '--log.level=error'], { stdio: ['ignore', 'ignore', 'inherit'] });
}

function promtool(words: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync('promtool', words, { cwd: directory, input, encoding: 'utf8' });
  return { status, complaints: status === 0 ? stderr : stdout + stderr };
}

async function ask<T>(path: string, query: Readonly<Record<string, string>> = {}): Promise<T> {
  const answer = await fetch(`http://127.0.0.1:${PORT}/api/v1/${path}?${new URLSearchParams(query)}`);
  const { status, data, error } = (await answer.json()) as { status: string; data: T; error?: string };
  if (status !== 'success') throw new Error(`${path} ${JSON.stringify(query)}: ${error}`);
  return data;
}

async function value(query: string): Promise<string | undefined> {
  const { result } = await ask<{ readonly result: readonly { readonly value: readonly [number, string] }[] }>('query', { query });
  return result[0]?.value[1];
}

async function rules(): Promise<readonly Rule[]> {
  const { groups } = await ask<{ readonly groups: readonly { readonly rules: readonly Rule[] }[] }>('rules');
  return groups.flatMap((group) => group.rules);
}

/** Everything the dashboards ask, with their variables filled in. */
function dashboardQueries(): readonly string[] {
  return filesBelow('configs/grafana')
    .flatMap((file) => {
      const { panels } = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as {
        readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
      };
      return panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    })
    .map((expr) => expr.replaceAll('$job', 'reactor').replaceAll('$endpoint', '.*').replaceAll('$__rate_interval', '1m'));
}

/** The labels that our metrics do not have, of those a query selects or groups by. */
function unknownLabels(query: string): readonly string[] {
  const metrics = [...query.matchAll(/reactor_[a-z_]+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''));
  const known = new Set<string>(GIVEN_LABELS);
  for (const name of metrics) for (const label of TELEMETRY[name as keyof typeof TELEMETRY]?.labels ?? []) known.add(label);
  const selected = [...query.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label = '']) => label);
  const grouped = [...query.matchAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, list = '']) =>
    list.split(/\s*,\s*/),
  );
  return [...selected, ...grouped].filter((label) => !known.has(label));
}

test.each([
  ['the configuration', ['check', 'config', 'prometheus.yml']],
  ['the rules', ['check', 'rules', 'reactor-rules.yml']],
  ['what the rules do', ['test', 'rules', 'reactor-rules.test.yml']],
])('promtool finds nothing wrong with %s', (_, words) => {
  expect(promtool(words)).toEqual({ status: 0, complaints: '' });
});

test('every alert has a test of its own, and is explained', () => {
  const alerts = (file: string, key: RegExp): readonly string[] =>
    [...new Set([...readFileSync(join(directory, file), 'utf8').matchAll(key)].map(([, name = '']) => name))].sort();
  const shipped = alerts('reactor-rules.yml', /alert: (\w+)/g);
  expect(alerts('reactor-rules.test.yml', /alertname: (\w+)/g)).toEqual(shipped);
  expect(alerts('README.md', /^\| `(\w+)`/gm).filter((name) => !name.startsWith('reactor_'))).toEqual(shipped);
});

test('promtool has nothing to say about the names of the metrics', async () => {
  const metrics = await (await fetch(`${reactor.api}/metrics`, { headers: { 'x-auth-key': KEY } })).text();
  expect(metrics).toContain('reactor_limited{endpoint="pyex",by="no_data"} 1');
  expect(promtool(['check', 'metrics'], metrics)).toEqual({ status: 0, complaints: '' });
});

test('Prometheus reaches the daemon with the key, and its rules see what goes on there', async () => {
  await until('the daemon was asked', SCRAPED_MS, async () => (await value('up{job="reactor"}')) === '1');
  await until('an alert is about to be', SCRAPED_MS, async () => (await rules()).some(({ state }) => state === 'pending'));
  const found = await rules();
  expect(found.filter(({ health }) => health !== 'ok')).toEqual([]);
  const raised = found.flatMap(({ name, alerts }) => alerts.map(({ labels }) => [name, labels['endpoint']]));
  expect(raised).toEqual([['ReactorNoMetrics', 'pyex']]);
  expect(await value('max(reactor_hosts{state="ready"})')).toBe('1');
}, 90_000);

test('dashboards and rules ask for metrics and labels that the daemon has, in words that Prometheus takes', async () => {
  await until('the daemon was asked', SCRAPED_MS, async () => (await value('reactor_leader')) === '1');
  const queries = [...dashboardQueries(), ...(await rules()).map(({ query }) => query)];
  const told = new Set(Object.keys(await ask<Readonly<Record<string, unknown>>>('metadata')));
  const asked = queries.flatMap((query) => [...query.matchAll(/reactor_[a-z_]+/g)].map(([name]) => name));
  expect(asked.length).toBeGreaterThan(Object.keys(TELEMETRY).length);
  expect([...new Set(asked)].filter((name) => !told.has(name.replace(/_(bucket|sum|count)$/, '')))).toEqual([]);
  expect(queries.flatMap((query) => unknownLabels(query).map((label) => `${label} in ${query}`))).toEqual([]);
  for (const query of queries) await ask('query', { query });
  expect(
    Number(await value('histogram_quantile(0.95, sum by (le) (reactor_start_seconds_bucket{endpoint="pyex"}))')),
  ).toBeGreaterThan(0);
}, 90_000);
