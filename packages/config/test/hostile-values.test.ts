import { readDocument, resolveEndpoint } from '@reactor/config';
import { ENDPOINT_KEYS } from '../src/endpoint-schema.js';

/** Values that would do harm if anything took them for more than a value. */

const resolve = (text: string) => {
  const { document, places } = readDocument(text);
  return resolveEndpoint(document, places).config;
};
const inside = (section: string, key: string, value: string): string =>
  `[endpoint]\ncloud=docker\nport=1\n[cloud:docker]\nimage=a\n[${section}]\n${key}=${value}\n`;

describe.each([
  'x; touch /tmp/p',
  '$(touch /tmp/p)',
  '`touch /tmp/p`',
  '-oProxyCommand=touch',
  '--privileged',
  '| sh',
  '../../x',
])('what a shell would run, %j', (value) => {
  test.each(['image', 'user', 'hostname', 'dns', 'network', 'volumes_from'])('is refused as %s', (key) => {
    expect(() => resolve(inside('cloud:docker', key, value))).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });

  test('as a command is words for one program, and as a variable a text', () => {
    const { container } = resolve(inside('cloud:docker', 'command', value));
    expect(container?.command?.join(' ')).toBe(value);
    expect(resolve(inside('cloud:docker', 'environment', `A=${value}`)).container?.environment).toEqual([['A', value]]);
  });
});

test.each([
  '127.1',
  '2130706433',
  '0x7f000001',
  '0x7f.1',
  '017700000001',
  '127.0.0.01',
  '１２７.0.0.1',
  '127.0.0.1.',
  '[::ffff:127.0.0.1',
  '::1%%lo',
  'unix:/run/docker.sock',
  'gopher://x',
  'http://169.254.169.254',
  'a@b',
  'x:0',
  'x:80/path',
])('the backend %s, another way to write an address, is refused: only what is plainly there is asked', (address) => {
  expect(() => resolve(inside('endpoint', 'static_instances', address))).toThrow(
    expect.objectContaining({ code: 'config_invalid' }),
  );
});

test.each(['http://169.254.169.254/', '//evil', 'unix:/x', 'x', '/a b', '/a\tb', '/\u0000', '/a\\b', '/é', ''.padEnd(600, '/a')])(
  'a health check asks a path of the container, never %j',
  (path) => {
    const text = JSON.stringify({ endpoint: { cloud: 'docker', port: 1, health_check: path }, 'cloud:docker': { image: 'a' } });
    const refused = (() => {
      try {
        return resolve(text).healthCheck.path;
      } catch (error) {
        return error as Error;
      }
    })();
    // `//evil` is a path as any other: it is sent to the container's own address.
    if (path === '//evil') expect(refused).toBe('//evil');
    else expect(refused).toMatchObject({ code: expect.stringMatching(/^config_/) });
  },
);

describe('a configuration made to take long', () => {
  /** Of the processor, for the machine may be busy with something else. */
  const withinASecond = (work: () => unknown): void => {
    const begun = process.cpuUsage();
    try {
      work();
    } catch (error) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^config_/) });
    }
    expect(process.cpuUsage(begun).user).toBeLessThan(1_000_000);
  };

  test.each([
    [
      'a thousand rules',
      inside('scaling', 'rules', Array.from({ length: 1_000 }, (_, n) => `${n} < rate < ${n + 1}`).join(', ')),
    ],
    ['a rule of blanks', inside('scaling', 'rules', `1 <${' '.repeat(60_000)}rate`)],
    ['a thousand constraints', inside('cloud:docker', 'constraints', Array(1_000).fill('a==/(x+x+)+y/').join(', '))],
    ['a pattern that explodes', inside('cloud:docker', 'constraints', `a==/^(${'a?'.repeat(40)})+$/`)],
    ['a certificate of 200 kB', inside('loadbalancer:nginx', 'ssl_certificate', 'A'.repeat(200_000))],
    ['ten thousand variables', inside('cloud:docker', 'environment', Array(10_000).fill('A=1').join(','))],
    ['a command of quotes', inside('cloud:docker', 'command', `"${'\\"'.repeat(50_000)}"`)],
    ['blanks at every end', `[endpoint]\nurl=${' '.repeat(100_000)}x${' '.repeat(100_000)}`],
    ['ten thousand sections', Array.from({ length: 10_000 }, (_, n) => `[s${n}]\na=1`).join('\n')],
    ['JSON of brackets', `{"endpoint":${'['.repeat(100_000)}`],
  ])('%s is read or refused within a second', (_what, text) => {
    withinASecond(() => resolve(text));
  });

  test('no key takes a text of a megabyte', () => {
    for (const { section, key } of Object.values(ENDPOINT_KEYS)) {
      expect(() => resolve(inside(section, key, 'x'.repeat(1024 * 1024)))).toThrow(
        expect.objectContaining({ code: 'config_too_large' }),
      );
    }
  });
});
