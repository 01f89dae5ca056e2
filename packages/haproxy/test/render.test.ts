import type { HaproxyService } from '@reactor/core';
import { selfSigned } from '@reactor/nginx';
import fc from 'fast-check';
import { portsOf, render, type Surroundings, structureIn } from '../src/render.js';
import { groupServices } from '../src/virtual-service.js';
import { backendAt, serviceAt } from './services.js';

const AROUND: Surroundings = {
  directory: '/var/lib/reactor/haproxy',
  account: { user: 'haproxy', group: 'haproxy' },
  globalOptions: [],
  maxConnections: 5_000,
  clientTimeoutMs: 50_000,
  statsPath: null,
  statsMode: '666',
  ipv6: true,
};
const PEM = '-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n';
const TLS = { ssl: true, sslCertificate: PEM, sslKey: PEM.replaceAll('CERTIFICATE', 'PRIVATE KEY') };

const rendered = (services: readonly HaproxyService[], around = AROUND) => render(groupServices(services).virtual, around);
const textOf = (services: readonly HaproxyService[], around = AROUND) => rendered(services, around).text;

describe('the text', () => {
  test('the plain form serves every host of its port, and names the structure it has', () => {
    const { text, structure } = rendered([serviceAt('pyex', 80, { backends: [backendAt(8001)] })]);
    expect(text).toContain('frontend port_80\n    bind :80\n    bind [::]:80 v6only\n');
    expect(text).toMatch(/^ {4}use_backend r[0-9a-f]{12}$/m);
    expect(text).toMatch(/^ {4}server s[0-9a-f]{12} 127\.0\.0\.1:8001 weight 1 .*check inter 2s/m);
    expect(structureIn(/description (\S+)/.exec(text)![1]!)).toBe(structure);
    expect([...portsOf(text)]).toEqual([80]);
  });

  test('who the servers are is not part of the structure; all else is', () => {
    const of = (...services: HaproxyService[]) => rendered(services).structure;
    const plain = of(serviceAt('a', 80, { backends: [backendAt(1)] }));
    expect(of(serviceAt('a', 80, { backends: [backendAt(2, 'x', 7), backendAt(3)] }))).toBe(plain);
    expect(of(serviceAt('a', 80))).toBe(plain);
    expect(of(serviceAt('a', 80, { haproxy: { balance: 'leastconn' } }))).not.toBe(plain);
    expect(of(serviceAt('a', 81))).not.toBe(plain);
    expect(rendered([serviceAt('a', 80)], { ...AROUND, maxConnections: 6 }).structure).not.toBe(plain);
  });

  test('the order of services and backends does not change a byte', () => {
    const services = [
      serviceAt('a', 80, { backends: [backendAt(1), backendAt(2)] }),
      serviceAt('b', 80, { backends: [backendAt(3)] }),
      serviceAt('c', 80, { host: 'x.y' }),
      serviceAt('d', 443, { scheme: 'https', haproxy: TLS }),
    ];
    const turned = [...services].reverse().map((service) => ({ ...service, backends: [...service.backends].reverse() }));
    expect(textOf(turned)).toBe(textOf(services));
  });

  test('a named host comes before none, an exact path before a prefix, a longer prefix before a shorter', () => {
    const services = [
      serviceAt('any', 80),
      serviceAt('host', 80, { host: 'a.b' }),
      serviceAt('prefix', 80, { host: 'a.b', path: '/x/' }),
      serviceAt('longer', 80, { host: 'a.b', path: '/x/longer/' }),
      serviceAt('exact', 80, { host: 'a.b', path: '/x' }),
    ];
    const conditions = [...textOf(services).matchAll(/^ {4}use_backend \S+(?: if (.*))?$/gm)].map(
      ([, condition]) => condition ?? '',
    );
    const host = '{ req.hdr(host),host_only -i -m str a.b }';
    expect(conditions).toEqual([
      `${host} { path -m str /x }`,
      `${host} { path -m beg /x/longer/ }`,
      `${host} { path -m str /x/longer }`,
      `${host} { path -m beg /x/ }`,
      `${host} { path -m str /x }`,
      host,
      '',
    ]);
  });

  test('tcp listens without looking inside, and keeps a client by its address', () => {
    const text = textOf([
      serviceAt('db', 5432, { scheme: 'tcp', haproxy: { sticky: true, balance: 'uri' }, backends: [backendAt(1)] }),
    ]);
    expect(text).toContain('    mode tcp\n');
    expect(text).toContain('    balance source\n    stick-table type ipv6 size 200k expire 30m\n    stick on src\n');
    expect(text).not.toMatch(/cookie|forwardfor|reactor_unknown/);
  });

  test('keys of 2013 in the directives of today', () => {
    const haproxy = {
      sticky: true,
      checkUrl: '/h?x=1',
      errorLocation: '/sorry/CODE',
      connectTimeoutMs: 1_500,
      serverTimeoutMs: 7_000,
    };
    const text = textOf([serviceAt('a', 80, { haproxy })], {
      ...AROUND,
      globalOptions: ['log local0', 'user www-data', 'nbthread 2'],
      statsPath: '/run/x.sock',
    });
    for (const line of [
      'timeout connect 1500ms',
      'timeout server 7000ms',
      'timeout client 50000ms',
      'maxconn 5000',
      'option httpchk',
      'http-check send meth GET uri /h?x=1',
      'cookie REACTOR insert indirect nocache httponly dynamic',
      'errorloc302 503 /sorry/503',
      'log /dev/log local0',
      'user www-data',
      'group haproxy',
      'nbthread 2',
      'stats socket /run/x.sock mode 666 level user',
    ])
      expect(text).toContain(`    ${line}\n`);
    expect(text).not.toContain('user haproxy');
  });

  test('a certificate stands in a file named by what is in it; its text is nowhere else', () => {
    const { text, pems } = rendered([serviceAt('a', 443, { scheme: 'https', haproxy: TLS })]);
    const [[name, pem] = ['', '']] = [...pems];
    expect(pem).toBe(TLS.sslCertificate + TLS.sslKey);
    expect(text).toContain(`    bind :443 ssl crt /var/lib/reactor/haproxy/pems/${name}\n`);
    expect(text).not.toContain('QUJD');
  });

  test('of the certificates of one host that which is valid longest is shown by all of its endpoints', () => {
    const until = (day: number) => selfSigned({ names: ['a.b'], fromMs: 0, untilMs: Date.UTC(2030, 0, day) });
    const [short, long] = [until(1), until(2)];
    const tls = (path: string, { certificate, key }: typeof short) =>
      serviceAt(`e${path}`, 443, {
        scheme: 'https',
        host: 'a.b',
        path,
        haproxy: { ssl: true, sslCertificate: certificate, sslKey: key },
      });
    const { virtual, remarks } = groupServices([tls('/', short), tls('/x/', long)]);
    expect(virtual.map(({ pem }) => pem)).toEqual([long.certificate + long.key, long.certificate + long.key]);
    expect(remarks).toEqual(["'e/': the certificate of 'e/x/' for the same host is valid longer, and is used"]);
  });

  test('endpoints of one URL are one backend with their weights, in the 256 steps that haproxy has', () => {
    const serve = (high: number) =>
      [
        ...textOf([
          serviceAt('new', 80, { backends: [backendAt(1, 'n', 1), backendAt(3, 'z', 0)] }),
          serviceAt('old', 80, { backends: [backendAt(2, 'o', high)] }),
        ]).matchAll(/127\.0\.0\.1:(\d) weight (\d+)/g),
      ]
        .map(([, port, weight]) => [Number(port), Number(weight)])
        .sort();
    expect(serve(9)).toEqual([
      [1, 1],
      [2, 9],
    ]);
    expect(serve(65_535)).toEqual([
      [1, 1],
      [2, 256],
    ]);
  });

  test('with nothing to serve it listens where nobody is', () => {
    expect(textOf([])).toContain('bind unix@/var/lib/reactor/haproxy/idle.sock mode 600');
    expect(portsOf(textOf([])).size).toBe(0);
  });
});

describe('what is set aside', () => {
  const HOSTILE = [
    ...['a\nb', 'a\r\nb', 'a\0b', 'a b', 'a;b', 'a#b', '"', "'", '\\', '{', '}', '$x', '%[env(PATH)]', '%{+X}o', '*.x', 'a..b'],
    ...[`${'x'.repeat(64)}.b`, '\u2028', 'a\n    http-request lua.x', 'x\nglobal\n    lua-load /tmp/x.lua', '<a>', 'a|b', '`id`'],
  ];

  test.each(HOSTILE)(
    'a host, path, redirect, check, error page, backend or certificate like %j never reaches the text',
    (value) => {
      const attacks = [
        serviceAt('host', 80, { host: value }),
        serviceAt('path', 80, { path: `/${value}/` }),
        serviceAt('redirect', 80, { redirect: `http://${value}` }),
        serviceAt('check', 80, { haproxy: { checkUrl: `/${value}` } }),
        serviceAt('error', 80, { haproxy: { errorLocation: `http://${value}/` } }),
        serviceAt('balance', 80, { haproxy: { balance: value as 'uri' } }),
        serviceAt('backend', 80, { backends: [backendAt(1, 'x', 1, value)] }),
        serviceAt('certificate', 443, { scheme: 'https', haproxy: { ...TLS, sslCertificate: PEM + value } }),
      ];
      const { virtual } = groupServices([...attacks, serviceAt('good', 81)]);
      const kept = virtual.flatMap(({ endpoints }) => endpoints);
      // As a path, letters, dots and stars are what they look like: haproxy compares them literally.
      expect(kept).toEqual(/^[a-z.*]+$/.test(value) ? ['check', 'path', 'good'].filter((name) => kept.includes(name)) : ['good']);
      const harmless = textOf([serviceAt('good', 81)]).split('\n');
      if (kept.length === 1) expect(textOf([...attacks, serviceAt('good', 81)]).split('\n')).toEqual(harmless);
    },
  );

  test('two protocols on one port, https without a certificate, a scheme of somebody else: each says why', () => {
    const { setAside } = groupServices([
      serviceAt('a', 80),
      serviceAt('b', 80, { scheme: 'tcp' }),
      serviceAt('c', 443, { scheme: 'https', haproxy: { ssl: true } }),
      serviceAt('d', 0, { scheme: 'dns', host: 'x' }),
    ]);
    expect(Object.keys(setAside)).toEqual(['b', 'c', 'd']);
    expect(setAside['b']).toContain("endpoint 'a'");
  });

  test('whatever the service, no line is rendered but ours with harmless values', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom(...HOSTILE, 'a.b', 'x-1'));
    const number = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.double());
    const service = fc.record({
      kind: fc.constant('haproxy' as const),
      endpoint: text,
      url: fc.record({
        scheme: fc.constantFrom('http' as const, 'https' as const, 'tcp' as const, 'dns' as const),
        host: fc.option(text),
        port: number,
        path: fc.oneof(
          fc.constant('/'),
          text.map((part) => `/${part}/`),
          text,
        ),
      }),
      backends: fc.array(
        fc.record({ id: text, host: fc.oneof(text, fc.ipV4(), fc.ipV6()), port: fc.integer(), weight: fc.double() }),
      ),
      redirect: fc.option(fc.oneof(fc.webUrl(), text)),
      haproxy: fc.record({
        balance: fc.constantFrom('roundrobin' as const, 'leastconn' as const, 'uri' as const, 'source' as const),
        sticky: fc.boolean(),
        checkUrl: fc.option(
          fc.oneof(
            text,
            text.map((part) => `/${part}`),
          ),
        ),
        errorLocation: fc.option(fc.oneof(text, fc.webUrl())),
        connectTimeoutMs: number,
        serverTimeoutMs: number,
        ssl: fc.boolean(),
        sslCertificate: fc.option(fc.oneof(text, fc.constant(PEM))),
        sslKey: fc.option(fc.oneof(text, fc.constant(PEM))),
      }),
      windowMs: fc.constant(10_000),
    });
    const plain = '[A-Za-z0-9._~!&()*+,:=@/?-]+';
    const values = new RegExp(
      `^(?: {4}(?:bind (?::\\d+|\\[::\\]:\\d+ v6only)(?: ssl(?: crt /var/lib/reactor/haproxy/pems/[0-9a-f]{12}\\.pem)+)?|use_backend r[0-9a-f]{12}(?: if (?:\\{ req\\.hdr\\(host\\),host_only -i -m str [a-z0-9._[\\]:-]+ \\} ?)?(?:\\{ path -m (?:beg|str) ${plain} \\})?)?|default_backend (?:r[0-9a-f]{12}|reactor_unknown)|server s[0-9a-f]{12} (?:[0-9.]+|\\[[0-9a-fA-F:.]+\\]):\\d+ weight \\d+ pool-purge-delay 1s check inter 2s fastinter 500ms downinter 1s fall 2 rise 1|balance (?:roundrobin|leastconn|uri|source)|timeout (?:connect|server) \\d+ms|http-check send meth GET uri ${plain}|errorloc302 \\d{3} ${plain}|http-request redirect location ${plain} code 30[12] if \\{ (?:nbsrv eq 0|path -m str ${plain}) \\}|http-request set-path (?:/|%\\[path,bytes\\(\\d+\\)\\])|dynamic-cookie-key [0-9a-f]{12}|description reactor-[0-9a-f]{12})|(?:frontend port_\\d+|backend r[0-9a-f]{12}))$`,
    );
    const fixed = new Set(
      textOf([
        serviceAt('a', 1, { path: '/x/', haproxy: { sticky: true, checkUrl: '/' } }),
        serviceAt('b', 2, { scheme: 'tcp', haproxy: { sticky: true } }),
        serviceAt('c', 3, { scheme: 'https', haproxy: TLS }),
      ])
        .split('\n')
        .concat(textOf([]).split('\n')),
    );
    fc.assert(
      fc.property(fc.array(service, { maxLength: 4 }), (services) => {
        const strays = textOf(services)
          .split('\n')
          .filter((line) => !values.test(line) && !fixed.has(line));
        expect(strays).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
