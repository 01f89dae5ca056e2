import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import {
  affinityCandidates,
  constraintCandidates,
  formatExpression,
  matches,
  parseExpressions,
} from '../src/placement-expression.js';
import { aRecord } from './placement-hosts.js';

interface VectorNode {
  readonly id: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly containers?: readonly { id: string; names: string[]; labels?: Record<string, string> }[];
  readonly images?: readonly { id: string; repoTags: string[] }[];
}
interface VectorCase {
  readonly kind: 'constraint' | 'affinity';
  readonly hosts: string;
  readonly expressions: readonly string[];
  readonly fits?: readonly string[];
  readonly prefers?: readonly string[];
  readonly refused?: boolean;
}
const vectors = JSON.parse(readFileSync(new URL('./vectors/placement.json', import.meta.url), 'utf8')) as {
  readonly hosts: Readonly<Record<string, readonly VectorNode[]>>;
  readonly cases: readonly VectorCase[];
};

const recordOf = (node: VectorNode) =>
  aRecord(node.id, {
    name: node.name,
    labels: node.labels ?? {},
    images: (node.images ?? []).map(({ id, repoTags }) => ({ id, tags: repoTags })),
    containers: (node.containers ?? []).map(({ id, names, labels }) => ({ id, names, labels: labels ?? {}, hostPorts: [] })),
  });

const expressionOf = (text: string) => {
  const read = parseExpressions(text, 'constraint');
  if (!read.ok) throw new Error(read.fault.message);
  return read.value[0]!;
};

describe('an expression', () => {
  test.each(vectors.cases.map((each) => [`${each.kind} ${each.expressions.join(',')} on ${each.hosts}`, each] as const))(
    'decides as the vector says: %s',
    (_name, { kind, hosts, expressions, fits, prefers, refused }) => {
      const read = parseExpressions(expressions.join(','), kind);
      expect(read.ok).toBe(refused !== true);
      if (!read.ok) return;
      const met = vectors.hosts[hosts]!.filter((node) => {
        const record = recordOf(node);
        return read.value.every((each) =>
          matches(
            each,
            kind === 'constraint' ? constraintCandidates(record, each.key) : affinityCandidates({ record, placed: [] }, each.key),
          ),
        );
      }).map(({ id }) => id);
      expect(read.value.every(({ soft }) => soft === (prefers !== undefined))).toBe(true);
      expect(met).toEqual(fits ?? prefers);
    },
  );

  test.each([
    ['region=eu', 7, "one of the operators == and != is expected after 'region'"],
    ['region=!eu', 7, 'one of the operators == and != is expected'],
    ['cpus > 4', 6, 'one of the operators == and != is expected'],
    ['region==eu,,node==a', 12, 'expression 2 is empty'],
    ['region==eu, 1x==2', 13, 'does not start with a key'],
    ['region==', 9, 'has no value after =='],
    ['region==~', 10, 'has no value'],
    ['region==a#b', 10, "cannot hold '#'"],
    ['region==/(?=eu)/', 9, 'no look-around'],
    ['region==/(?<=eu)x/', 9, 'no look-around'],
    ['region==/(a)\\1/', 9, 'no back-references'],
    ['region==/[/', 9, 'missing closing ]'],
    ['region===eu', 9, 'not ==='],
    [`region==${'x'.repeat(300)}`, 1, 'longer than 256'],
    [Array(33).fill('a==b').join(','), 161, 'more than 32 expressions'],
  ])('is refused with its column and reason: %s', (text, column, message) => {
    const read = parseExpressions(text, 'constraint');
    expect(read).toMatchObject({ ok: false, fault: { column, message: expect.stringContaining(message) } });
  });

  test.each([
    ['operatingsystem==*Debian*', 'Debian GNU/Linux 12', true],
    ['node==vm*3', 'vm3', true],
    ['node==vm*m3', 'vm3', false],
    ['node==a*b*c', 'abcbc', true],
    ['node==a*bb*c', 'abc', false],
    ['node==a.c', 'abc', false],
    ['kernelversion==/6\\.[0-9]+/', 'linux 6.12-amd64', true],
    ['kernelversion==/^6/', 'linux 6', false],
    ['name==/(?i)abcdef/', 'aBcDeF', true],
    ['region == eu', 'eu', true],
    ['region==EU', 'eu', false],
  ])('%s against %s', (text, candidate, holds) => {
    expect(matches(expressionOf(text), [candidate])).toBe(holds);
  });

  test('with no candidate == fails and != holds', () => {
    expect(matches(expressionOf('a==*'), [])).toBe(false);
    expect(matches(expressionOf('a!=*'), [])).toBe(true);
  });

  test('with several candidates == wants one and != wants none', () => {
    expect(matches(expressionOf('a==x'), ['y', 'x'])).toBe(true);
    expect(matches(expressionOf('a!=x'), ['y', 'x'])).toBe(false);
  });

  test('a pattern that would take a backtracking engine for ever answers at once', () => {
    const started = performance.now();
    expect(matches(expressionOf('a==/^(a+)+$/'), [`${'a'.repeat(5000)}b`])).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('labels named like object members are not found where they were not set', () => {
    expect(constraintCandidates(aRecord('a'), 'constructor')).toEqual([]);
  });

  test('what was formatted is read back the same', () => {
    const value = fc.stringMatching(/^[A-Za-z0-9*._:-]([A-Za-z0-9 *._:~=-]{0,10}[A-Za-z0-9])?$/);
    const key = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]{0,10}$/);
    fc.assert(
      fc.property(key, fc.constantFrom('==' as const, '!=' as const), fc.boolean(), value, (name, op, soft, wanted) => {
        const text = formatExpression({ key: name, op, soft, value: wanted });
        expect(parseExpressions(text, 'affinity')).toEqual({ ok: true, value: [{ text, key: name, op, soft, value: wanted }] });
      }),
      { numRuns: 200 },
    );
  });
});
