/* From a document to the configuration. Long, but one thing: the meaning of every key, and of keys together. */
import { readdirSync, readFileSync } from 'node:fs';
import {
  defaultIni,
  fingerprint,
  parseCheckUrl,
  parseDuration,
  parseErrorLocation,
  parseSize,
  parseSubnet,
  parseUrl,
  readDocument,
  resolveDaemon,
  resolveEndpoint,
  SCHEMA,
  suggest,
} from '../src/index.js';

const CONFIGS = new URL('../../../configs/', import.meta.url);
const textOf = (file: string) => readFileSync(new URL(file, CONFIGS), 'utf8');
const resolve = (text: string) => {
  const { document, places } = readDocument(text);
  return resolveEndpoint(document, places);
};

describe('an endpoint', () => {
  test('of the walk-through', () => {
    const { config, warnings } = resolve(textOf('examples/docker.conf'));
    expect(warnings).toEqual([]);
    expect(config).toEqual({
      url: { scheme: 'http', host: null, port: 80, path: '/' },
      port: 5000,
      cloud: 'docker',
      loadBalancer: 'nginx',
      weight: 1,
      shadowRules: [],
      staticInstances: [],
      instancesSource: null,
      metricsSource: null,
      key: null,
      redirect: null,
      errorMarks: 1,
      unregisteredTimeoutMs: 60_000,
      decommissionedTimeoutMs: 60_000,
      drainTimeoutMs: 300_000,
      stopTimeoutMs: 10_000,
      unknownTimeoutMs: 60_000,
      healthCheck: { path: null, intervalMs: 2000, timeoutMs: 1000 },
      scaling: { minInstances: 1, maxInstances: 5, rules: [], rampLimit: 5, windowMs: 10_000, scaleDownDelayMs: 30_000 },
      container: {
        image: 'eb2b727f547d',
        command: ['/usr/local/bin/runapp'],
        entrypoint: null,
        user: null,
        environment: [],
        memLimitBytes: 0,
        memReservationBytes: 0,
        cpus: 0,
        dns: [],
        hostname: null,
        volumes: [],
        volumesFrom: [],
        network: null,
        hostPort: null,
        pidsLimit: 4096,
        links: [],
      },
      placement: { slots: 10, strategy: 'spread', constraints: [], affinity: [], rebalance: 'off' },
      nginx: {
        keepalive: 0,
        stickySessions: false,
        stickyBy: 'cookie',
        ssl: false,
        sslCertificate: null,
        sslKey: null,
        http2: true,
        redirectHttp: false,
        redirect: null,
        maxBodyBytes: 0,
        connectTimeoutMs: 2000,
        sendTimeoutMs: 60_000,
        readTimeoutMs: 60_000,
        clientKeepaliveMs: 75_000,
        buffering: false,
        requestBuffering: false,
        requestHeaders: [],
        responseHeaders: [],
      },
      haproxy: {
        balance: 'roundrobin',
        sticky: true,
        checkUrl: null,
        errorLocation: null,
        connectTimeoutMs: 5000,
        serverTimeoutMs: 50_000,
        ssl: false,
        sslCertificate: null,
        sslKey: null,
      },
      tcp: {
        exclusive: true,
        disposable: false,
        disposeMinMs: 30_000,
        reconnectMs: 60_000,
        clientSubnets: [],
        balance: 'random',
      },
    });
    expect(Object.isFrozen(config.container?.command)).toBe(true);
  });

  test('reads what stands in the containers section', () => {
    const { config } = resolve(
      `[endpoint]\ncloud=docker\nport=80\nstatic_instances=localhost, 10.0.0.1:81, [::1]:82\n[cloud:docker]\nimage=localhost:5000/a/b:1.0\ncommand=sh -c 'a "b"' "c\\"d" e\\ f ''\nenvironment=A=1, B = x=y\nmem_limit=512MB\ncpus=0.5\ndns=8.8.8.8,::1\nvolumes=data:/data:ro\nvolumes_from=db\nhost_port=8000\nconstraints=region==eu,node!=~vm3\n`,
    );
    expect(config.staticInstances).toEqual([
      { host: 'localhost', port: 80 },
      { host: '10.0.0.1', port: 81 },
      { host: '::1', port: 82 },
    ]);
    expect(config.container).toMatchObject({
      image: 'localhost:5000/a/b:1.0',
      command: ['sh', '-c', 'a "b"', 'c"d', 'e f', ''],
      environment: [
        ['A', '1'],
        ['B', 'x=y'],
      ],
      memLimitBytes: 2 ** 29,
      cpus: 0.5,
      dns: ['8.8.8.8', '::1'],
      volumes: ['data:/data:ro'],
      volumesFrom: ['db'],
      hostPort: 8000,
    });
    expect(config.placement.constraints).toMatchObject([
      { key: 'region', soft: false },
      { key: 'node', op: '!=', soft: true },
    ]);
  });

  test('reads links, and a comma in a variable that is escaped', () => {
    const { container } = resolve(
      '[cloud:docker]\nimage=a\nentrypoint=/bin/sh -c\nlinks=db, shop-api:api\nenvironment=OPTS=-a\\,-b\\c, B=2\n[endpoint]\ncloud=docker\nport=1',
    ).config;
    expect(container?.entrypoint).toEqual(['/bin/sh', '-c']);
    expect(container?.links).toEqual([
      { endpoint: 'db', alias: 'db' },
      { endpoint: 'shop-api', alias: 'api' },
    ]);
    expect(container?.environment).toEqual([
      ['OPTS', '-a,-b\\c'],
      ['B', '2'],
    ]);
    for (const wrong of ['../db', 'db:a b', 'db:', ':db'])
      expect(() => resolve(`[cloud:docker]\nlinks=${wrong}`)).toThrow('cloud:docker.links (line 2, column');
  });

  test('a key that came later asks for no new containers until it is set', () => {
    const of = (more: string) =>
      fingerprint(resolve(`[endpoint]\ncloud=docker\nport=1\n[cloud:docker]\nimage=a\n${more}`).config);
    // What a daemon before links and entrypoint made of the same text.
    expect(of('')).toBe('d28b77804845b8f6');
    expect(new Set([of(''), of('links=db'), of('entrypoint=/x')]).size).toBe(3);
  });

  test('tells the first mistake in the file, not the first looked at', () => {
    const text = '[scaling]\nmax_instances=x\n[cloud:docker]\nslots=0\n[endpoint]\nport=y\n';
    expect(() => resolve(text)).toThrow(
      expect.objectContaining({
        code: 'config_invalid',
        message: "scaling.max_instances (line 2, column 15): 'x' is not a whole number",
        details: { section: 'scaling', key: 'max_instances', line: 2, column: 15 },
      }),
    );
  });

  test('does not blame keys together while one of them is wrong', () => {
    expect(() => resolve('[scaling]\nmin_instances=5\nmax_instances=x\n')).toThrow("'x' is not a whole number");
  });

  test('without places a mistake has the column of its value', () => {
    const { document } = readDocument('{"cloud:docker":{"command":"nc -l \\"4444"}}');
    expect(() => resolveEndpoint(document)).toThrow('cloud:docker.command: unbalanced quote at column 7');
  });

  test('points into continued values, and to their start where references shift columns', () => {
    expect(() => resolve('[scaling]\nrules = rate < 1,\n   active > 2\n')).toThrow('scaling.rules (line 3, column 11)');
    expect(() => resolve('[scaling]\nx=1\nrules = rate < %(x)s, active > 2\n')).toThrow(
      /scaling\.rules \(line 3, column 9\): .* at column 18/,
    );
  });

  test('keeps unknown names, and warns about none of [DEFAULT]', () => {
    const { document, places } = readDocument('[DEFAULT]\nport=80\n[endpoint]\nfuture=1\n[scaling]\n');
    expect(document['endpoint']).toMatchObject({ future: '1', port: '80' });
    expect(resolveEndpoint(document, places).warnings.map(({ message }) => message)).toEqual([
      "endpoint.future (line 4, column 8): unknown key 'future'",
    ]);
  });

  test.each<[string, string]>([
    [
      '[endpoint]\nurl=http://\ncloud=docker\nport=1\n[cloud:docker]\nimage=a',
      'endpoint.loadbalancer (line 2, column 5): unset: nothing will serve the url',
    ],
    ['[endpoint]\nloadbalancer=nginx', 'endpoint.url (line 2, column 14): unset: nginx has nothing to serve'],
    ['[endpoint]\ndecommissioned_timeout=10m', 'shorter than decommissioned_timeout: the decommission period ends after 300 s'],
  ])('warns: %j', (text, message) => {
    expect(
      resolve(text)
        .warnings.map((each) => each.message)
        .join(),
    ).toContain(message);
  });

  test.each<[string, string]>([
    ['mem_limit=64m\nmem_reservation=128m', 'cloud:docker.mem_reservation (line 6, column 17): exceeds mem_limit'],
    ['network=none', 'none cannot publish port 80; set port = 0'],
    ['network=container:vpn', 'container:vpn cannot publish port 80'],
    ['network=host\nhost_port=81', "the port on the host is the container's own, 80"],
  ])('refuses what does not fit together: %j', (lines, message) => {
    expect(() => resolve(`[endpoint]\ncloud=docker\nport=80\n[cloud:docker]\n${lines}\nimage=a\n`)).toThrow(message);
  });
});

describe('a fingerprint', () => {
  const base = '[endpoint]\ncloud=docker\nport=80\n[cloud:docker]\nimage=a\n';
  const of = (text: string) => fingerprint(resolve(text).config);

  test.each(['command=x', 'environment=A=1', 'cpus=1', 'slots=11', '[endpoint]\nport=81', 'pids_limit=1'])(
    'changes with %s',
    (line) => {
      expect(of(`${base}${line}\n`)).not.toBe(of(base));
    },
  );

  test.each([
    '[scaling]\nmax_instances=9',
    '[endpoint]\nurl=http://x/\nloadbalancer=nginx',
    'constraints=a==b',
    'strategy=random',
    '[endpoint]\nhealth_check=/',
    '[endpoint]\nweight=2',
  ])('stays with %s', (line) => {
    expect(of(`${base}${line}\n`)).toBe(of(base));
  });

  test('is 16 hexadecimal digits', () => {
    expect(of(base)).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe('the daemon', () => {
  test('has defaults for everything', () => {
    expect(resolveDaemon({}, {}, 'vm1')).toEqual({
      warnings: [],
      config: {
        manager: {
          name: 'vm1',
          address: null,
          state: 'embedded',
          dataDir: '/var/lib/reactor',
          intervalMs: 1000,
          defaultEndpoints: null,
          logLevel: 'info',
        },
        api: { host: '127.0.0.1', port: 8080, compat: null },
        notify: null,
        history: { retentionMs: 7 * 24 * 3_600_000, limitBytes: 512 * 2 ** 20 },
        docker: {
          socket: '/var/run/docker.sock',
          slots: 1000,
          overcommit: 0,
          labels: {},
          portRange: { first: 20_000, last: 29_999 },
          startLimit: 0,
        },
        nginx: {
          binary: 'nginx',
          configPath: null,
          sitePath: null,
          pidFile: null,
          user: null,
          logLimitBytes: 64 * 2 ** 20,
          workers: 0,
        },
        haproxy: {
          binary: 'haproxy',
          statsPath: null,
          statsMode: '666',
          globalOptions: [],
          maxConnections: 5000,
          clientTimeoutMs: 50_000,
        },
        dnsmasq: { binary: 'dnsmasq', port: 53, pidFile: null, configPath: null, hostsPath: null },
      },
    });
  });

  test.each([
    ['[loadbalancer:nginx]\npid_file=/run/nginx.pid\n', 'config_path, site_path and pid_file drive the system'],
    ['[loadbalancer:dnsmasq]\npid_file=/run/d.pid\nhosts_path=/etc/h\n', 'config_path, hosts_path and pid_file drive the system'],
  ])('refuses what drives a system program in part: %j', (text, message) => {
    expect(() => resolveDaemon(readDocument(text).document)).toThrow(message);
  });

  test('takes the environment over the document, where empty is not set', () => {
    const { document } = readDocument('[manager]\nname=a\nstate=redis://one\n[api]\nlisten=:1\n');
    const { config } = resolveDaemon(document, {
      REACTOR_NAME: '',
      REACTOR_STATE: 'rediss://u:p@two:6380/3',
      REACTOR_PORT: '99',
    });
    expect(config.manager).toMatchObject({ name: 'a', state: 'rediss://u:p@two:6380/3' });
    expect(config.api).toEqual({ host: '', port: 99, compat: null });
    expect(resolveDaemon(document, { REACTOR_LISTEN: '[::1]:0', REACTOR_PORT: '99' }).config.api).toEqual({
      host: '::1',
      port: 0,
      compat: null,
    });
  });

  test.each([
    'rediss://h:6380/1?ca=/etc/ca.crt',
    'redis+cluster://u:p@a:7000,[::1]:7001,b',
    'rediss+cluster://a:7000/0?ca=/etc/ca.crt',
    'redis+sentinel://a:1,b/main/2?sentinelPassword=x',
  ])('%s may be the state', (state) => {
    const { document } = readDocument(`[manager]\nstate=${state}`);
    expect(resolveDaemon(document, {}).config.manager.state).toBe(state);
  });

  test.each<[string, string]>([
    ['[manager]\nstate=redis+sentinel://a:1,b:2', 'expected embedded, redis://'],
    ['[manager]\nstate=redis://a:1,b:2', 'expected embedded, redis://'],
    ['[manager]\nstate=redis+cluster://a:1,b:2/3', 'expected embedded, redis://'],
    ['[manager]\nstate=rediss://h:70000?ca=/x', '70000'],
    ['[cloud:docker]\nport_range=5-4', 'first port 5 is above last port 4'],
    ['[cloud:docker]\nlabels=node=x', "item 1: 'node' is reserved"],
    ['[loadbalancer:nginx]\npid_file=/run/nginx.pid', 'set all three or none'],
    ['[loadbalancer:nginx]\nbinary=nginx; rm', "is not a program's name or path"],
    ['[manager]\ninterval=0', 'manager.interval (line 2, column 10): must be > 0'],
    ['[notify]\nurl=http://hook/', 'notify.secret'],
    ['[notify]\nurl=http://hook/\nsecret=short', 'expected at least 16 characters'],
    ['[notify]\nurl=ftp://hook/\nsecret=0123456789abcdef', 'expected http(s)://host'],
    ['[notify]\nurl=https://me:key@hook/\nsecret=0123456789abcdef', 'a user or a password'],
    ...['169.254.169.254', '2852039166', '0xa9.0xfe.0xa9.0xfe', '[fe80::1]', '[::ffff:169.254.169.254]'].map(
      (host): [string, string] => [
        `[notify]\nurl=http://${host}/\nsecret=0123456789abcdef`,
        'link-local addresses are never asked',
      ],
    ),
  ])('refuses %j', (text, message) => {
    const { document, places } = readDocument(text);
    expect(() => resolveDaemon(document, {}, 'vm1', places)).toThrow(message);
  });

  test('tells several receivers, also in private networks', () => {
    const { document } = readDocument(
      '[notify]\nurl=https://hooks.example/x?key=1, http://127.0.0.1:9000/\nsecret=0123456789abcdef',
    );
    const urls = ['https://hooks.example/x?key=1', 'http://127.0.0.1:9000/'];
    expect(resolveDaemon(document).config.notify).toEqual({ urls, secret: '0123456789abcdef' });
  });

  test('that takes nothing may have 0 slots', () => {
    expect(resolveDaemon(readDocument('[cloud:docker]\nslots=0').document).config.docker.slots).toBe(0);
  });
});

describe('the shipped configurations', () => {
  test.each(['daemon', 'endpoint'] as const)('show every key of the %s with its default', (scope) => {
    const file = scope === 'daemon' ? 'reactor.conf' : 'endpoint.conf';
    expect(textOf(file)).toBe(defaultIni(scope));
    const { document, places, warnings } = readDocument(textOf(file));
    const defaults = scope === 'daemon' ? resolveDaemon({}) : resolveEndpoint({});
    const shipped = scope === 'daemon' ? resolveDaemon(document, {}, 'localhost', places) : resolveEndpoint(document, places);
    expect(warnings).toEqual([]);
    expect(shipped).toEqual(defaults);
    const keys = SCHEMA.filter((each) => each.scope === scope);
    expect(keys.every(({ section, key }) => Object.hasOwn(document[section] ?? {}, key))).toBe(true);
  });

  const examples = readdirSync(new URL('examples/', CONFIGS)).filter((file) => file.endsWith('.conf'));
  test.each(examples)('example %s is accepted without a warning', (file) => {
    const { document, places, warnings } = readDocument(textOf(`examples/${file}`));
    const resolved = Object.hasOwn(document, 'manager')
      ? resolveDaemon(document, {}, 'vm1', places)
      : resolveEndpoint(document, places);
    expect([...warnings, ...resolved.warnings]).toEqual([]);
  });

  test.each(readdirSync(new URL('invalid/', CONFIGS)))('invalid %s is refused with the line it announces', (file) => {
    const text = textOf(`invalid/${file}`);
    const expected = /^# expected: (.+)\n/.exec(text)?.[1];
    expect(expected).toBeDefined();
    expect(() => resolve(text)).toThrow(expect.objectContaining({ message: expected }));
  });
});

describe('a value', () => {
  test.each<[string, number | null]>([
    ['5', 5000],
    ['1.5', 1500],
    ['300ms', 300],
    ['2m', 120_000],
    ['1 h', 3_600_000],
    ['1d', null],
    ['.5', null],
    ['', null],
  ])('of time %j', (text, ms) => {
    expect(parseDuration(text)).toMatchObject(ms === null ? { ok: false } : { ok: true, value: ms });
  });

  test.each<[string, number | null]>([
    ['1024', 1024],
    ['512m', 2 ** 29],
    ['512MB', 2 ** 29],
    ['512MiB', 2 ** 29],
    ['1.5g', 1.5 * 2 ** 30],
    ['8b', 8],
    ['5x', null],
    ['-1', null],
  ])('of size %j', (text, bytes) => {
    expect(parseSize(text)).toMatchObject(bytes === null ? { ok: false } : { ok: true, value: bytes });
  });

  test.each([
    ['http://', { scheme: 'http', host: null, port: 80, path: '/' }],
    ['https://', { scheme: 'https', host: null, port: 443, path: '/' }],
    ['http://:8000', { scheme: 'http', host: null, port: 8000, path: '/' }],
    ['HTTP://A.b_c-d:81/Path/', { scheme: 'http', host: 'a.b_c-d', port: 81, path: '/Path/' }],
    ['http://10.0.0.1/x', { scheme: 'http', host: '10.0.0.1', port: 80, path: '/x' }],
    ['tcp://5432', { scheme: 'tcp', host: null, port: 5432, path: '/' }],
    ['tcp://:5432', { scheme: 'tcp', host: null, port: 5432, path: '/' }],
    ['DNS://Db.Example', { scheme: 'dns', host: 'db.example', port: 0, path: '/' }],
    ['http://[::1]:8/', { scheme: 'http', host: '[::1]', port: 8, path: '/' }],
  ])('of address %s', (text, url) => {
    expect(parseUrl(text)).toEqual({ ok: true, value: url });
  });

  test.each([
    ['tcp://', "'' is not a port"],
    ['tcp://0', "'0' is not a port"],
    ['tcp://70000', "'70000' is not a port"],
    ['tcp://5432/x', "'5432/x' is not a port"],
    ['tcp://10.0.0.1:5432', 'tcp listens on all addresses; expected tcp://PORT'],
    ['dns://', 'a name is missing'],
    ['dns://10.0.0.1', "'10.0.0.1' is an address; expected dns://name"],
    ['dns://a b', 'without blanks'],
    ['dns://a/b', "character '/' not allowed"],
    ['dns://a:53', "character ':' not allowed"],
  ])('not an address: %s', (text, message) => {
    expect(parseUrl(text)).toMatchObject({ ok: false, fault: { message: expect.stringContaining(message) } });
  });

  test.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['FE80::/10', 'fe80::/10'],
    ['10.0.0.0/33', null],
    ['10.0.0/8', null],
    ['10.0.0.0/08', null],
    ['::/129', null],
  ])('of a network %s', (text, subnet) => {
    expect(parseSubnet(text)).toMatchObject(subnet === null ? { ok: false } : { ok: true, value: subnet });
  });

  test.each([
    ['httpchk GET /health', '/health'],
    ['httpchk /health', '/health'],
    ['/health?deep=1', '/health?deep=1'],
    ['httpchk GET /health HTTP/1.1\\r\\nHost:\\ x', null],
    ['/a b', null],
  ])('of check_url %s', (text, path) => {
    expect(parseCheckUrl(text)).toMatchObject(path === null ? { ok: false } : { ok: true, value: path });
  });

  test.each([
    ['http://x/%d.html', 'http://x/CODE.html'],
    ['/errors/CODE', '/errors/CODE'],
    ['//evil.example/', null],
    ['javascript:alert(1)', null],
    ['/a b', null],
    ['/a#b', null],
  ])('of errorloc %s', (text, location) => {
    expect(parseErrorLocation(text)).toMatchObject(location === null ? { ok: false } : { ok: true, value: location });
  });
});

test.each([
  ['dcoker', ['nginx', 'docker'], 'docker'],
  ['rat', ['rate', 'bytes'], 'rate'],
  ['mange', ['manage', 'unmanage'], 'manage'],
  ['x', ['list'], null],
  ['URL', ['url'], 'url'],
])('for %s of %j the suggestion is %s', (word, candidates, suggestion) => {
  expect(suggest(word, candidates)).toBe(suggestion);
});

test('headers are read one per line, or from a list; commas of their own stay', () => {
  const { config } = resolve(
    "[loadbalancer:nginx]\nrequest_headers =\n  X-A: b, c\n  Accept-Encoding:\nresponse_headers = X-B: 'q', X-C: d\n",
  );
  expect(config.nginx.requestHeaders).toEqual([
    ['X-A', 'b, c'],
    ['Accept-Encoding', ''],
  ]);
  expect(config.nginx.responseHeaders).toEqual([
    ['X-B', "'q'"],
    ['X-C', 'd'],
  ]);
  const { document } = readDocument('{"loadbalancer:nginx":{"request_headers":["X-A: b","X-B: c"]}}');
  expect(resolveEndpoint(document).config.nginx.requestHeaders).toHaveLength(2);
});
