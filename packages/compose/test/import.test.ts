// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of a Compose file look like this
import { readFileSync } from 'node:fs';
import { type Imported, importCompose } from '@reactor/compose';
import { resolveEndpoint, writeIni } from '@reactor/config';

interface Around {
  readonly project?: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
}

const read = (text: string, { project, variables = {}, files = {} }: Around = {}): Imported =>
  importCompose({
    text,
    file: 'compose.yml',
    directory: '/srv/shop',
    home: '/home/me',
    project: project ?? null,
    variables: new Map(Object.entries(variables)),
    readFile: (path) => files[path] ?? null,
  });

const notesOf = ({ notes }: Imported): readonly string[] =>
  notes.map(({ service, key, why }) => `${service ?? ''} ${key}: ${why}`);

/** One service `web`, its keys as YAML lines. */
const one = (lines: string, around: Around = {}): Imported =>
  read(`services:\n  web:\n    image: web:1\n${lines.replace(/^/gm, '    ')}\nvolumes: {data: }\n`, around);

/** The keys that the lines add to what every service has. */
function keysOf(imported: Imported): Readonly<Record<string, string>> {
  expect(imported.mistakes).toEqual([]);
  const { document } = imported.endpoints[0]!;
  const all = Object.entries(document).flatMap(([section, keys]) =>
    Object.entries(keys).map(([key, value]) => [`${section}.${key}`, value]),
  );
  return Object.fromEntries(all.filter(([key]) => key !== 'endpoint.cloud' && key !== 'cloud:docker.image'));
}

describe('a key of a service becomes the key of an endpoint that means the same', () => {
  test.each<[lines: string, keys: Readonly<Record<string, string>>]>([
    ['ports: ["8000:5000"]', { 'endpoint.port': '5000', 'endpoint.url': 'http://:8000', 'endpoint.loadbalancer': 'nginx' }],
    ['ports: ["80:80"]', { 'endpoint.port': '80', 'endpoint.url': 'http://', 'endpoint.loadbalancer': 'nginx' }],
    [
      'ports: ["127.0.0.1:8000:5000/tcp"]',
      { 'endpoint.port': '5000', 'endpoint.url': 'http://:8000', 'endpoint.loadbalancer': 'nginx' },
    ],
    [
      'ports: [{target: 5000, published: "8000", protocol: tcp}]',
      { 'endpoint.port': '5000', 'endpoint.url': 'http://:8000', 'endpoint.loadbalancer': 'nginx' },
    ],
    [
      'ports: ["8000-8002:5000-5002"]',
      { 'endpoint.port': '5000', 'endpoint.url': 'http://:8000', 'endpoint.loadbalancer': 'nginx' },
    ],
    ['ports: [5000]', { 'endpoint.port': '5000', 'endpoint.url': 'http://web:5000', 'endpoint.loadbalancer': 'nginx' }],
    ['expose: ["80"]', { 'endpoint.port': '80', 'endpoint.url': 'http://web', 'endpoint.loadbalancer': 'nginx' }],
    ['command: run --fast "a b"', { 'cloud:docker.command': 'run --fast "a b"' }],
    [`command: [run, "a b", "it's", "", 'say "\\']`, { 'cloud:docker.command': `run 'a b' "it's" '' 'say "\\'` }],
    ['entrypoint: [/bin/sh, -c]', { 'cloud:docker.entrypoint': '/bin/sh -c' }],
    ['environment: {A: 1, B: "x,y", C: true, D: "5$$"}', { 'cloud:docker.environment': 'A=1, B=x\\,y, C=true, D=5$' }],
    ['environment: [A=1, B=x=y, C=]', { 'cloud:docker.environment': 'A=1, B=x=y, C=' }],
    ['user: "1000:1000"', { 'cloud:docker.user': '1000:1000' }],
    ['user: 1000', { 'cloud:docker.user': '1000' }],
    ['hostname: box', { 'cloud:docker.hostname': 'box' }],
    ['dns: 10.0.0.53', { 'cloud:docker.dns': '10.0.0.53' }],
    ['dns: [10.0.0.53, "::1"]', { 'cloud:docker.dns': '10.0.0.53, ::1' }],
    ['mem_limit: 512m', { 'cloud:docker.mem_limit': '512m' }],
    ['mem_reservation: 64M', { 'cloud:docker.mem_reservation': '64M' }],
    ['cpus: .50', { 'cloud:docker.cpus': '0.5' }],
    ['pids_limit: -1', { 'cloud:docker.pids_limit': '0' }],
    ['network_mode: host', { 'cloud:docker.network': 'host' }],
    ['volumes: [data:/data]', { 'cloud:docker.volumes': 'shop_data:/data' }],
    [
      'volumes: [./conf:/etc/x:ro, /srv/y:/y, ~/z:/z]',
      { 'cloud:docker.volumes': '/srv/shop/conf:/etc/x:ro, /srv/y:/y, /home/me/z:/z' },
    ],
    [
      'volumes: [{type: bind, source: conf, target: /etc/x, read_only: true}, {type: volume, source: data, target: /d}]',
      { 'cloud:docker.volumes': '/srv/shop/conf:/etc/x:ro, shop_data:/d' },
    ],
    ['stop_grace_period: 1m30s', { 'endpoint.stop_timeout': '90' }],
    ['scale: 3', { 'scaling.min_instances': '3', 'scaling.max_instances': '3' }],
    ['deploy: {replicas: 2}', { 'scaling.min_instances': '2', 'scaling.max_instances': '2' }],
    [
      'deploy: {resources: {limits: {cpus: "0.50", memory: 256M, pids: 100}, reservations: {memory: 64M}}}',
      {
        'cloud:docker.cpus': '0.5',
        'cloud:docker.mem_limit': '256M',
        'cloud:docker.pids_limit': '100',
        'cloud:docker.mem_reservation': '64M',
      },
    ],
    [
      'deploy: {placement: {constraints: [node.labels.size == xxl, "node.hostname!=vm1", node.platform.arch==x86_64]}}',
      { 'cloud:docker.constraints': 'size==xxl, node!=vm1, architecture==x86_64' },
    ],
    [
      'expose: [80]\nhealthcheck: {test: [CMD, curl, -f, "http://localhost/up?x=1"], interval: 10s, timeout: 500ms, retries: 3, start_period: 2m}',
      {
        'endpoint.port': '80',
        'endpoint.url': 'http://web',
        'endpoint.loadbalancer': 'nginx',
        'endpoint.health_check': '/up?x=1',
        'endpoint.health_interval': '10',
        'endpoint.health_timeout': '500ms',
        'endpoint.error_marks': '3',
        'endpoint.unregistered_timeout': '120',
      },
    ],
    ['healthcheck: {disable: true}', {}],
    [
      'x-reactor: {rules: ["0 < rate < 5", "active < 3"], max_instances: 4, endpoint: {url: "http://shop.example"}}',
      { 'scaling.rules': '0 < rate < 5, active < 3', 'scaling.max_instances': '4', 'endpoint.url': 'http://shop.example' },
    ],
    ['x-team: blue\nnetworks: [front]\nprofiles: []', {}],
  ])('%s', (lines, keys) => {
    expect(keysOf(one(lines))).toEqual(keys);
  });
});

describe('what is left out is told, with the reason', () => {
  test.each<[lines: string, note: string]>([
    ['restart: always', 'web restart: Reactor itself replaces what ends'],
    ['build: .', 'web build: nothing is built'],
    ['privileged: true', 'web privileged: containers always run without new privileges'],
    ['restrat: always', "web restrat: not known, left out; did you mean 'restart'?"],
    ['ports: ["8000:80", "8443:443"]', 'web ports: 8443:443 is left out: an endpoint serves one port'],
    ['ports: ["53:53/udp", "80:80"]', 'web ports: 53:53/udp is left out: only TCP is served'],
    ['ports: ["127.0.0.1:80:80"]', 'web ports: 127.0.0.1: the load balancer listens on all addresses'],
    ['volumes: [/data]', 'web volumes: /data: a volume without a name would be left behind'],
    ['volumes: [{type: tmpfs, target: /t}]', 'web volumes: /t: a mount of type tmpfs is not supported'],
    ['volumes: [data:/d]', 'web volumes: they are local to each host'],
    ['environment: [SECRET]', 'web environment: SECRET has no value here and is left out'],
    ['healthcheck: {test: pg_isready}', 'web healthcheck.test: not run'],
    ['depends_on: {other: {condition: service_healthy}}', 'web depends_on: conditions: nothing waits'],
    ['deploy: {mode: global}', "web deploy.mode: 'global': give the count"],
    ['deploy: {update_config: {parallelism: 2}}', 'web deploy.update_config: changed containers are replaced one by one'],
    ['deploy: {placement: {constraints: [node.role == worker]}}', "web deploy.placement.constraints: 'node.role == worker'"],
    ['x-reactor: {rules: 0 < rate < 1}', 'web x-reactor: rules have no room'],
    ['hostname: "${NOWHERE}x"', ' NOWHERE: the variable is not set and reads as empty'],
  ])('%s', (lines, note) => {
    const imported = read(
      `services:\n  web:\n    image: web:1\n${lines.replace(/^/gm, '    ')}\n  other: {image: x}\nvolumes: {data: }\n`,
    );
    expect(imported.mistakes).toEqual([]);
    expect(notesOf(imported)).toEqual(expect.arrayContaining([expect.stringContaining(note)]));
  });

  test('nothing is said of what is carried over whole', () => {
    expect(notesOf(one('ports: ["80:80"]\ncommand: run\nuser: web\nmem_limit: 64m\nenvironment: {A: 1}'))).toEqual([]);
  });

  test('a service that Compose starts on demand only is left out, and so is what depends on it', () => {
    const imported = read('services:\n  web: {image: a, depends_on: [debug]}\n  debug: {image: b, profiles: [debug]}\n');
    expect(imported.mistakes).toEqual([]);
    expect(imported.endpoints.map(({ name }) => name)).toEqual(['web']);
    expect(notesOf(imported).join('\n')).toContain('debug profiles: not imported');
  });
});

describe('a mistake is one line that says where, and nothing is imported', () => {
  test.each<[lines: string, mistake: string]>([
    ['image: UPPER/Case', "web: cloud:docker.image: 'UPPER/Case' is not a valid image reference"],
    ['ports: ["80:http"]', "web: ports: '80:http': expected [[ADDRESS:]PUBLISHED:]PORT"],
    ['ports: ["0:80"]', "web: ports: '0:80': expected"],
    ['ports: 80', 'web: ports: expected a list'],
    ['cpus: many', "web: cpus: 'many' is not a number of processors"],
    ['mem_limit: 1', 'web: cloud:docker.mem_limit: below Docker minimum'],
    ['environment: {A: [1]}', 'web: environment: expected KEY=value lines'],
    ['environment: {A: "x\\ny"}', 'web: environment: A: a line break cannot be kept'],
    ['environment: {REACTOR_API: evil}', "'REACTOR_API' is reserved"],
    ['env_file: gone.env', "web: env_file: 'gone.env' cannot be read"],
    ['env_file: bad.env', 'web: env_file: bad.env, line 2: expected NAME=value'],
    ['volumes: [nowhere:/x]', "web: volumes: 'nowhere' is not among the volumes of the file"],
    ['volumes: ["a:b:c:d"]', "web: volumes: 'a:b:c:d': expected SOURCE:/TARGET[:MODE]"],
    ['depends_on: [dbb]', "web: depends_on: there is no service 'dbb'; did you mean 'db'?"],
    ['depends_on: [web]', 'web: depends_on: a circle: web → web'],
    ['healthcheck: {interval: soon}', 'web: healthcheck.interval: expected a duration such as 1m30s'],
    ['deploy: {replicas: -1}', "web: deploy.replicas: '-1' is not a number of instances"],
    ['extends: {service: base}', 'web: extends: is not followed'],
    ['hostname: "${X:?give X}"', 'services.web.hostname: variable X is not set: give X'],
    ['hostname: "${X"', "services.web.hostname: '$' must be written '$$'"],
    ['x-reactor: {ruels: a}', "web: x-reactor: unknown key 'ruels'; did you mean 'rules'?"],
    ['x-reactor: {redirect: a}', 'web: x-reactor: redirect stands in several sections'],
    ['x-reactor: {scalling: {a: 1}}', "web: x-reactor: unknown section 'scalling'; did you mean 'scaling'?"],
    ['x-reactor: {rules: rate > 1}', 'web: scaling.rules'],
    ['x-reactor: {min_instances: 5}', 'web: scaling.min_instances: min_instances (5) exceeds max_instances (1)'],
  ])('%s', (lines, mistake) => {
    const text = `services:\n  db: {image: x}\n  web:\n${lines.includes('image:') ? '' : '    image: web:1\n'}${lines.replace(/^/gm, '    ')}\n`;
    const imported = read(text, { files: { '/srv/shop/bad.env': 'A=1\n=2\n' } });
    expect(imported.endpoints).toEqual([]);
    expect(imported.mistakes).toEqual([expect.stringContaining(mistake)]);
    expect(imported.mistakes[0]).not.toContain('\n');
  });

  test.each<[text: string, mistake: string]>([
    ['services: {web: {build: .}}', 'web: build: nothing is built'],
    ['services: {web: {}}', 'web: image: required'],
    ['services: {web: }', 'web: service: expected a map'],
    ['services: {-web: {image: x}}', 'web: name: name: 1–64 of'],
    ['services: {a: {image: x, ports: ["80:1"]}, b: {image: x, ports: ["80:2"]}}', 'b: ports: 80 is published by two services'],
    ['services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}', 'a: depends_on: a circle: a → b → a'],
    ['services: {}', 'compose.yml: no service to import'],
    ['include: [x.yml]\nservices: {a: {image: x}}', 'include: is not followed'],
  ])('%s', (text, mistake) => {
    expect(read(text).mistakes).toEqual([expect.stringContaining(mistake)]);
  });

  test('all of them are told at once', () => {
    expect(read('services: {a: {image: "B A D"}, b: {}, c: {image: x, cpus: x}}').mistakes).toHaveLength(3);
  });
});

describe('services find each other', () => {
  const shop = `services:
  proxy: {image: nginx, ports: ["80:80"], depends_on: [api], networks: [front]}
  api: {image: shop/api, expose: [5000], links: ["store:db"], networks: [front, back]}
  store: {image: shop/db, expose: [6000], networks: [back]}
  worker: {image: shop/worker, networks: [back]}
`;

  test('each links to all that share a network with it, those it needs come first', () => {
    const { endpoints, mistakes } = read(shop, { project: 'shop' });
    expect(mistakes).toEqual([]);
    expect(endpoints.map(({ name, document }) => [name, document['cloud:docker']?.['links']])).toEqual([
      ['shop-store', 'shop-api:api'],
      ['shop-api', 'shop-store:store, shop-store:db, shop-proxy:proxy'],
      ['shop-proxy', 'shop-api:api'],
      ['shop-worker', 'shop-store:store, shop-api:api'],
    ]);
  });

  test('what only they reach is served at its name, on its own port', () => {
    const urls = read(shop).endpoints.map(({ document }) => document['endpoint']?.['url'] ?? null);
    expect(urls).toEqual(['http://store:6000', 'http://api:5000', 'http://', null]);
  });

  test('links of x-reactor are the only ones then', () => {
    const { endpoints } = read('services: {a: {image: x, expose: [1], x-reactor: {links: other}}, b: {image: x, expose: [2]}}');
    expect(endpoints.map(({ document }) => document['cloud:docker']?.['links'])).toEqual(['other', 'a']);
  });
});

test('env_file lies below environment, the shell gives values to bare names, and the shell goes before the file', () => {
  const imported = one(
    'env_file: [a.env, {path: none.env, required: false}]\nenvironment: {B: mine, FROM_SHELL: }\nhostname: "${HOST:-box}"',
    {
      variables: { FROM_SHELL: 'yes', NAME: 'joe' },
      files: {
        '/srv/shop/a.env': `# comment\nA=1 # trailing\nexport B=2\nC='\${NAME} #'\nD="x\\ty \${NAME}\\$"\nE=\${NAME}\${A}\nFROM_SHELL\n\nF=a#b\n`,
      },
    },
  );
  expect(keysOf(imported)).toEqual({
    'cloud:docker.hostname': 'box',
    'cloud:docker.environment': 'A=1, B=mine, C=${NAME} #, D=x\ty joe$, E=joe1, FROM_SHELL=yes, F=a#b',
  });
});

test.each<[text: string, value: string]>([
  ['$A', '1'],
  ['${A}b', '1b'],
  ['${NONE:-x}', 'x'],
  ['${EMPTY:-x}', 'x'],
  ['${EMPTY-x}', ''],
  ['${NONE-${A}${NONE:-y}}', '1y'],
  ['${A:+set}', 'set'],
  ['${EMPTY:+set}', ''],
  ['${EMPTY+set}', 'set'],
  ['${A:?no}', '1'],
  ['$$A', '$A'],
  ['$${A}', '${A}'],
])('%s reads as Compose reads it', (text, value) => {
  const keys = keysOf(one(`environment: ['V=${text}']`, { variables: { A: '1', EMPTY: '' } }));
  expect(keys['cloud:docker.environment']).toBe(`V=${value}`);
});

test('anchors, aliases and merge keys are followed', () => {
  const { endpoints, mistakes } = read(
    'x-all: &all {image: x, user: web, environment: &env {A: 1}}\nservices:\n  a: {<<: *all, user: me}\n  b: {<<: *all, environment: {<<: *env, B: 2}}\n',
  );
  expect(mistakes).toEqual([]);
  expect(
    endpoints.map(({ document }) => [document['cloud:docker']?.['user'], document['cloud:docker']?.['environment']]),
  ).toEqual([
    ['me', 'A=1'],
    ['web', 'A=1, B=2'],
  ]);
});

test('every endpoint that comes out is one that the daemon takes, also as INI', () => {
  for (const { document } of read(`services: {a: {image: x, ports: ["8000:1"], command: ["a;b", "#c", "50%"]}}`).endpoints) {
    expect(() => resolveEndpoint(document)).not.toThrow();
    expect(writeIni(document)).toContain("command = 'a;b' '#c' 50%%");
  }
});

test('the shipped example is imported without a mistake', () => {
  const { endpoints, mistakes } = read(
    readFileSync(new URL('../../../configs/examples/docker-compose.yml', import.meta.url), 'utf8'),
  );
  expect(mistakes).toEqual([]);
  expect(endpoints.map(({ name, document }) => [name, document['endpoint']?.['port']])).toEqual([
    ['db', '5432'],
    ['api', '5000'],
    ['proxy', '8000'],
  ]);
});
