import { ReactorError } from '@reactor/core';
import { NOTHING_KNOWN, parseEndpointName, readDocument, resolveDaemon, vet } from '../src/index.js';

/** Reads and resolves; the one line of the error, `warning: …` lines when there is none, or `fine`. */
function told(text: string | Uint8Array): string {
  try {
    const { warnings } = vet(readDocument(text), NOTHING_KNOWN);
    return warnings.length === 0 ? 'fine' : warnings.map((warning) => `warning: ${warning}`).join('\n');
  } catch (error) {
    if (!(error instanceof ReactorError)) throw error;
    expect(error.message).not.toMatch(/[\n\r]/);
    expect(['config_syntax', 'config_invalid', 'config_too_large']).toContain(error.code);
    return error.message;
  }
}
const inEndpoint = (line: string) => told(`[endpoint]\n${line}\n`);
const inScaling = (line: string) => told(`[scaling]\n${line}\n`);
const inDocker = (line: string) => told(`[cloud:docker]\n${line}\n`);
const inNginx = (line: string) => told(`[loadbalancer:nginx]\n${line}\n`);

/** 1024 bits of RSA, made for this test. */
const WEAK = {
  certificate: `-----BEGIN CERTIFICATE-----
MIIB/DCCAWWgAwIBAgIUDfJC/i5KJ7XV3RY9MYv60kmcTz8wDQYJKoZIhvcNAQEL
BQAwDzENMAsGA1UEAwwEd2VhazAgFw0yNjExMjExNTU5MjBaGA8yMTI2MTAyODE1
NTkyMFowDzENMAsGA1UEAwwEd2VhazCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkC
gYEAwrnL1PGnzL2XXptpSNmnQU638hbMHJMe/oidVHL6aljwInTNCbIcc4gKGDad
OTNBTHKDlkYYu8Iu0CTTzPgxJMPF5XaZF6YHSHW7ktEQFDFUU8MWhc93wawdzAdT
i3JdUulsoeiF9ptMG9N9CKg1td4WXThvYRenCMP6mHSVMVsCAwEAAaNTMFEwHQYD
VR0OBBYEFGZF05Mwxs77ZX6jJzWAZEbmQmKiMB8GA1UdIwQYMBaAFGZF05Mwxs77
ZX6jJzWAZEbmQmKiMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADgYEA
oMpxKevu525MHMn04GUnIK7C3fhq2VuTqapibFlSExMiNvfCLjWRgKobkt9gH4I6
IeYUyott3LxhBGDE8wihvXwanHGBEGmh4ZQe/oThQPDP8sl0tBYigJ9MpqyKwiRh
SEw0JNWc7L1e4OnG9QIXzhxVdZGG6eYypnKxXKNW3iw=
-----END CERTIFICATE-----`,
  key: `-----BEGIN PRIVATE KEY-----
MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAMK5y9Txp8y9l16b
aUjZp0FOt/IWzByTHv6InVRy+mpY8CJ0zQmyHHOIChg2nTkzQUxyg5ZGGLvCLtAk
08z4MSTDxeV2mRemB0h1u5LREBQxVFPDFoXPd8GsHcwHU4tyXVLpbKHohfabTBvT
fQioNbXeFl04b2EXpwjD+ph0lTFbAgMBAAECgYB0ZSbH5KMOqQ1ACdmHKELnsKwX
UzUyp2ZRc0vH3Op+gycXEYY2E3caP+j4zDxyooaXsaOiQcgrA0mENV89F+YXLtQ2
gN5Q9weLRgl1XC8apM/RUchM8pEtGFKG8mASBmpt2jfJbSQKMIG4MPfR4AJCtTh+
Z6vD7zL9bfkqSKM1UQJBAOKHfuTmseTWIGOXPodh67pGI7miHPAj1LTblE/kYqpX
5+sHQ39GDC2erBpJiPVs/oOHx/auWkiFTOQ8rImlQr8CQQDcDxeN93Jiazy2Aeg3
F4WqwcRiAXfe9gijWjf/iL9elVeD7vU39BoGgRyiNg4VOcDH0DxNVTPaz2pj1d0p
wSRlAkEAlSpp6arri2dgzpOiTh2xzugu0Ccq7Qp7H1jUEcOvIMJf6gjPbnievk+U
vn6bnBjYg54ek5Z9xvFYD5bQepcDGwJAHEhYR6fA7MNJlz7hgIsmY87plYsIxAAt
FgmXXuFNbzOUfuFsZNebrLBVZMe7waCdlVC/H1VPB9VWoCQxe5dWPQJATpXRfyx6
blW+prdgqGABT8ej+Ib2JDqlWDa0CghEfoEzOP6vC77qzasK4eu0OFTCATHWGmpN
EQBJPYllV4//Ag==
-----END PRIVATE KEY-----`,
};
const indented = (pem: string) => pem.trim().replaceAll('\n', '\n  ');

const deepJson = `{"endpoint":${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
const bomb = `[endpoint]\nx0 = ${'a'.repeat(100)}\n${Array.from({ length: 10 }, (_, n) => `x${n + 1} = ${`%(x${n})s`.repeat(10)}`).join('\n')}\n`;

test.each<[string, string, string]>([
  ['B1', told('url=http://'), "line 1, column 1: 'url=…' is outside a section; add [endpoint] first"],
  ['B1 of YAML', told('endpoint:\n  url: x'), "'endpoint:…' is outside a section"],
  ['B2', told('[endpoint'), "line 1, column 10: missing ']'"],
  ['B2 text behind', told('[endpoint] url=http://'), "line 1, column 12: unexpected text after ']'"],
  ['B3', told('[endpoint]\n\nport=80\nloadbalancer'), 'line 4, column 1: expected key=value'],
  ['B4', told('\ufeff[endpoint]\nport=80'), 'warning: line 1, column 1: the byte order mark is ignored'],
  ['B4 of bytes', told(Buffer.from('\ufeff[endpoint]\nport=80')), 'warning: line 1, column 1: the byte order mark is ignored'],
  ['B5', told('[endpoint]\nport=80\nurl=http\0://'), 'line 3, column 9: control character \\x00'],
  ['B5 escape', told('[endpoint]\nport=80\u001b[2J'), 'control character \\x1b'],
  ['B5 half a pair', told('[endpoint]\nurl=\ud800'), 'control character \\ud800'],
  ['B5 lone return', told('[endpoint]\rport=80'), 'control character \\x0d'],
  ['B6', told(Buffer.concat([Buffer.from('[endpoint]\nurl='), Buffer.from([0xc3, 0x28])])), 'not UTF-8 at byte 16'],
  ['B7 marked', told(Buffer.from('\ufeff[endpoint]', 'utf16le')), 'looks like UTF-16; save as UTF-8'],
  ['B7 unmarked', told(Buffer.from('[endpoint]', 'utf16le')), 'looks like UTF-16'],
  ['B7 other order', told(Buffer.from('[endpoint]', 'utf16le').swap16()), 'looks like UTF-16'],
  ['B7 as a text', told('[\0e\0n\0'), 'looks like UTF-16'],
  ['B8', told('[cloud:docker]\nimage=a\nuser=x\n\ncommand=50% off'), "line 5, column 11: '%' must be written '%%'"],
  ['B8 bad reference', inEndpoint('url=%(x'), "'%' must be written '%%'"],
  ['B9', told('[endpoint]\na=%(b)s\nb=%(a)s'), 'interpolation cycle a → b → a'],
  ['B9 of itself', told('[endpoint]\na=%(A)s'), 'interpolation cycle a → a'],
  ['B9 unknown', told('[endpoint]\nurl=http://%(nowhere)s/'), "there is no key 'nowhere'"],
  ['B10', told(bomb), 'expands beyond 64 KiB'],
  [
    'B10 by sections',
    told(`[DEFAULT]\nx=${'a'.repeat(60_000)}\n${Array.from({ length: 50 }, (_, n) => `[s${n}]\n`).join('')}`),
    'expand the config beyond 262 144 characters',
  ],
  ['B11 section', told('[__proto__]\nx=1'), "line 1, column 2: reserved name '__proto__'"],
  ['B11 constructor', told('[constructor]'), "reserved name 'constructor'"],
  ['B11 key', told('[endpoint]\n__PROTO__=1'), "line 2, column 1: reserved name '__proto__'"],
  ['B11 in JSON', told('{"__proto__":{"x":1}}'), "reserved name '__proto__'"],
  ['B12', told('[endpoint]\nport=1\n[endpoint]\nport=2'), 'warning: line 4 overrides line 2: endpoint.port'],
  ['B12 the same', told('[endpoint]\nport=1\nport=1'), 'fine'],
  ['B13', told('[scalling]\nx=1'), "warning: scalling (line 1, column 1): unknown section 'scalling'; did you mean 'scaling'?"],
  [
    'B14',
    inScaling('max_instance=3'),
    "warning: scaling.max_instance (line 2, column 14): unknown key 'max_instance'; did you mean 'max_instances'?",
  ],
  ['B15', told('#'.repeat(10_485_760)), 'config is 10 485 760 bytes; limit 262 144'],
  ['B16', inDocker('image=a\n  --privileged'), 'cloud:docker.image (line 3, column 3): line break not allowed'],
  ['B16 in a list', inDocker('environment=A=1\n  B=2'), 'item 1: line break not allowed'],
  ['B17', told('<!DOCTYPE html>'), "not INI or JSON (starts with '<!DOC')"],
  ['B17 attribute', told('<html lang="en">'), 'not INI or JSON'],
  ['B17 YAML', told('---\nendpoint:'), "not INI or JSON (starts with '---')"],
  ['B19 list', told('[1, 2]'), 'line 1, column 1: expected an object'],
  ['B19 number', told('12'), 'expected an object'],
  ['B19 null', told('null'), 'expected an object'],
  ['B19 nested text', told('"\\"x\\""'), 'expected an object'],
  ['B19 section', told('{"endpoint": 3}'), 'line 1, column 14: endpoint: expected an object of keys and values'],
  ['B19 value', told('{"endpoint": {"url": {}}}'), 'endpoint.url: expected a text, a number, a boolean or a list'],
  ['B20', told('{"scaling":{"max_instances":1,\n"max_instances":2}}'), 'line 2, column 1: duplicate key scaling.max_instances'],
  ['B20 by case', told('{"scaling":{"max_instances":1,"MAX_instances":2}}'), 'duplicate key scaling.max_instances'],
  ['B21', told(deepJson), 'nesting deeper than 32'],
  ['JSON cut off', told('{"endpoint": {'), 'line 1, column 15: expected a key in double quotes'],
  ['JSON and more', told('{} x'), "line 1, column 4: unexpected 'x' after the end"],
  ['JSON trailing comma', told('{"a":{},}'), 'expected a key'],

  ['B22', told('[scaling]\nmin_instances=5\nmax_instances=3'), 'min_instances (5) exceeds max_instances (3)'],
  ...['-1', '3.5', '""', '', '0x10', '1e3', '1_000', '٣', '+5', '007', '5 instances', 'Infinity', 'NaN', '1,000'].map(
    (text): [string, string, string] => [
      `B23-B26 ${text}`,
      inScaling(`max_instances=${text}`),
      `'${text === '""' ? '' : text}' is not a whole number`,
    ],
  ),
  ['B25 blank in JSON', told('{"scaling":{"max_instances":"  "}}'), "'' is not a whole number"],
  ['B26', inScaling('max_instances=0x10'), "scaling.max_instances (line 2, column 15): '0x10' is not a whole number"],
  ['B27', inScaling('max_instances=99999999999999999999'), 'above limit 10 000'],
  ['B28', inEndpoint('unknown_timeout=9999999999'), 'above 2 147 483 s'],
  ['B29', inEndpoint('decommissioned_timeout=0'), 'must be > 0'],
  ['B29 rounded away', inEndpoint('decommissioned_timeout=0.0001'), 'must be > 0'],
  ['B29 no unit', inEndpoint('drain_timeout=5 parsecs'), 'is not a duration; write seconds, or 300ms, 30s, 2m, 1h'],
  ['B31', told('[endpoint]\nurl=http://\ncloud=docker\nloadbalancer=nginx\n[cloud:docker]\nimage=a'), 'port required for nginx'],
  ...['65536', '80/tcp', 'http', '-1'].map((text): [string, string, string] => [
    `B31 ${text}`,
    inEndpoint(`port=${text}`),
    `'${text}' is not a port; expected port 1-65535`,
  ]),
  ['B32', inDocker('slots=0'), 'must be at least 1'],
  ['B34', inDocker('mem_limit=1'), 'below Docker minimum 6 MiB'],
  ['B34 huge', inDocker('mem_limit=9999999t'), 'above limit 1024 TiB'],
  ['B34 no size', inDocker('mem_limit=lots'), 'is not a size'],
  ['B35 yes', inNginx('ssl=yes'), "'yes': write true or false"],
  ['B35 1', inNginx('ssl=1'), 'write true or false'],
  ['B36', inEndpoint('cloud=dcoker'), "unknown cloud 'dcoker'; did you mean 'docker'?"],
  ['B36 later', inEndpoint('loadbalancer=rdp'), "'rdp' is not supported in this version"],
  ['B36 cloud', inEndpoint('cloud=osapi'), "'osapi' is not supported in this version"],
  ['B36 far', inEndpoint('cloud=heroku'), "unknown cloud 'heroku'; expected docker"],
  ['B37', inDocker('environment=FOO'), 'item 1: expected KEY=value'],
  ['B37 trailing comma', inDocker('environment=A=1,'), '(line 2, column 17): item 2: expected KEY=value'],
  ['B38 reserved', inDocker('environment=A=1, REACTOR_API=x'), "item 2: 'REACTOR_API' is reserved"],
  ['B38 reserved too', inDocker('environment=_REACTOR_SCHEDULER_SLOTS=1'), 'is reserved'],
  ['B38 name', inDocker('environment=A B=1'), "'A B' is not a variable's name"],
  ...['UPPER/Case', 'img:tag:x', `a${'b'.repeat(5000)}`, '-v /:/h', '../x', 'a b', 'x@sha256:1', '-x.io/a'].map(
    (text): [string, string, string] => [
      `B39 ${text.slice(0, 20)}`,
      inDocker(`image=${text}`),
      'cloud:docker.image (line 2, column 7): ',
    ],
  ),
  ['B39 empty', told('[endpoint]\ncloud=docker'), 'cloud:docker.image (line 2, column 7): required with cloud = docker'],
  ['B40', inDocker('command=nc -l "4444'), 'cloud:docker.command (line 2, column 15): unbalanced quote'],
  ['B41', inDocker('user=root; rm'), 'letters, digits, . _ - : only'],
  ['B42', inDocker('dns=8.8.8'), "'8.8.8' is not an IP address"],
  ['B43', inDocker('hostname=a b'), "'a b' is not a host name"],
  ['B43 long', inDocker(`hostname=${'a'.repeat(300)}`), 'is not a host name'],
  ['B43 dash', inDocker('hostname=-x'), "'-x' is not a host name"],
  ['B44 negative', inEndpoint('weight=-1'), 'is not a whole number'],
  ['B44 zero', inEndpoint('weight=0'), 'must be at least 1'],
  ['B44 huge', inEndpoint('weight=1000000000'), 'above limit 65 535'],

  ...[
    'http:/x',
    'ftp://x',
    'javascript:alert(1)',
    'http://[::1',
    'http://user:pass@x/',
    'http://x#frag',
    'http://x?q',
    'x',
    'HTTP//x',
  ].map((text): [string, string, string] => [
    `B45 ${text}`,
    inEndpoint(`url=${text}`),
    'expected http(s)://[host][:port][/path]',
  ]),
  ['B45 port', inEndpoint('url=http://h:99999/'), '(line 2, column 14): '],
  ['B46', told('{"endpoint":{"url":"http://a\\tb/"}}'), 'without blanks or control characters'],
  ['B46 line', told('{"endpoint":{"url":"http://a\\nb/"}}'), 'line break not allowed'],
  ['B47', inEndpoint('url=http://127.1/'), "'127.1' is not an IPv4 address"],
  ['B47 hexadecimal', inEndpoint('url=http://0x7f.1/'), 'is not an IPv4 address'],
  ['B47 full width', inEndpoint('url=http://０x7f.1/'), 'write international names as xn--'],
  ...['{', '}', ';', '$', "'", '"', '`', '\\', '<', '%'].map((text): [string, string, string] => [
    `B48 ${text}`,
    told(JSON.stringify({ endpoint: { url: `http://x/a${text}b` } })),
    `path: character '${text}' not allowed`,
  ]),
  ['B48 climbing', inEndpoint('url=http://x/a/../b'), "no empty, '.' or '..' segments"],
  ['B49 wildcard', inEndpoint('url=http://*.x/'), 'wildcard hosts are not supported'],
  ['B49 pattern', inEndpoint('url=http://~^(.*)$/'), "host: character '~' not allowed"],
  ['B49 empty label', inEndpoint('url=http://a..b/'), 'a label is empty'],
  ['B49 long label', inEndpoint(`url=http://${'a'.repeat(64)}/`), 'label longer than 63'],
  ['B49 long', inEndpoint(`url=http://${'a.'.repeat(127)}a/`), 'host name longer than 253'],
  ['B49 dot', inEndpoint('url=http://a./'), 'with a dot at its end'],
  ['B49 homograph', inEndpoint('url=http://аpple.com/'), 'write international names as xn--'],
  [
    'B51',
    told('[endpoint]\nurl=https://\nloadbalancer=nginx\n[loadbalancer:nginx]\nssl=true'),
    'warning: loadbalancer:nginx.ssl_certificate (line 2, column 5): unset',
  ],
  ['B51 one of two', inNginx('ssl_certificate=x'), 'ssl_key (line 2, column 17): required with ssl_certificate'],
  ['B51 no PEM', inNginx('ssl_certificate=x\nssl_key=y'), 'expected a PEM certificate and nothing else'],
  [
    'B51 password',
    inNginx('ssl_certificate=x\nssl_key=-----BEGIN ENCRYPTED PRIVATE KEY-----'),
    'the private key is password-protected',
  ],
  [
    'B51 weak',
    told(`[loadbalancer:nginx]\nssl_certificate=${indented(WEAK.certificate)}\nssl_key=${indented(WEAK.key)}`),
    'its RSA key has 1024 bits; expected at least 2048',
  ],
  ['redirect to https without it', inNginx('redirect_http=true'), 'redirect_http (line 2, column 15): needs ssl = true'],
  ['stickiness', inNginx('sticky_by=ip'), "unknown way 'ip'; expected cookie, address"],
  [
    'stickiness that is off',
    inNginx('sticky_by=address'),
    'warning: loadbalancer:nginx.sticky_by (line 2, column 11): has no effect without',
  ],
  ['body limit', inNginx('max_body=lots'), 'is not a size'],
  ['body limit that is none', inNginx('request_buffering=true'), 'max_body (line 2, column 19): required with request_buffering'],
  ['no time to connect', inNginx('connect_timeout=0'), 'must be > 0'],
  ['a day and more', inNginx('read_timeout=25h'), 'above 86 400 s'],
  ['header without a colon', inNginx('request_headers=X-A b'), 'expected Name: value'],
  ['header in one word', inNginx('request_headers=X-A:b'), 'with a blank after the colon'],
  ['header name', inNginx('request_headers=X_A: b'), 'a name is letters, digits and -'],
  ['header twice', inNginx('request_headers=X-A: b\n  x-a: c'), '(line 3, column 3): x-a is set twice'],
  ['header of ours', inNginx('request_headers=X-Real-IP: 127.0.0.1'), "X-Real-IP is the load balancer's own"],
  ['header that frames', inNginx('response_headers=Transfer-Encoding: chunked'), "Transfer-Encoding is the load balancer's own"],
  ['header of nginx', inNginx('response_headers=X-Accel-Redirect: /x'), "X-Accel-Redirect is the load balancer's own"],
  ['header with a variable', inNginx('response_headers=X-A: $host'), 'any visible ASCII character but $ and'],
  ['header with both quotes', inNginx(`response_headers=X-A: "'`), 'has both kinds of quotes'],
  ['header that is long', inNginx(`response_headers=X-A: ${'a'.repeat(1025)}`), 'longer than 1024'],
  [
    'headers without end',
    inNginx(`request_headers=${Array.from({ length: 33 }, (_, n) => `X-${n}: a`).join(', ')}`),
    'more than 32 headers',
  ],
  ...['//evil', 'javascript:x', 'http://', 'http://a$b/', 'http://a/;x', 'https://a/"'].map((text): [string, string, string] => [
    `B53 ${text}`,
    inEndpoint(`redirect=${text}`),
    'http(s) URL only',
  ]),
  ['B53 line', told('{"endpoint":{"redirect":"http://a/\\r\\nX: y"}}'), 'line break not allowed'],
  ['B53 loop', told('[endpoint]\nurl=http://a/\nredirect=http://A:80/x'), 'would loop'],
  ['a hash that is none', inEndpoint('auth_hash=xyz'), 'endpoint.auth_hash (line 2, column 11): not hexadecimal'],
  ['a hash of another algorithm', inEndpoint('auth_hash=abcd'), 'expected 40 hexadecimal digits, as sha1 makes them'],
  ['an unknown algorithm', inEndpoint('auth_algo=sha3'), "unknown algorithm 'sha3'"],
  ['B54 no name', inEndpoint('instances_source=../b'), 'instances_source (line 2, column 18): name: 1–64 of'],
  ['B54 no name either', inEndpoint('metrics_source=a b'), 'metrics_source (line 2, column 16): name: 1–64 of'],

  ['B56', inScaling('rules=rate > 1'), "use 'lower < metric < upper'; write '1 < rate'"],
  ...[
    '0 < rate <',
    '< rate < 1',
    '1 < rate < 0',
    '1 < rate < 1',
    '0 <= rate <= 0',
    '-1 < rate',
    'a < rate < b',
    'rate',
    '0 < rate < 1 < 2',
    'rate==1',
    'rate =< 1',
    'rate ≤ 1',
    'a<1,,b<2',
    `rate <${' '.repeat(4000)}1`,
  ].map((text): [string, string, string] => [
    `B57-B67, B71 ${text.slice(0, 20)}`,
    inScaling(`rules=${text}`),
    'scaling.rules (line 2, column ',
  ]),
  ['B67', inScaling('rules=a<1,,b<2'), 'rule 2 is empty'],
  [
    'B68',
    inScaling('max_instances=2\nrules=rat < 1'),
    "warning: scaling.rules (line 3): No source reports 'rat', so the count cannot fall. (did you mean 'rate'?)",
  ],
  [
    'B69',
    inScaling('max_instances=2\nrules=rate < 1, 2 < rate'),
    "warning: scaling.rules (line 3): Nothing can satisfy both rule 1 'rate < 1' and rule 2",
  ],
  ['B71', inScaling(`rules=rate < ${' '.repeat(65_536)}1`), 'rule longer than 256'],
])('%s is told in one line', (_id, line, expected) => {
  expect(line).toContain(expected);
});

test.each([
  '',
  '.',
  '..',
  '../../etc',
  '%2e%2e%2f',
  'a/b',
  'a\0',
  'a\n',
  '\u202ea',
  '😀',
  '__proto__',
  'constructor',
  'a'.repeat(65),
  '-a',
  'a ',
  ' a',
])('B55: %j is no name of an endpoint', (text) => {
  expect(parseEndpointName(text)).toMatchObject({ ok: false, fault: { message: expect.stringMatching(/^name: /) } });
});

test.each(['a', 'pyex', 'con', 'api-2.eu_1', '9', 'A'.repeat(64)])('B55: %s is one', (text) => {
  expect(parseEndpointName(text)).toEqual({ ok: true, value: text });
});

test.each<[Readonly<Record<string, string>>, string]>([
  [{ REACTOR_PORT: '80a' }, "REACTOR_PORT: '80a' is not a port; expected port 1-65535"],
  [{ REACTOR_HOST: 'a b' }, "REACTOR_HOST: host: character ' ' not allowed"],
  [{ REACTOR_LISTEN: 'here' }, "REACTOR_LISTEN: 'here': expected host:port, or :port for all interfaces"],
  [{ REACTOR_STATE: 'redis:/x' }, 'REACTOR_STATE: expected embedded, redis://'],
  [{ REACTOR_STATE: 'redis://h/x' }, 'REACTOR_STATE: expected embedded'],
  [{ REACTOR_STATE: 'redis://u:secret@h:99999' }, "REACTOR_STATE: '99999' is not a port"],
  [{ REACTOR_DATA_DIR: 'relative' }, "REACTOR_DATA_DIR: 'relative' is not an absolute path"],
])('B98: the bad variable is named: %j', (environment, message) => {
  expect(() => resolveDaemon({}, environment)).toThrow(message);
});

test('a password in the state URL is never repeated', () => {
  expect(() => resolveDaemon({}, { REACTOR_STATE: 'redis://u:secret@h/notanumber' })).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('secret') }),
  );
});

test('no document reaches the prototype of an object', () => {
  for (const text of [
    '[__proto__]\nprivileged=1',
    '{"__proto__":{"privileged":1}}',
    '{"endpoint":{"__proto__":{"privileged":1}}}',
  ]) {
    expect(() => readDocument(text)).toThrow(ReactorError);
  }
  expect(({} as Record<string, unknown>)['privileged']).toBeUndefined();
});
