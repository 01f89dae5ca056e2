import type { NginxService as Service } from '@reactor/core';
import fc from 'fast-check';
import { portsOf, renderMain, renderShared, renderSites } from '../src/render.js';
import { groupServices } from '../src/virtual-service.js';
import { backendAt, serviceAt } from './services.js';

const LAYOUT = { logPath: '/var/lib/reactor/access.log', certificates: 'sites/', ipv6: false };
const PEM = '-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n';

const textOf = (services: readonly Service[]) =>
  [...renderSites(groupServices(services).virtual, LAYOUT).values()].map(({ text }) => text).join('');

describe('sites', () => {
  test('the plain form serves every host of its port, over keep-alive, logged under its token', () => {
    const text = textOf([serviceAt('pyex', 80, { backends: [backendAt(8001), backendAt(8000)] })]);
    expect(text).toMatch(
      /upstream reactor_([0-9a-f]{12}) \{\n {4}server 127\.0\.0\.1:8000 weight=1 .*\n {4}server 127\.0\.0\.1:8001/,
    );
    expect(text).toContain('    keepalive 32;\n');
    expect(text).toContain('    listen 80 default_server;\n    server_name _;\n');
    expect(text).toMatch(
      /location \/ \{\n +access_log \/var\/lib\/reactor\/access\.log reactor_[0-9a-f]{12} buffer=64k flush=100ms;/,
    );
    expect(text).toMatch(/proxy_pass http:\/\/reactor_[0-9a-f]{12};/);
  });

  test('a path prefix is stripped, and what no path covers is not found', () => {
    const text = textOf([serviceAt('a', 80, { host: 'a.b', path: '/path/', backends: [backendAt(8000)] })]);
    expect(text).toMatch(/location \/path\/ \{[^}]*proxy_pass http:\/\/reactor_[0-9a-f]{12}\/;/);
    expect(text).toContain('location / { return 404; }');
    expect(text).toContain('server_name a.b;');
  });

  test('paths of one host share a server; a port of named hosts gets a default server that knows nobody', () => {
    const files = renderSites(
      groupServices([serviceAt('a', 80, { host: 'a.b' }), serviceAt('c', 80, { host: 'a.b', path: '/c/' })]).virtual,
      LAYOUT,
    );
    expect(files.size).toBe(2);
    const texts = [...files.values()].map(({ text }) => text);
    expect(texts.filter((text) => text.includes('location / {') && text.includes('location /c/ {'))).toHaveLength(1);
    expect(texts.filter((text) => text.includes('default_server') && text.includes('return 404'))).toHaveLength(1);
    expect([...portsOf(files)]).toEqual([80]);
  });

  test('hosts take turns, so that the tries of a request are not all on a dead one', () => {
    const on = (host: string) => [1, 2, 3].map((port) => ({ ...backendAt(port, `${host}:${port}`), host }));
    const text = textOf([serviceAt('a', 80, { backends: [...on('10.0.0.2'), ...on('10.0.0.1')] })]);
    const order = [...text.matchAll(/server (10\S+)/g)].map(([, address]) => address);
    expect(order.slice(0, 4)).toEqual(['10.0.0.1:1', '10.0.0.2:1', '10.0.0.1:2', '10.0.0.2:2']);
  });

  test('endpoints of one URL are one upstream with their weights; weight 0 is left out', () => {
    const text = textOf([
      serviceAt('new', 80, { backends: [backendAt(1, 'n', 1), backendAt(3, 'z', 0)] }),
      serviceAt('old', 80, { backends: [backendAt(2, 'o', 9)] }),
    ]);
    expect(text.match(/^upstream/gm)).toHaveLength(1);
    expect(text).toContain('server 127.0.0.1:1 weight=1 ');
    expect(text).toContain('server 127.0.0.1:2 weight=9 ');
    expect(text).not.toContain('127.0.0.1:3');
  });

  test('without a backend it answers 503, or sends the client to the redirect', () => {
    expect(textOf([serviceAt('a', 80)])).toContain('return 503 "');
    const redirect = textOf([serviceAt('a', 80, { redirect: 'https://status.example.com/x?y=1' })]);
    expect(redirect).toContain('return 301 "https://status.example.com/x?y=1";');
    expect(redirect).not.toContain('return 503');
  });

  test('a given certificate is rendered, its key for its owner alone', () => {
    const tls = { ssl: true, sslCertificate: PEM, sslKey: PEM.replaceAll('CERTIFICATE', 'PRIVATE KEY') };
    const files = renderSites(groupServices([serviceAt('a', 443, { scheme: 'https', nginx: tls })]).virtual, LAYOUT);
    const keys = [...files].filter(([, file]) => file.secret).map(([name]) => name);
    expect(keys).toEqual([expect.stringMatching(/^reactor\.[0-9a-f]{12}\.key$/)]);
    expect([...files.values()].map(({ text }) => text).join('')).toContain('listen 443 ssl default_server;');
  });

  test('the order of services and backends does not change a byte', () => {
    const services = [
      serviceAt('a', 80, { backends: [backendAt(1), backendAt(2)] }),
      serviceAt('b', 80, { backends: [backendAt(3)] }),
      serviceAt('c', 81, { host: 'x.y' }),
    ];
    const turned = [...services].reverse().map((service) => ({ ...service, backends: [...service.backends].reverse() }));
    expect(textOf(turned)).toBe(textOf(services));
  });

  test('keepalive of an endpoint overrides ours, sticky hashes the client', () => {
    const text = textOf([serviceAt('a', 80, { backends: [backendAt(1)], nginx: { keepalive: 7, stickySessions: true } })]);
    expect(text).toContain('    hash $binary_remote_addr consistent;\n    server');
    expect(text).toContain('    keepalive 7;\n');
  });

  test('IPv6 backends are bracketed', () => {
    expect(textOf([serviceAt('a', 80, { backends: [backendAt(1, 'x', 1, 'fd00::1')] })])).toContain('server [fd00::1]:1 ');
  });
});

describe('what is set aside', () => {
  const HOSTILE = [
    'a\nb',
    'a;b',
    'a b',
    '$host',
    '~^(.*)$',
    '{',
    '"',
    "'",
    '\\',
    'a\r\nb',
    'a\0b',
    '*.x',
    'a..b',
    `${'x'.repeat(64)}.b`,
    '#',
    '\u2028',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the attack is this text
    '${x}',
  ];

  test.each(HOSTILE)('a host, path, redirect or backend like %j never reaches the text', (value) => {
    const attacks = [
      serviceAt('host', 80, { host: value }),
      serviceAt('path', 80, { path: `/${value}/` }),
      serviceAt('redirect', 80, { redirect: `http://${value}` }),
      serviceAt('backend', 80, { backends: [backendAt(1, 'x', 1, value)] }),
      serviceAt('certificate', 443, { scheme: 'https', nginx: { ssl: true, sslCertificate: PEM + value, sslKey: PEM } }),
    ];
    const grouping = groupServices([...attacks, serviceAt('good', 81)]);
    const kept = grouping.virtual.flatMap(({ endpoints }) => endpoints);
    // As a path, letters, dots and stars are what they look like: nginx compares them literally.
    expect(kept).toEqual(/^[a-z.*]+$/.test(value) ? ['path', 'good'] : ['good']);
  });

  test('https without ssl or without a certificate, and two schemes on a port, say why', () => {
    const { setAside } = groupServices([
      serviceAt('a', 443, { scheme: 'https' }),
      serviceAt('b', 444, { scheme: 'https', nginx: { ssl: true } }),
      serviceAt('c', 80),
      serviceAt('d', 80, { scheme: 'https', host: 'x', nginx: { ssl: true, sslCertificate: PEM, sslKey: PEM } }),
    ]);
    expect(Object.keys(setAside)).toEqual(['a', 'b', 'd']);
    expect(setAside['d']).toContain("endpoint 'c'");
  });

  test('whatever the service, no byte outside the allow-list is rendered', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom(...HOSTILE, 'a.b', 'x-1'));
    const service = fc.record({
      kind: fc.constant('nginx' as const),
      endpoint: text,
      url: fc.record({
        scheme: fc.constantFrom('http' as const, 'https' as const, 'tcp' as const, 'dns' as const),
        host: fc.option(text),
        port: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.double()),
        path: fc.oneof(
          text.map((part) => `/${part}/`),
          text,
        ),
      }),
      backends: fc.array(
        fc.record({ id: text, host: fc.oneof(text, fc.ipV4(), fc.ipV6()), port: fc.integer(), weight: fc.double() }),
      ),
      redirect: fc.option(fc.oneof(fc.webUrl(), text)),
      nginx: fc.record({
        keepalive: fc.oneof(fc.nat(9), fc.double()),
        stickySessions: fc.boolean(),
        ssl: fc.boolean(),
        sslCertificate: fc.option(fc.oneof(text, fc.constant(PEM))),
        sslKey: fc.option(fc.oneof(text, fc.constant(PEM))),
        redirect: fc.option(text),
      }),
      windowMs: fc.constant(10_000),
    });
    // Our own template, with every value replaced by the harmless shape it may have.
    const line =
      /^(?:# Written by reactor\. Changes are overwritten\.|log_format reactor_[0-9a-f]{12} "[0-9a-f]{12}[\\a-z$_]+";|upstream reactor_[0-9a-f]{12} \{|server \{|\}| {4}server (?:[0-9.]+|\[[0-9a-fA-F:.]+\]):\d+ weight=\d+ max_fails=2 fail_timeout=5s;| {4}listen \d+(?: ssl)?(?: default_server)?;| {4}server_name [A-Za-z0-9_.[\]:-]+;| {4}location (?:= )?\/[A-Za-z0-9._~!&()*+,:=@/-]* \{| {8}return 301 "https?:\/\/[A-Za-z0-9._~!&()*+,:=@%/?#-]+";| {4}keepalive \d+;|-----(?:BEGIN|END) [A-Z0-9 ]+-----|[A-Za-z0-9+/=]+)$/;
    const template = new Set(
      textOf([
        serviceAt('a', 1, { backends: [backendAt(1)], nginx: { stickySessions: true } }),
        serviceAt('b', 2, { host: 'x', path: '/x/', redirect: 'http://x' }),
        serviceAt('c', 3),
        serviceAt('d', 4, { scheme: 'https', host: 'x', nginx: { ssl: true, sslCertificate: PEM, sslKey: PEM } }),
      ])
        .split('\n')
        .map(blank),
    );
    fc.assert(
      fc.property(fc.array(service, { maxLength: 4 }), (services) => {
        for (const rendered of textOf(services).split('\n'))
          expect(line.test(rendered) || template.has(blank(rendered))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

/** Our hashes differ from run to run of the property; nothing else of a template line may. */
const blank = (line: string) => line.replace(/(?<=reactor[._])[0-9a-f]{12}/g, 'HASH');

test('the main file names its sites and holds no user value', () => {
  const main = renderMain({ directory: '/var/lib/reactor/nginx', user: 'www-data', workers: 0, connections: 100 }, [
    'reactor.x.conf',
  ]);
  expect(main).toContain('user www-data;\nworker_processes auto;\n');
  expect(main).toContain('include sites/reactor.x.conf;');
  expect(renderShared()).toContain('websocket');
});
