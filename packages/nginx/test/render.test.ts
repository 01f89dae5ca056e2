import type { NginxConfig, NginxService as Service } from '@reactor/core';
import fc from 'fast-check';
import { portsOf, renderMain, renderShared, renderSites } from '../src/render.js';
import { selfSigned } from '../src/self-signed.js';
import { groupServices } from '../src/virtual-service.js';
import { type Statement, statementsOf } from './nginx-syntax.js';
import { backendAt, serviceAt } from './services.js';

const LAYOUT = { logPath: '/var/lib/reactor/access.log', certificates: 'sites/', ipv6: false };
const PEM = '-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n';

const tlsPair = { pair: { certificate: PEM, key: PEM } };
/** Everything nginx parses; certificates as they are when they have been generated. */
const configurationOf = (services: readonly Service[]) => {
  const virtual = groupServices(services).virtual.map((each) =>
    each.tls === null ? each : { ...each, tls: { ...each.tls, ...tlsPair } },
  );
  return [...renderSites(virtual, LAYOUT)].flatMap(([name, { text }]) => (name.endsWith('.conf') ? [text] : [])).join('');
};
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
    const text = [...files.values()].map((file) => file.text).join('');
    expect(text).toContain('listen 443 ssl http2 default_server;');
    expect(text).toContain('error_page 497 =308 https://$host$request_uri;');
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

  test('keepalive of an endpoint overrides ours; a client is known by its cookie, or by its address', () => {
    const sticky = (nginx: Partial<NginxConfig>) =>
      textOf([serviceAt('a', 80, { backends: [backendAt(1), backendAt(2)], nginx: { stickySessions: true, ...nginx } })]);
    expect(sticky({ keepalive: 7 })).toContain('    keepalive 7;\n');
    expect(sticky({})).toMatch(/^ {4}hash \$reactor_key_[0-9a-f]{12};\n {4}server/m);
    expect(sticky({})).toMatch(/^ {8}add_header Set-Cookie \$reactor_cookie_[0-9a-f]{12};$/m);
    expect(sticky({ stickyBy: 'address' })).toContain('    hash $binary_remote_addr consistent;\n    server');
    expect(sticky({ stickyBy: 'address' })).not.toContain('Cookie');
  });

  test('a location says only what differs from the usual, and with a header of its own all the others again', () => {
    const usual = textOf([serviceAt('a', 80, { backends: [backendAt(1)] })]);
    expect(usual.slice(usual.indexOf('location')).match(/proxy_|header|keepalive|body/g)).toEqual(['proxy_']);
    const own = textOf([
      serviceAt('a', 80, {
        backends: [backendAt(1)],
        nginx: {
          maxBodyBytes: 1024,
          connectTimeoutMs: 2_500,
          readTimeoutMs: 3_600_000,
          clientKeepaliveMs: 0,
          requestHeaders: [
            ['Host', 'inner'],
            ['X-Say', `"it's" not`.replace("'", '')],
            ['Accept-Encoding', ''],
          ],
          responseHeaders: [['X-Frame-Options', 'DENY']],
        },
      }),
    ]);
    const location = own.slice(own.indexOf('location'));
    for (const line of [
      'client_max_body_size 1024;',
      'proxy_connect_timeout 2500ms;',
      'proxy_next_upstream_timeout 12500ms;',
      'proxy_read_timeout 3600s;',
      'keepalive_timeout 0s;',
      'proxy_set_header Host "inner";',
      `proxy_set_header X-Say '"its" not';`,
      'proxy_set_header Accept-Encoding "";',
      'proxy_set_header X-Real-IP $remote_addr;',
      'proxy_hide_header X-Frame-Options;',
      'add_header X-Frame-Options "DENY" always;',
    ])
      expect(location).toContain(`        ${line}\n`);
    expect(location).not.toContain('$reactor_host');
    expect(location).not.toContain('send_timeout');
  });

  test('http of the same host is sent to https, but not where an endpoint serves it', () => {
    const https = (path: string, port = 443) =>
      serviceAt(`https${path}`, port, { scheme: 'https', host: 'a.b', path, nginx: { ssl: true, redirectHttp: true } });
    const text = configurationOf([https('/'), https('/x/', 8443), serviceAt('http', 80, { host: 'a.b' })]);
    expect(text).toMatch(/location \/x\/ \{\n.*no-store always;\n +return 308 https:\/\/a\.b:8443\$request_uri;/);
    expect(text.match(/return 308/g)).toHaveLength(1);
    const taken = serviceAt('a', 80, { scheme: 'https', nginx: { ssl: true } });
    expect(groupServices([taken, https('/')]).remarks).toEqual([
      "redirect_http of 'https/': port 80 serves https for endpoint 'a'",
    ]);
  });

  test('all of one host and port have its one certificate, of several that which is valid longest, whoever comes first', () => {
    const until = (day: number) => selfSigned({ names: ['a.b'], fromMs: 0, untilMs: Date.UTC(2030, 0, day) });
    const [short, long] = [until(1), until(2)];
    const tls = (path: string, pair: { certificate: string; key: string } | null) =>
      serviceAt(`e${path}`, 443, {
        scheme: 'https',
        host: 'a.b',
        path,
        nginx: { ssl: true, sslCertificate: pair?.certificate ?? null, sslKey: pair?.key ?? null },
      });
    const shown = (...services: readonly Service[]) => {
      const { virtual, setAside, remarks } = groupServices(services);
      expect(setAside).toEqual({});
      return { pairs: virtual.map((each) => each.tls?.pair), remarks };
    };
    expect(shown(tls('/', null), tls('/x/', short), tls('/y/', short))).toEqual({ pairs: [short, short, short], remarks: [] });
    const remarks = ["'e/x/': the certificate of 'e/y/' for the same host is valid longer, and is used"];
    expect(shown(tls('/', null), tls('/x/', short), tls('/y/', long))).toEqual({ pairs: [long, long, long], remarks });
    expect(shown(tls('/', null), tls('/z/', null)).pairs).toEqual([null, null]);
  });

  test('HTTP/2 is spoken over TLS, by all hosts of a port or, when one of them says so, by none', () => {
    const https = (host: string, port: number, http2 = true) =>
      serviceAt(`${host}${port}`, port, { scheme: 'https', host, nginx: { ssl: true, http2 } });
    const text = configurationOf([
      https('a', 443),
      https('b', 443),
      https('a', 8443),
      https('b', 8443, false),
      serviceAt('c', 80),
    ]);
    const listens = [...text.matchAll(/listen (.*);/g)].map(([, words]) => words);
    expect(listens.sort()).toEqual([
      '443 ssl http2',
      '443 ssl http2',
      '443 ssl http2 default_server',
      '80 default_server',
      '8443 ssl',
      '8443 ssl',
      '8443 ssl default_server',
    ]);
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
    'x; load_module /tmp/evil.so;',
    'x\ninclude /etc/passwd;',
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

  test('https without ssl or with half a certificate, and two schemes on a port, say why', () => {
    const { setAside } = groupServices([
      serviceAt('a', 443, { scheme: 'https' }),
      serviceAt('b', 444, { scheme: 'https', nginx: { ssl: true, sslKey: PEM } }),
      serviceAt('c', 80),
      serviceAt('d', 80, { scheme: 'https', host: 'x', nginx: { ssl: true, sslCertificate: PEM, sslKey: PEM } }),
    ]);
    expect(Object.keys(setAside)).toEqual(['a', 'b', 'd']);
    expect(setAside['d']).toContain("endpoint 'c'");
  });

  test('whatever the service, no byte outside the allow-list is rendered', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom(...HOSTILE, 'a.b', 'x-1'));
    // One bad field sets a service aside; with more than a few of them nothing would be left to look at.
    const mostly = <T>(good: fc.Arbitrary<T>, bad: fc.Arbitrary<T>) =>
      fc.oneof({ arbitrary: good, weight: 30 }, { arbitrary: bad, weight: 1 });
    const amount = mostly(fc.integer({ min: 1, max: 99_999 }), fc.double());
    const pem = mostly(fc.constantFrom(null, PEM), text);
    const header = fc.oneof(
      fc.tuple(
        fc.stringMatching(/^[A-Za-z][A-Za-z-]{0,8}$/),
        fc.string({ unit: fc.constantFrom(...' ~az{};"\'$\\#%\n'), maxLength: 4 }),
      ),
      fc.tuple(fc.constantFrom('Host', 'X-Real-IP', 'Set-Cookie', 'X-A'), fc.constantFrom('', 'a', "'", '"; }')),
      fc.tuple(mostly(fc.constant('X-B'), text), mostly(fc.constant('b'), text)),
    );
    const headers = fc.array(header, { maxLength: 2 });
    const backend = fc.record({
      id: text,
      host: mostly(fc.oneof(fc.ipV4(), fc.ipV6()), text),
      port: mostly(fc.integer({ min: 1, max: 65_535 }), fc.integer()),
      weight: mostly(fc.nat(99), fc.double()),
    });
    const endpoint = fc.record({
      kind: fc.constant('nginx' as const),
      endpoint: text,
      url: fc.record({
        scheme: mostly(fc.constantFrom('http' as const, 'https' as const), fc.constantFrom('tcp' as const, 'dns' as const)),
        host: mostly(fc.constantFrom(null, 'a.b', '[::1]'), text),
        port: mostly(fc.integer({ min: 1, max: 9 }), fc.double()),
        path: mostly(
          fc.constantFrom('/', '/a/', '/b'),
          text.map((part) => `/${part}/`),
        ),
      }),
      backends: fc.array(backend, { maxLength: 4 }),
      redirect: mostly(fc.constantFrom(null, 'http://x'), fc.option(fc.oneof(fc.webUrl(), text))),
      nginx: fc.record({
        keepalive: mostly(fc.nat(9), fc.double()),
        stickySessions: fc.boolean(),
        stickyBy: fc.constantFrom('cookie' as const, 'address' as const),
        ssl: fc.boolean(),
        http2: fc.boolean(),
        sslCertificate: pem,
        sslKey: pem,
        redirectHttp: fc.boolean(),
        redirect: mostly(fc.constant(null), fc.option(text)),
        maxBodyBytes: amount,
        connectTimeoutMs: amount,
        sendTimeoutMs: amount,
        readTimeoutMs: amount,
        clientKeepaliveMs: amount,
        buffering: fc.boolean(),
        requestBuffering: fc.boolean(),
        requestHeaders: headers,
        responseHeaders: headers,
      }),
      windowMs: fc.constant(10_000),
    });
    const fitting = (service: Service): Service => {
      const ssl = service.url.scheme === 'https';
      const whole = service.nginx.sslCertificate !== null && service.nginx.sslKey !== null;
      return { ...service, nginx: { ...service.nginx, ssl, ...(ssl && !whole ? { sslCertificate: null, sslKey: null } : {}) } };
    };
    const service = mostly(endpoint.map(fitting), endpoint);
    // What our own template says, and, where values differ, the harmless shape each may have.
    const template = new Set(
      statementsOf(
        configurationOf([
          serviceAt('a', 1, {
            backends: [backendAt(1)],
            nginx: { stickySessions: true, buffering: true, requestBuffering: true },
          }),
          serviceAt('b', 2, { host: 'x', path: '/x/', redirect: 'http://x' }),
          serviceAt('c', 3, { backends: [backendAt(1)], nginx: { stickySessions: true, stickyBy: 'address' } }),
          serviceAt('d', 4, { scheme: 'https', host: 'x', nginx: { ssl: true, redirectHttp: true } }),
          serviceAt('e', 5, { path: '/x/', backends: [backendAt(1)], nginx: { requestHeaders: [['X-A', 'b']] } }),
        ]),
      ).map(shapeOf),
    );
    const shapes: readonly RegExp[] = [
      /^upstream server (?:[0-9.]+|\[[0-9a-fA-F:.]+\]):\d+ weight=\d+ max_fails=2 fail_timeout=5s$/,
      /^upstream keepalive \d+$/,
      /^map [0-9a-f]{12} \d+$/,
      /^map (?:[0-9.]+|\[[0-9a-fA-F:.]+\]):\d+ [0-9a-f]{12}$/,
      /^map default reactor_HASH=\$reactor_at_HASH; Path=\/[A-Za-z0-9._~!&()*+,:=@/-]*; HttpOnly; SameSite=Lax(?:; Secure)?$/,
      /^server listen \d+(?: ssl(?: http2)?)?(?: default_server)?$/,
      /^server server_name [A-Za-z0-9_.[\]:-]+$/,
      /^server error_page 497 =308 https:\/\/(?:\$host|[A-Za-z0-9_.[\]:-]+)(?::\d+)?\$request_uri$/,
      /^server location (?:= )?\/[A-Za-z0-9._~!&()*+,:=@/-]*$/,
      /^server\/location return 301 https?:\/\/[A-Za-z0-9._~!&()*+,:=@%/?#-]+$/,
      /^server\/location return 308 https:\/\/(?:\$host|[A-Za-z0-9_.[\]:-]+)(?::\d+)?\$request_uri$/,
      /^server\/location (?:client_max_body_size|(?:keepalive|proxy_(?:connect|send|read|next_upstream))_timeout) \d+(?:ms|s)?$/,
      /^server\/location proxy_set_header (?!x-real-ip|x-forwarded|connection)[A-Za-z0-9-]+(?: [^$\\]*)?$/i,
      /^server\/location proxy_hide_header (?!set-cookie)[A-Za-z0-9-]+$/i,
      /^server\/location add_header (?!set-cookie)[A-Za-z0-9-]+ [^$\\]+ always$/i,
    ];
    let own = 0;
    fc.assert(
      fc.property(fc.array(service, { maxLength: 4 }), (services) => {
        for (const statement of statementsOf(configurationOf(services)).map(shapeOf)) {
          if (template.has(statement)) continue;
          if (!shapes.some((shape) => shape.test(statement))) throw new Error(statement);
          if (/ (?:add|proxy_set)_header /.test(statement)) own++;
        }
      }),
      { numRuns: 150 },
    );
    // That it looks at values of users, and not at an empty configuration.
    expect(own).toBeGreaterThan(30);
  });
});

/** Our hashes differ from run to run of the property; nothing else of the template may. */
const shapeOf = ({ within, words }: Statement) =>
  `${within.join('/')} ${words.join(' ')}`
    .trim()
    .replace(/(?<=reactor(?:_[a-z]+)?[._])[0-9a-f]{12}/g, 'HASH')
    .replace(/ [0-9a-f]{12}(?=\\t)/, ' HASH');

test('the main file names its sites and holds no user value', () => {
  const main = renderMain({ directory: '/var/lib/reactor/nginx', user: 'www-data', workers: 0, connections: 100 }, [
    'reactor.x.conf',
  ]);
  expect(main).toContain('user www-data;\nworker_processes auto;\n');
  expect(main).toContain('include sites/reactor.x.conf;');
  expect(renderShared()).toContain('websocket');
});
