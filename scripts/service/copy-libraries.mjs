#!/usr/bin/env node
// Copies the libraries that the bundles still load from node_modules (they have a compiled part), and all that those
// need, from this checkout to DIRECTORY/node_modules. npm has verified them against package-lock.json; nothing is fetched.
//   copy-libraries.mjs DIRECTORY
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const target = resolve(process.argv[2]);

/** What a program reads; sources of compiled parts, documents and types stay behind. */
const LOADED = new Set(['.js', '.cjs', '.mjs', '.json', '.node', '.wasm', '']);

const bundles = readdirSync(target, { recursive: true }).filter((file) => String(file).endsWith('.mjs'));
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*|\b__require\s*\(\s*)"([^"./][^"]*)"/g;
const imported = new Set();
for (const bundle of bundles) {
  for (const [, specifier] of readFileSync(join(target, String(bundle)), 'utf8').matchAll(IMPORT)) {
    const name = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/');
    if (!name.startsWith('node:') && !builtinModules.includes(name)) imported.add(name);
  }
}

/** Where node would find `name` when asked from the package in `from`; null when it is not installed. */
function find(name, from) {
  for (let directory = from; directory.startsWith(ROOT); directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
  }
  return null;
}

const copied = new Set();
function copy(directory) {
  if (copied.has(directory)) return;
  copied.add(directory);
  cpSync(directory, join(target, relative(ROOT, directory)), {
    recursive: true,
    dereference: true,
    filter: (path) =>
      path === directory ||
      (!/\/(node_modules|dependencies|test|tests|docs)$/.test(path.slice(ROOT.length)) &&
        (LOADED.has(extname(path)) || /LICEN[CS]E/i.test(path))),
  });
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const found = find(name, directory);
    if (found !== null) copy(found);
    else if (!(name in optionalDependencies))
      throw new Error(`${name}, which ${relative(ROOT, directory)} needs, is not installed`);
  }
}

// A name that is not installed is an optional one inside of a bundled library, guarded by its own try.
for (const name of imported) {
  const found = find(name, ROOT);
  if (found !== null) copy(found);
}
