/**
 * Each key of 2013 has the effect that the table of what became of it (packages/api/README.md) promises: seen in what Docker
 * and the load balancers are told, in what is decided over time, or by the test that is named. Long, but one thing: a row per key.
 */
import { NO_PLACES, resolveDaemon } from '@reactor/config';
import type { EndpointConfig } from '@reactor/core';
import { configOf, isGiven, outcomeOf, PAIR, worldOf } from './endpoint-outcome.js';
import { has, tableIn, textOf } from './source-tree.js';

const HTTPS = '[endpoint]\nurl=https://\n';
const HAPROXY = '[endpoint]\nloadbalancer=haproxy\n';
const TCP = '[endpoint]\nurl=tcp://5000\nloadbalancer=tcp\n';
const NOBODY = '[endpoint]\ncloud=\n';
const indented = (pem: string): string => pem.trim().replaceAll('\n', '\n  ');
const given = ({ certificate, key }: typeof PAIR, of: string): string =>
  `[loadbalancer:${of}]\nssl=true\nssl_certificate=${indented(certificate)}\nssl_key=${indented(key)}\n`;
const body = (pem: string): string => pem.split('\n')[1]!;

/** What is told with the key and not without it, or the other way round. */
interface Told {
  readonly key: string;
  readonly value: string;
  /** What is there in either case. */
  readonly beside?: string;
  readonly told?: string | RegExp;
  readonly untold?: string | RegExp;
}

const TOLD: readonly Told[] = [
  {
    key: 'endpoint.url',
    value: 'http://shop.example:8080/api/',
    told: /listen 8080;[\s\S]*server_name shop\.example;[\s\S]*location \/api\//,
  },
  { key: 'endpoint.port', value: '81', told: '"PortBindings":{"81/tcp"' },
  { key: 'endpoint.cloud', value: '', untold: '"Image":"pyex:latest"' },
  { key: 'endpoint.loadbalancer', value: 'haproxy', told: 'backend r', untold: 'upstream' },
  { key: 'endpoint.weight', value: '7', told: 'weight=7' },
  { key: 'endpoint.static_instances', value: '10.1.2.3:81', told: 'server 10.1.2.3:81' },
  { key: 'endpoint.redirect', value: 'http://sorry.example/', beside: NOBODY, told: /return 30\d "http:\/\/sorry\.example\// },
  { key: 'endpoint.error_marks', value: '3', told: '"errorMarks":3' },
  { key: 'endpoint.unregistered_timeout', value: '7', told: '"startTimeoutMs":7000' },
  { key: 'scaling.min_instances', value: '3', told: '"id":"i0003"' },
  { key: 'cloud:docker.slots', value: '7', told: '_REACTOR_SCHEDULER_SLOTS=7' },
  { key: 'cloud:docker.image', value: 'other:1', told: '"Image":"other:1"' },
  { key: 'cloud:docker.command', value: '/run app "a b"', told: '"Cmd":["/run","app","a b"]' },
  { key: 'cloud:docker.user', value: 'www', told: '"User":"www"' },
  { key: 'cloud:docker.environment', value: 'A=1, B=two', told: /"Env":\["A=1","B=two"/ },
  { key: 'cloud:docker.mem_limit', value: '64MB', told: '"Memory":67108864' },
  { key: 'cloud:docker.dns', value: '10.0.0.53', told: '"Dns":["10.0.0.53"]' },
  { key: 'cloud:docker.hostname', value: 'box', told: '"Hostname":"box"' },
  { key: 'loadbalancer:nginx.sticky_sessions', value: 'true', told: 'hash $reactor_key_' },
  { key: 'loadbalancer:nginx.keepalive', value: '7', told: 'keepalive 7;' },
  { key: 'loadbalancer:nginx.ssl', value: 'true', beside: HTTPS, told: 'listen 443 ssl' },
  {
    key: 'loadbalancer:nginx.redirect',
    value: 'http://sorry.example/',
    beside: NOBODY,
    told: /return 30\d "http:\/\/sorry\.example\//,
  },
  { key: 'loadbalancer:haproxy.balance', value: 'leastconn', beside: HAPROXY, told: 'balance leastconn' },
  { key: 'loadbalancer:haproxy.sticky', value: 'false', beside: HAPROXY, untold: 'cookie REACTOR' },
  {
    key: 'loadbalancer:haproxy.check_url',
    value: '/health',
    beside: HAPROXY,
    told: /option httpchk[\s\S]*uri \/health[\s\S]*"path":"\/health"/,
  },
  { key: 'loadbalancer:haproxy.errorloc', value: '/sorry/CODE', beside: HAPROXY, told: 'errorloc302 503 /sorry/503' },
  { key: 'loadbalancer:haproxy.contimeout', value: '1500', beside: HAPROXY, told: 'timeout connect 1500ms' },
  { key: 'loadbalancer:haproxy.srvtimeout', value: '7000', beside: HAPROXY, told: 'timeout server 7000ms' },
  { key: 'loadbalancer:tcp.exclusive', value: 'false', beside: TCP, told: '"exclusive":false' },
  { key: 'loadbalancer:tcp.disposable', value: 'true', beside: TCP, told: '"disposable":true' },
  { key: 'loadbalancer:tcp.dispose_min', value: '7', beside: TCP, told: '"disposeMinMs":7000' },
  { key: 'loadbalancer:tcp.reconnect', value: '7', beside: TCP, told: '"reconnectMs":7000' },
  { key: 'loadbalancer:tcp.client_subnets', value: '10.0.0.0/8', beside: TCP, told: '"clientSubnets":["10.0.0.0/8"]' },
];

const split = (key: string): readonly [section: string, key: string] => {
  const dot = key.indexOf('.');
  return [key.slice(0, dot), key.slice(dot + 1)];
};
const lineOf = (key: string, value: string): string => `[${split(key)[0]}]\n${split(key)[1]}=${value}\n`;
const says = (text: string, what: string | RegExp): boolean => (typeof what === 'string' ? text.includes(what) : what.test(text));

test.each(TOLD)('$key = $value is told to whom it concerns', async ({ key, value, beside = '', told, untold }) => {
  const lines = beside + lineOf(key, value);
  expect(isGiven(lines, ...split(key))).toBe(true);
  // With https a plain endpoint would be refused, so there the usual one is on http.
  const [usual, changed] = [await outcomeOf(beside === HTTPS ? '' : beside), await outcomeOf(lines)];
  if (told !== undefined) expect([says(usual, told), says(changed, told)]).toEqual([false, true]);
  if (untold !== undefined) expect([says(usual, untold), says(changed, untold)]).toEqual([true, false]);
});

test('ssl_certificate and ssl_key are what nginx shows', async () => {
  const text = await outcomeOf(HTTPS + given(PAIR, 'nginx'));
  for (const pem of Object.values(PAIR)) expect(text).toContain(body(pem));
});

/** What is decided over time, with the key and without it. */
interface Decided {
  readonly key: string;
  readonly value: string;
  readonly beside?: string;
  readonly see: (config: EndpointConfig) => number;
  readonly usual: number;
  readonly changed: number;
}

const LOADED = '[scaling]\nrules=0 < rate < 1\n';
const instancesUnderLoad = (config: EndpointConfig): number => {
  const world = worldOf(config);
  world.load('web', 30);
  world.run(20);
  return world.instances('web', 'run').length;
};
const startsInOneRound = (config: EndpointConfig): number => {
  const world = worldOf(config);
  return world.steps(world.run(1), 'start').length;
};
/** From the moment it is not wanted any more. */
const secondsUntilStopped = (config: EndpointConfig): number => {
  const world = worldOf(config);
  world.run(5);
  world.set('web', { hold: { count: 0, untilMs: null } });
  for (let seconds = 0; ; seconds++) {
    if (world.steps(world.run(1), 'remove').length > 0) return seconds;
  }
};
const secondsUntilReplaced = (config: EndpointConfig): number => {
  const world = worldOf(config);
  world.run(5);
  world.loseHost(world.instances('web')[0]!.host);
  for (let seconds = 0; ; seconds++) {
    if (world.steps(world.run(1), 'start').length > 0) return seconds;
  }
};

const DECIDED: readonly Decided[] = [
  { key: 'scaling.max_instances', value: '2', beside: LOADED, see: instancesUnderLoad, usual: 5, changed: 2 },
  { key: 'scaling.rules', value: '0 < rate < 10', see: instancesUnderLoad, usual: 1, changed: 4 },
  { key: 'scaling.ramp_limit', value: '2', beside: '[scaling]\nmin_instances=4\n', see: startsInOneRound, usual: 4, changed: 2 },
  { key: 'endpoint.decommissioned_timeout', value: '7', see: secondsUntilStopped, usual: 60, changed: 7 },
  { key: 'endpoint.unknown_timeout', value: '7', see: secondsUntilReplaced, usual: 60, changed: 7 },
];

test.each(DECIDED)('$key = $value decides otherwise', ({ key, value, beside = '', see, usual, changed }) => {
  expect([see(configOf(beside)), see(configOf(beside + lineOf(key, value)))]).toEqual([usual, changed]);
});

/** What no text on paper shows, and the test that sees it. */
const SEEN: Readonly<Record<string, readonly [file: string, title: string]>> = {
  'endpoint.instances_source': ['packages/agent/test/services.test.ts', "serves that one's backends, static ones too"],
  'endpoint.metrics_source': ['packages/core/test/sources.test.ts', 'metrics_source'],
  'endpoint.auth_hash': ['packages/api/test/endpoint-keys.test.ts', 'a key of 2013, hex(%s(salt + key)), opens as it did'],
  'endpoint.auth_salt': ['packages/api/test/endpoint-keys.test.ts', 'a key of 2013, hex(%s(salt + key)), opens as it did'],
  'endpoint.auth_algo': ['packages/api/test/endpoint-keys.test.ts', 'a key of 2013, hex(%s(salt + key)), opens as it did'],
  'loadbalancer:nginx.ssl_certificate': ['test/key-effects.test.ts', 'ssl_certificate and ssl_key are what nginx shows'],
  'loadbalancer:nginx.ssl_key': ['test/key-effects.test.ts', 'ssl_certificate and ssl_key are what nginx shows'],
};

const SYSTEM_NGINX = ['packages/nginx/test/system-nginx.real.test.ts', 'our sites are added to the system nginx'] as const;
const SYSTEM_DNSMASQ = ['packages/dnsmasq/test/dnsmasq.real.test.ts', 'the system’s dnsmasq gets a file beside its own'] as const;
const DIRECTIVES = ['packages/haproxy/test/render.test.ts', 'keys of 2013 in the directives of today'] as const;

const SEEN_OF_MANAGERS: typeof SEEN = {
  'manager.interval': ['packages/daemon/test/pushed-config.test.ts', 'what is pushed beats the file while it is there'],
  'cloud:docker.slots': [
    'packages/core/test/plan.test.ts',
    'a full host refuses with the reason, and takes no more than its slots',
  ],
  'loadbalancer:nginx.pid_file': SYSTEM_NGINX,
  'loadbalancer:nginx.config_path': SYSTEM_NGINX,
  'loadbalancer:nginx.site_path': SYSTEM_NGINX,
  'loadbalancer:haproxy.stats_path': DIRECTIVES,
  'loadbalancer:haproxy.stats_mode': DIRECTIVES,
  'loadbalancer:haproxy.global_opts': DIRECTIVES,
  'loadbalancer:haproxy.maxconn': DIRECTIVES,
  'loadbalancer:haproxy.clitimeout': DIRECTIVES,
  'loadbalancer:dnsmasq.pid_file': SYSTEM_DNSMASQ,
  'loadbalancer:dnsmasq.config_path': SYSTEM_DNSMASQ,
  'loadbalancer:dnsmasq.hosts_path': SYSTEM_DNSMASQ,
};

test.each(Object.entries({ ...SEEN, ...SEEN_OF_MANAGERS }))('%s is seen by a test that is there', (_key, [file, title]) => {
  expect([file, has(file) && textOf(file).replaceAll("\\'", "'").includes(title)]).toEqual([file, true]);
});

const WITHOUT_EFFECT = ['endpoint.template'];
const WITHOUT_EFFECT_OF_MANAGERS = ['loadbalancer:haproxy.config_file', 'loadbalancer:haproxy.pid_file'];

test('what is kept without effect is told so', () => {
  for (const key of WITHOUT_EFFECT_OF_MANAGERS) {
    const [section, name] = split(key);
    const { warnings } = resolveDaemon({ [section]: { [name]: '/run/x' } }, {}, 'vm1', NO_PLACES);
    expect(warnings.map(({ message }) => message).join()).toContain('has no effect');
  }
});

/** Of a table of what became of 2013, the keys that are there. */
function keysThere(title: string): readonly string[] {
  const there = tableIn('packages/api/README.md', title).filter(([, state]) => ['same', 'better', 'kept'].includes(state ?? ''));
  return there.map(([key = '']) => key.replaceAll('`', '')).sort();
}

test('no key of 2013 is without its row', () => {
  const own = [...TOLD, ...DECIDED].map(({ key }) => key);
  expect([...own, ...Object.keys(SEEN), ...WITHOUT_EFFECT].sort()).toEqual(keysThere('Keys of an endpoint'));
  expect([...Object.keys(SEEN_OF_MANAGERS), ...WITHOUT_EFFECT_OF_MANAGERS].sort()).toEqual(keysThere('Keys of a manager'));
});
