/** What the source must not hold, whoever asks for it: each of these was a hole in 2013, or is how others got one. */
import { importsOf, packageNames, sourcesOf, textOf, withoutComments } from './source-tree.js';

const sources = packageNames().flatMap(sourcesOf);
const product = sources.filter((file) => !file.startsWith('packages/testkit/'));

/** Redis names scripts by their SHA-1, which protects nothing there; keys of endpoints may still be hashed as in 2013, and are warned of. */
const SHA1_NAMES: readonly string[] = [
  'packages/state/src/redis-scripts.ts',
  'packages/core/src/model.ts',
  'packages/config/src/advice.ts',
  'packages/config/src/endpoint-schema.ts',
];

function places(files: readonly string[], pattern: RegExp): readonly string[] {
  return files.flatMap((file) =>
    withoutComments(textOf(file))
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
  );
}

test('no program is run through a shell: programs are started by name with a list of words', () => {
  expect(places(sources, /\bshell:\s*(true|['"`])|\b(exec|execSync|spawnSync)\(\s*['"`]/)).toEqual([]);
  const starters = product.filter((file) => importsOf(file).includes('node:child_process'));
  expect(places(starters, /import .*\b(exec|execSync)\b.*child_process/)).toEqual([]);
  expect(starters.length).toBeGreaterThan(0);
});

test('no text becomes a program', () => {
  expect(places(product, /(?<![.\w])eval\(|new Function\(|\bvm\b.*runIn|createRequire\(/)).toEqual([]);
});

test('no weak hash protects anything', () => {
  expect(places(product, /createHash\(\s*['"`](md5|md4)/)).toEqual([]);
  const sha1 = places(product, /['"`]sha-?1['"`]/);
  expect(sha1.filter((place) => !SHA1_NAMES.some((file) => place.startsWith(`${file}:`)))).toEqual([]);
});

test('nothing secret is compared letter by letter', () => {
  expect(places(product, /\b(key|token|secret|hash|password)\s*===\s*(stored|given|sent|expected)\b/i)).toEqual([]);
});

test('no file is made where everybody may write', () => {
  expect(places(product, /['"`]\/tmp\b|\btmpdir\(/)).toEqual([]);
});

test('the programs are built without a debugger, source maps or stacks for strangers', () => {
  expect(textOf('scripts/bundle.mjs')).not.toMatch(/sourcemap/);
  expect(places(product, /node:inspector|--inspect/)).toEqual([]);
  for (const file of ['packages/cli/src/main.ts', 'packages/daemon/src/main.ts'])
    expect(textOf(file).split('\n')[0]).toMatch(/^#!\/usr\/bin\/env (?!.*inspect)/);
});

test('dependencies are named to the last digit, and nothing of ours runs when it is installed', () => {
  for (const file of ['package.json', ...packageNames().map((name) => `packages/${name}/package.json`)]) {
    const {
      dependencies = {},
      devDependencies = {},
      scripts = {},
    } = JSON.parse(textOf(file)) as {
      readonly dependencies?: Readonly<Record<string, string>>;
      readonly devDependencies?: Readonly<Record<string, string>>;
      readonly scripts?: Readonly<Record<string, string>>;
    };
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
    );
    expect([file, loose]).toEqual([file, []]);
    expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
  }
});
