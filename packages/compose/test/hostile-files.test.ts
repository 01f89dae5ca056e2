// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of a Compose file look like this
import { importCompose } from '@reactor/compose';
import { ReactorError } from '@reactor/core';
import fc from 'fast-check';

/** Compose files that mean harm, or nothing: refused in one line and at once, whatever is in them. */

const read = (text: string) =>
  importCompose({
    text,
    file: 'compose.yml',
    directory: '/srv/shop',
    home: null,
    project: null,
    variables: new Map(),
    readFile: () => null,
  });

/** Ten anchors, each a list of ten of the one before. */
const laughs = ['a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]']
  .concat([...'bcdefghi'].map((name, index) => `${name}: &${name} [${Array(10).fill(`*${'abcdefgh'[index]}`).join(', ')}]`))
  .join('\n');

test.each<[what: string, text: string, code: string, message: RegExp]>([
  ['aliases that multiply', `${laughs}\nservices: *i`, 'config_syntax', /Excessive alias count/],
  ['an alias of itself', 'services: &a {web: *a}', 'config_syntax', /compose.yml: /],
  ['an alias of nothing', 'services: *gone', 'config_syntax', /Unresolved alias .*gone/],
  ['brackets without end', '['.repeat(100_000), 'config_syntax', /nesting deeper than 32/],
  ['dashes without end', `${'- '.repeat(50_000)}x`, 'config_syntax', /nesting deeper than 32/],
  ['indentation without end', deep(200), 'config_syntax', /nesting deeper than 32/],
  ['two megabytes', `# ${'x'.repeat(2 * 1024 * 1024)}`, 'config_too_large', /more than 1048576 bytes/],
  ['a thousand services', `services:\n${many(1_000)}`, 'config_too_large', /1000 services; at most 200/],
  ['a key twice', 'services:\n  a: {image: x}\n  a: {image: y}\n', 'config_syntax', /line 3, column 3: Map keys must be unique/],
  ['two documents', 'services: {}\n---\nservices: {}\n', 'config_syntax', /multiple documents/],
  ['a tab as indentation', 'services:\n\tweb: x', 'config_syntax', /line 2/],
  ['HTML', '<!DOCTYPE html>', 'config_invalid', /not a Compose file/],
  ['nothing', '', 'config_invalid', /not a Compose file/],
  ['a list', '[1]', 'config_invalid', /not a Compose file/],
  ['a list as key', 'services: {[a]: b}', 'config_syntax', /line 1/],
  ['a function by tag', 'services: !!js/function "x"', 'config_invalid', /not a Compose file/],
])('%s', (_what, text, code, message) => {
  const begun = process.cpuUsage();
  expect(() => read(text)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  expect(process.cpuUsage(begun).user).toBeLessThan(2_000_000);
});

function deep(levels: number): string {
  return Array.from({ length: levels }, (_, level) => `${' '.repeat(level)}a:`).join('\n');
}

function many(count: number): string {
  return Array.from({ length: count }, (_, index) => `  s${index}: {image: x}`).join('\n');
}

test('names that are members of every object are names like any other', () => {
  const { endpoints, mistakes } = read('services:\n  __proto__: {image: x, privileged: true}\n');
  expect([endpoints, mistakes]).toEqual([[], [expect.stringContaining('__proto__: name: ')]]);
  read('services: {web: {image: x, x-reactor: {__proto__: {privileged: "true"}}, environment: {__proto__: polluted}}}');
  expect(({} as Record<string, unknown>)['privileged']).toBeUndefined();
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('a variable that doubles itself again and again is cut off', () => {
  const bomb = '${A:-'.repeat(20);
  expect(read(`services: {web: {image: x, hostname: '${bomb}x${'}'.repeat(20)}'}}`).mistakes).toEqual([
    'services.web.hostname: defaults within defaults deeper than 16',
  ]);
});

test('a value cannot smuggle a key into the endpoint', () => {
  for (const value of ['x\\n[cloud:docker]\\nnetwork=host', 'x\\nnetwork = host', 'x\\n  privileged = true']) {
    for (const key of ['image', 'user', 'hostname']) {
      const { mistakes } = read(`services: {web: {${key === 'image' ? '' : 'image: x, '}${key}: "${value}"}}`);
      expect([key, mistakes.length]).toEqual([key, 1]);
    }
  }
});

test('whatever the text, the answer is endpoints, or mistakes of one line, or a coded error of one line', () => {
  const word = fc.constantFrom(
    'services',
    'web',
    'image',
    'ports',
    'volumes',
    'deploy',
    'x-reactor',
    'environment',
    'healthcheck',
    '80:80',
    '${A}',
    '$',
    '&a',
    '*a',
    '<<',
    '[',
    ']',
    '{',
    '}',
    '- ',
    ': ',
    '\n',
    '  ',
    'null',
    '1',
    '-1',
    '""',
  );
  const text = fc.oneof(
    fc.array(word, { maxLength: 60 }).map((words) => words.join('')),
    fc.string({ maxLength: 200 }),
  );
  fc.assert(
    fc.property(text, (each) => {
      try {
        for (const mistake of read(each).mistakes) expect(mistake).not.toMatch(/[\r\n]/);
      } catch (error) {
        if (!(error instanceof ReactorError)) throw error;
        expect(error.message).not.toMatch(/[\r\n]/);
      }
    }),
  );
});

test('whatever stands where a value belongs, it is told and not thrown', () => {
  const keys = [
    'image',
    'ports',
    'volumes',
    'deploy',
    'x-reactor',
    'environment',
    'env_file',
    'healthcheck',
    'depends_on',
    'command',
    'networks',
    'links',
    'dns',
    'cpus',
    'expose',
    'stop_grace_period',
    'profiles',
    'network_mode',
  ];
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 4 }),
    fc.dictionary(
      fc.constantFrom('target', 'source', 'type', 'test', 'resources', 'limits', 'scaling', 'condition'),
      fc.jsonValue({ maxDepth: 2 }),
    ),
  );
  fc.assert(
    fc.property(fc.constantFrom(...keys), value, (key, each) => {
      const { endpoints, mistakes } = read(
        JSON.stringify({ services: { web: { image: 'x', [key]: each } } }).replaceAll('$', '$$$$'),
      );
      expect(endpoints.length === 0).toBe(mistakes.length > 0 || (key === 'profiles' && endpoints.length === 0));
    }),
    { numRuns: 500 },
  );
});
