/** The documents compared with the code. What they let a reader type is run elsewhere; here every name must exist. */
import { dirname, join } from 'node:path';
import { VERBS } from '../packages/cli/src/verb-table.js';
import { readDocument } from '../packages/config/src/reader.js';
import { SCHEMA } from '../packages/config/src/schema.js';
import { ERRORS } from '../packages/core/src/errors.js';
import { TELEMETRY } from '../packages/core/src/telemetry.js';
import { ACL_RULE } from '../packages/state/src/redis-replies.js';
import { PACKAGES } from './package-table.js';
import { filesBelow, has, tableIn, textOf } from './source-tree.js';

/** One noun, one meaning: the README's glossary explains each. */
const GLOSSARY = [
  'Endpoint',
  'Instance',
  'Host',
  'Slot',
  'Agent',
  'Controller',
  'Sample',
  'Rule',
  'Range',
  'Decision',
  'Placement',
  'Step',
  'Plan',
  'Backend',
  'Drain',
  'Recommission',
  'Retire',
];

const documents = ['README.md', 'configs/prometheus/README.md', ...filesBelow('docs').filter((file) => file.endsWith('.md'))];

/** The text of code blocks and code spans: where a command is a command and not English. */
function codeOf(markdown: string): readonly string[] {
  const blocks = [...markdown.matchAll(/^```[^\n]*\n([\s\S]*?)^```/gm)].map((match) => match[1] ?? '');
  const spans = [...markdown.replace(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
  return [...blocks, ...spans];
}

/** The verbs of `reactor ...` commands; options before the verb are passed over. */
function verbsIn(code: string): readonly string[] {
  const commands = code.matchAll(/(?:^|[;|&(]\s*|\$ |\bdo )reactor((?:[ \t]+[^\s;|&)#]+)+)/gm);
  return [...commands].flatMap((match) => {
    const word = (match[1] ?? '')
      .trim()
      .split(/\s+/)
      .find((other) => !other.startsWith('-') && !/^https?:/.test(other));
    return word !== undefined && /^[a-z][a-z-]*$/.test(word) ? [word] : [];
  });
}

/** The body of a `## Title` section up to the next heading of that level; null when there is none. */
function section(markdown: string, title: string): string | null {
  const start = markdown.search(new RegExp(`^## ${title}\\s*$`, 'm'));
  if (start < 0) return null;
  const rest = markdown.slice(start + 3);
  const end = rest.search(/^## /m);
  return end < 0 ? rest : rest.slice(0, end);
}

/** A heading's anchor, as GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

test('there is a README', () => {
  expect(has('README.md')).toBe(true);
});

test('the command scanner reads commands and not prose', () => {
  expect(verbsIn('$ reactor manage pyex < docker.conf\nreactor --api=http://h list | sort; reactor start pyex')).toEqual([
    'manage',
    'list',
    'start',
  ]);
  expect(verbsIn('the reactor hums')).toEqual([]);
});

describe.each(documents)('%s', (document) => {
  const markdown = has(document) ? textOf(document) : '';

  test('names only verbs that the command has', () => {
    const known = new Set([...VERBS.flatMap((verb) => [verb.name, ...(verb.aliases ?? [])]), 'help']);
    const unknown = codeOf(markdown)
      .flatMap(verbsIn)
      .filter((verb) => !known.has(verb));
    expect(unknown).toEqual([]);
  });

  test('links to files and headings that are there', () => {
    const links = [...markdown.matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !/^[a-z]+:/.test(link));
    const broken = links.filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? document : join(dirname(document), path);
      if (!has(target)) return true;
      if (anchor === undefined || !target.endsWith('.md')) return false;
      return ![...textOf(target).matchAll(/^#+ (.+)$/gm)].some((match) => anchorOf(match[1] ?? '') === anchor);
    });
    expect(broken).toEqual([]);
  });

  test('names only files of the repository that are there', () => {
    const named = codeOf(markdown).flatMap((code) =>
      [...code.matchAll(/(?<![\w./~-])(?:packages|scripts|configs|test)\/[\w./-]*\w/g)].map((match) => match[0]),
    );
    expect(named.filter((path) => !has(path) && !path.includes('/dist/'))).toEqual([]);
  });

  test('lists every error code and no other, when it lists them', () => {
    const text = section(markdown, 'Errors');
    if (text === null) return;
    const codes = [...text.matchAll(/^\| `([a-z_]+)`/gm)].map((match) => match[1]);
    expect(codes.sort()).toEqual(Object.keys(ERRORS).sort());
  });

  test('says of each package what it may import, when it says so', () => {
    const rows = [...markdown.matchAll(/^\| `([a-z]+)` *\|.*\| *([^|]*?) *\|$/gm)].filter(
      (match) => (match[1] ?? '') in PACKAGES,
    );
    for (const [, name = '', imports = ''] of rows) {
      const listed = imports === 'nothing' ? [] : imports.replaceAll('`', '').split(/,\s*/);
      expect([name, listed.sort()]).toEqual([name, [...(PACKAGES[name]?.packages ?? [])].sort()]);
    }
  });
});

test('the glossary of the README explains every noun of the design', () => {
  const glossary = section(has('README.md') ? textOf('README.md') : '', 'Glossary') ?? '';
  expect(GLOSSARY.filter((noun) => !new RegExp(`\\*\\*${noun}\\b`).test(glossary))).toEqual([]);
});

describe.each(filesBelow('configs').filter((file) => file.endsWith('.conf') && !file.includes('invalid')))('%s', (file) => {
  test('sets only keys that exist', () => {
    const known = new Set(SCHEMA.map(({ section, key }) => `[${section}] ${key}`));
    const { document } = readDocument(textOf(file), { source: file });
    const set = Object.entries(document).flatMap(([section, values]) => Object.keys(values).map((key) => `[${section}] ${key}`));
    expect(set.length).toBeGreaterThan(0);
    expect(set.filter((key) => !known.has(key))).toEqual([]);
  });
});

test('every metric is explained beside the rules for Prometheus, with its type and its labels', () => {
  const rows = Object.entries(TELEMETRY).map(([name, { type, labels, help }]) => {
    return [`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), help];
  });
  expect(tableIn('configs/prometheus/README.md', 'Metrics')).toEqual(rows);
});

test('the README grants a user of Redis what the tests grant theirs', () => {
  const granted = /^ACL SETUSER reactor on >PASSWORD (.*)$/m.exec(textOf('README.md'))?.[1];
  expect(granted).toBe(ACL_RULE);
});
