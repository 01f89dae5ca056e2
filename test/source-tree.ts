/** The repository as data: what the rules of the house (tidy.test.ts) and of the documents (docs.test.ts) look at. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const NOT_OURS = new Set(['node_modules', 'dist', '.git', '.cache', 'coverage']);

/** Every file below `directory` (relative to the repository) that is written by hand, sorted, relative to the repository. */
export function filesBelow(directory: string): readonly string[] {
  const found: string[] = [];
  const visit = (path: string): void => {
    for (const name of readdirSync(path)) {
      const child = join(path, name);
      if (NOT_OURS.has(name)) continue;
      if (statSync(child).isDirectory()) visit(child);
      else found.push(relative(ROOT, child));
    }
  };
  if (existsSync(join(ROOT, directory))) visit(join(ROOT, directory));
  return found.sort();
}

export function textOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

export function has(path: string): boolean {
  return existsSync(join(ROOT, path));
}

export function packageNames(): readonly string[] {
  return readdirSync(join(ROOT, 'packages'))
    .filter((name) => has(`packages/${name}/package.json`))
    .sort();
}

/** Source files of a package: what ends up in the product. */
export function sourcesOf(name: string): readonly string[] {
  return filesBelow(`packages/${name}/src`).filter((file) => /\.tsx?$/.test(file));
}

/** Strings are matched first so that a `//` in a URL does not look like a comment. */
const STRING_OR_COMMENT = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

/** The text with comments blanked out; line numbers stay. */
export function withoutComments(text: string): string {
  return text.replace(STRING_OR_COMMENT, (match) => (match.startsWith('/') ? match.replace(/[^\n]/g, ' ') : match));
}

const IMPORTS = [
  /^\s*(?:import|export)\b[^;'"]*?\bfrom\s+['"]([^'"]+)['"]/gm,
  /^\s*import\s+['"]([^'"]+)['"]/gm,
  /\b(?:import|require|import\.meta\.resolve)\(\s*['"]([^'"]+)['"]/g,
  // A worker beside the source; a directory is data.
  /new URL\(\s*['"](\.[^'"]+\.[jt]s)['"]\s*,\s*import\.meta\.url/g,
];

export function importsOf(file: string): readonly string[] {
  return importsIn(textOf(file));
}

/** What a source text imports, as written, sorted, each once. */
export function importsIn(source: string): readonly string[] {
  const text = withoutComments(source);
  return [...new Set(IMPORTS.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1] ?? '')))].sort();
}

/** The package a specifier names: `@reactor/core`, `node:fs`, `lmdb`; null for a relative one. */
export function packageOf(specifier: string): string | null {
  if (specifier.startsWith('.')) return null;
  if (specifier.startsWith('node:')) return specifier;
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
}

/** The file that a relative specifier of a TypeScript source means, relative to the repository. */
export function targetOf(file: string, specifier: string): string {
  const path = relative(ROOT, resolve(ROOT, dirname(file), specifier));
  if (!path.endsWith('.js') || has(path)) return path;
  const plain = path.replace(/\.js$/, '.ts');
  return has(plain) ? plain : `${plain}x`;
}

/** `file:line` of every match, for a message that can be clicked. `pattern` needs the flag g. */
export function placesOf(file: string, text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map(
    (match) => `${file}:${text.slice(0, match.index).split('\n').length}: ${match[0].trim()}`,
  );
}

/** The rows of the table below a heading of the second level, as their cells. */
export function tableIn(file: string, title: string): readonly (readonly string[])[] {
  const [, section = ''] = textOf(file).split(new RegExp(`^## ${title}$`, 'm'));
  const [own = ''] = section.split(/^## /m);
  const lines = own.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .slice(1, line.lastIndexOf('|'))
      .split('|')
      .map((cell) => cell.trim()),
  );
}
