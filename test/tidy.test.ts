/** The rules of the house as failing tests. Each list in a failure names the places; an empty list is what is wanted. */
import { builtinModules } from 'node:module';
import { basename } from 'node:path';
import { ERRORS } from '../packages/core/src/errors.js';
import { PACKAGES } from './package-table.js';
import {
  filesBelow,
  has,
  importsIn,
  importsOf,
  packageNames,
  packageOf,
  placesOf,
  ROOT,
  sourcesOf,
  targetOf,
  textOf,
  withoutComments,
} from './source-tree.js';

/** Libraries that any test may use, beside those of its own package. `ini` is the independent reader to compare ours with. */
const TEST_LIBRARIES = ['fast-check', '@jest/globals', 'ini'];

const MAX_FILE_LINES = 300;
/** "About 70": past this a function does two things. */
const MAX_FUNCTION_LINES = 80;
/** A longer file says within this many lines why it is one thing. */
const HEADER_LINES = 15;

const NO_NOUN = /^(utils?|helpers?|common|misc|base|shared|types|classes|interfaces|manager)$/;
/** The agent is the host's manager; that is the only one there is. */
const NOUNS_AFTER_ALL = ['packages/agent/src/manager.ts'];

const names = packageNames();
const allSources = names.flatMap(sourcesOf);
const tests = [...names.flatMap((name) => filesBelow(`packages/${name}/test`)), ...filesBelow('test')].filter((file) =>
  file.endsWith('.ts'),
);

interface PackageJson {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function json<T>(file: string): T {
  return JSON.parse(textOf(file)) as T;
}

function importedBy(files: readonly string[]): readonly string[] {
  const found = files.flatMap((file) => importsOf(file).map(packageOf));
  return [...new Set(found.filter((name) => name !== null))].sort();
}

test('every package stands in the table, and every row of the table is a package', () => {
  expect(names).toEqual(Object.keys(PACKAGES).sort());
});

describe.each(Object.entries(PACKAGES))('package %s', (name, row) => {
  const sources = sourcesOf(name);

  test('imports only what the table lists', () => {
    const allowed = new Set([...row.packages.map((other) => `@reactor/${other}`), ...row.libraries]);
    const builtIn = (specifier: string): boolean =>
      name === 'core' ? specifier === 'node:crypto' : specifier.startsWith('node:');
    const strays = sources.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => packageOf(specifier) !== null && !allowed.has(specifier) && !builtIn(specifier))
        .filter((specifier) => !row.libraries.includes(packageOf(specifier) ?? ''))
        .map((specifier) => `${file}: ${specifier}`),
    );
    expect(strays).toEqual([]);
  });

  test('reaches no file outside of itself', () => {
    const strays = sources.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => packageOf(specifier) === null)
        .filter((specifier) => !targetOf(file, specifier).startsWith(`packages/${name}/`) || !has(targetOf(file, specifier)))
        .map((specifier) => `${file}: ${specifier}`),
    );
    expect(strays).toEqual([]);
  });

  test('declares exactly what it imports', () => {
    const declared = Object.keys(json<PackageJson>(`packages/${name}/package.json`).dependencies ?? {}).sort();
    const imported = importedBy(sources).filter((specifier) => !specifier.startsWith('node:'));
    expect(declared).toEqual(imported);
  });

  test('is built after exactly the packages it declares', () => {
    const { dependencies = {} } = json<PackageJson>(`packages/${name}/package.json`);
    const { references } = json<{ references: readonly { path: string }[] }>(`packages/${name}/tsconfig.json`);
    const declared = Object.keys(dependencies).filter((other) => other.startsWith('@reactor/'));
    expect(references.map(({ path }) => path.replace('../', '@reactor/')).sort()).toEqual(declared.sort());
  });

  test('has no file that nothing leads to', () => {
    const bundled = textOf('scripts/bundle.mjs');
    const starts = (file: string): boolean => bundled.includes(file.replace('/src/', '/dist/').replace(/\.tsx?$/, '.js'));
    const entries = sources.filter((file) => file === `packages/${name}/src/index.ts` || starts(file));
    const reached = new Set(entries);
    for (const file of reached) {
      if (!/\.tsx?$/.test(file) || !has(file)) continue;
      for (const specifier of importsOf(file).filter((other) => packageOf(other) === null))
        reached.add(targetOf(file, specifier));
    }
    expect(sources.filter((file) => !reached.has(file))).toEqual([]);
  });
});

test('every package is part of the build and of the type check', () => {
  const paths = (file: string): readonly string[] =>
    json<{ references: readonly { path: string }[] }>(file)
      .references.map(({ path }) => path)
      .filter((path) => path.startsWith('packages/'))
      .sort();
  const wanted = names.map((name) => `packages/${name}`);
  expect(paths('tsconfig.json')).toEqual(wanted);
  expect(paths('tsconfig.test.json')).toEqual(wanted);
});

test('tests use their own package through its name or its files, and no library without a home', () => {
  const strays = tests.flatMap((file) => {
    const own = /^packages\/([^/]+)\//.exec(file)?.[1] ?? '';
    // Bare names of built-in modules stand in programs that a test hands to a container.
    const allowed = new Set([...TEST_LIBRARIES, ...builtinModules, ...(PACKAGES[own]?.libraries ?? [])]);
    return importsOf(file)
      .filter((specifier) => {
        const library = packageOf(specifier);
        if (library === null) return !targetOf(file, specifier).startsWith(own === '' ? '' : `packages/${own}/`);
        return !library.startsWith('node:') && !library.startsWith('@reactor/') && !allowed.has(library);
      })
      .map((specifier) => `${file}: ${specifier}`);
  });
  expect(strays).toEqual([]);
});

test('every tool that is installed is used', () => {
  const { devDependencies = {}, ...root } = json<PackageJson>('package.json');
  const users = [JSON.stringify(root), ...[...filesBelow('scripts'), ...tests, 'jest.config.mjs', 'biome.json'].map(textOf)].join(
    '\n',
  );
  const libraries = new Set([
    ...Object.values(PACKAGES).flatMap((row) => row.libraries),
    ...Object.keys(devDependencies),
    'node',
  ]);
  /** Not called by their package's name: the compiler by its command, the transformer through its plug-in. */
  const calledAs: Readonly<Record<string, string>> = { typescript: 'tsc', '@swc/core': '@swc/jest', '@biomejs/biome': 'biome' };
  const idle = Object.keys(devDependencies).filter((name) =>
    name.startsWith('@types/') ? !libraries.has(name.slice('@types/'.length)) : !users.includes(calledAs[name] ?? name),
  );
  expect(idle).toEqual([]);
});

test('the thinking is pure: core has no clock, no chance, no timer, no process, no network', () => {
  const impure =
    /\b(Date\.now|Math\.random|setTimeout|setInterval|setImmediate|performance\.|process\.|console\.|fetch\(|new Date\(\s*\)|random(UUID|Bytes|Int)\b)/g;
  expect(sourcesOf('core').flatMap((file) => placesOf(file, withoutComments(textOf(file)), impure))).toEqual([]);
});

test(`files have at most ${MAX_FILE_LINES} lines, or say at their head why they are one thing`, () => {
  const long = allSources
    .map((file) => ({ file, lines: textOf(file).trimEnd().split('\n') }))
    .filter(({ lines }) => lines.length > MAX_FILE_LINES && !/\bone thing\b/.test(lines.slice(0, HEADER_LINES).join('\n')))
    .map(({ file, lines }) => `${file}: ${lines.length} lines`);
  expect(long).toEqual([]);
});

test(`functions have at most ${MAX_FUNCTION_LINES} lines of their own`, () => {
  expect(allSources.flatMap((file) => longFunctions(file))).toEqual([]);
});

/** Functions of `file` that are too long. A function inside another counts for itself, not for the one around it. */
function longFunctions(file: string): readonly string[] {
  // The formatter puts a function's head and its closing brace in the same column, which is all there is to know.
  const head =
    /^( {0,4})(?:export |default |async |static |private |override |readonly )*(?:function\b.*|[a-zA-Z#]\w*\(.*|const \w+ = (?:async )?\(.*=> )\{$/;
  const lines = textOf(file).split('\n');
  const functions = lines.flatMap((line, start) => {
    const indent = head.exec(line)?.[1];
    if (indent === undefined || /^\s*(if|for|while|switch|catch)\b/.test(line)) return [];
    const length = lines.slice(start).findIndex((later, offset) => offset > 0 && later.startsWith(`${indent}}`)) + 1;
    return [{ start, end: start + length, length }];
  });
  const within = (inner: { start: number; end: number }, outer: { start: number; end: number }): boolean =>
    inner.start > outer.start && inner.end < outer.end;
  return functions.flatMap((outer) => {
    const nested = functions.filter((inner) => within(inner, outer));
    const outermost = nested.filter((inner) => !nested.some((other) => within(inner, other)));
    const own = outer.length - outermost.reduce((sum, inner) => sum + inner.length, 0);
    return own > MAX_FUNCTION_LINES ? [`${file}:${outer.start + 1}: ${own} lines`] : [];
  });
}

test('files and directories are named after what they are', () => {
  const ours = [...allSources, ...tests, ...filesBelow('scripts')];
  const nameless = ours.filter((file) => {
    const parts = file.replace(/^packages\/[^/]+\//, '').split('/');
    return parts.some((part) => NO_NOUN.test(part.split('.')[0] ?? '')) && !NOUNS_AFTER_ALL.includes(file);
  });
  expect(nameless).toEqual([]);
});

describe('in the whole repository', () => {
  const written = [
    ...allSources,
    ...tests,
    ...filesBelow('scripts'),
    ...filesBelow('configs'),
    ...filesBelow('.').filter((file) => /^[^/]+$/.test(file)),
  ];
  const prose = written.filter((file) => basename(file) !== 'package-lock.json' && file !== 'test/tidy.test.ts');
  const code = prose.filter((file) => /\.(ts|mjs)$/.test(file));
  const inAll = (files: readonly string[], pattern: RegExp): readonly string[] =>
    files.flatMap((file) => placesOf(file, textOf(file), pattern));

  test('nothing is left to be done later', () => {
    expect(inAll(prose, /\b(TODO|FIXME|XXX)\b/g)).toEqual([]);
  });

  test('no test is singled out or silenced', () => {
    expect(
      inAll(
        tests.filter((file) => file !== 'test/tidy.test.ts'),
        /\b(describe|test|it)\.(only|todo)\b|\.skip\(|\b[xf](describe|it|test)\(/g,
      ),
    ).toEqual([]);
  });

  test('types are not talked away', () => {
    const escapes = /\bas any\b|: any\b|<any>|\bany\[\]|@ts-(ignore|nocheck)/g;
    expect(code.flatMap((file) => placesOf(file, withoutComments(textOf(file)), escapes))).toEqual([]);
    expect(inAll(code, /@ts-(ignore|nocheck|expect-error)\s*$/gm)).toEqual([]);
  });

  test('a silenced lint rule says why', () => {
    expect(inAll(code, /biome-ignore(?![^\n]*: *\S.{10})[^\n]*/g)).toEqual([]);
  });

  test('only errors inherit', () => {
    expect(inAll(code, /\bclass \w+(<[^>]*>)? extends (?!Error\b)\w+/g)).toEqual([]);
  });

  test('the test kit stays out of the product', () => {
    const strays = allSources.filter(
      (file) => !file.startsWith('packages/testkit/') && importsOf(file).includes('@reactor/testkit'),
    );
    expect(strays).toEqual([]);
  });
});

test('every error code is thrown or answered somewhere', () => {
  const texts = allSources.filter((file) => file !== 'packages/core/src/errors.ts').map((file) => withoutComments(textOf(file)));
  const unused = Object.keys(ERRORS).filter((code) => !texts.some((text) => text.includes(`'${code}'`)));
  expect(unused).toEqual([]);
});

test('every script of a store is loaded by its package', () => {
  const lua = names.flatMap((name) => filesBelow(`packages/${name}`).filter((file) => file.endsWith('.lua')));
  const sources = sourcesOf('state').map(textOf).join('\n');
  expect(lua.filter((file) => !sources.includes(basename(file, '.lua')))).toEqual([]);
});

test('the scanner sees every way to import, and none in a comment', () => {
  const text = [
    "import { a } from 'one';",
    "import type { b } from '@reactor/two';",
    "import {\n  c,\n} from './three.js';",
    "export * from './four.js';",
    "import 'five';",
    "const load = () => import('./six.js');",
    "new Worker(new URL('./seven.js', import.meta.url));",
    "const url = 'http://x'; // import { d } from 'eight';",
    "/* import 'nine'; */",
  ].join('\n');
  expect(importsIn(text)).toEqual(['./four.js', './seven.js', './six.js', './three.js', '@reactor/two', 'five', 'one']);
});

test('the repository is where this test thinks it is', () => {
  // All lists above are empty in an empty directory.
  expect(json<PackageJson>('package.json').name).toBe('reactor');
  expect(allSources.length).toBeGreaterThan(names.length);
  expect(ROOT).not.toBe('/');
});
