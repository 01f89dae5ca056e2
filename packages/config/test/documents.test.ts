import type { ConfigDocument } from '@reactor/core';
import fc from 'fast-check';
import ini from 'ini';
import { getValue, readDocument, setValue, writeIni } from '../src/index.js';

const plain = (document: ConfigDocument): unknown => JSON.parse(JSON.stringify(document));
const read = (text: string): unknown => plain(readDocument(text).document);

describe('the INI dialect', () => {
  test.each<[string, string, unknown]>([
    ['empty text', '', {}],
    ['comments of every kind', '# a\n; b\nrem c\nREM\n[s]\n  # indented\n', { s: {} }],
    ['= and :', '[s]\na=1\nb: 2\nc = x=y:z\n', { s: { a: '1', b: '2', c: 'x=y:z' } }],
    ['keys in any case', '[s]\nImage=A\n', { s: { image: 'A' } }],
    ['sections in their case', '[S]\na=1\n', { S: { a: '1' } }],
    [
      'comments behind a blank and a semicolon',
      '[s]\na=1 ; one\nb=1;2\nc=1 # no\nd= ;all\n',
      { s: { a: '1', b: '1;2', c: '1 # no', d: '' } },
    ],
    ['empty values', '[s]\na=\nb=""\nc="x"\n', { s: { a: '', b: '', c: '"x"' } }],
    ['continued values', '[s]\na=1,\n\n\t2,\n   3\nb=\n  x\n', { s: { a: '1,\n2,\n3', b: 'x' } }],
    ['merged sections', '[s]\na=1\n[t]\n[s]\nb=2\na=3\n', { s: { a: '3', b: '2' }, t: {} }],
    ['line ends of Windows', '[s]\r\na=1\r\n  2\r\n', { s: { a: '1\n2' } }],
    ['[DEFAULT] in every section', '[s]\na=1\n[t]\n[DEFAULT]\na=0\nb=2\n', { s: { a: '1', b: '2' }, t: { a: '0', b: '2' } }],
    [
      'references',
      '[DEFAULT]\nhost=h\n[s]\nurl=http://%(Host)s:%(port)s/100%%\nport=8%(x)s\nx=0\n',
      { s: { host: 'h', url: 'http://h:80/100%', port: '80', x: '0' } },
    ],
    ['escaped comment marks', '[s]\na=x %; y\nb=\n  %#1\n', { s: { a: 'x ; y', b: '#1' } }],
    ['a comment behind the section', '[s] ; here\na=1\n', { s: { a: '1' } }],
    ['remote is no rem', '[s]\nremote=1\n', { s: { remote: '1' } }],
  ])('reads %s', (_name, text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  test('an indented line needs a value above it', () => {
    expect(() => readDocument('[s]\n  a=1')).toThrow(
      'line 2, column 3: an indented line continues the value above, but there is none',
    );
  });

  test('the source is named and line and column are in the details', () => {
    expect(() => readDocument('[s]\nx', { source: 'docker.conf' })).toThrow(
      expect.objectContaining({
        code: 'config_syntax',
        message: 'docker.conf: line 2, column 1: expected key=value',
        details: { line: 2, column: 1 },
      }),
    );
  });

  test('agrees with an independent reader where the dialects are the same', () => {
    const name = fc
      .stringMatching(/^[a-z][a-z0-9_]{0,8}$/)
      .filter((each) => !['rem', 'constructor', 'prototype', '__proto__'].includes(each));
    const value = fc
      .stringMatching(/^[A-Za-z0-9/._:-]([A-Za-z0-9/._: -]{0,12}[A-Za-z0-9/._:-])?$/)
      .filter((each) => !/^(true|false|null)$/.test(each));
    const sections = fc.dictionary(name, fc.dictionary(name, value, { maxKeys: 5 }), { minKeys: 1, maxKeys: 5 });
    fc.assert(
      fc.property(sections, (document) => {
        const lines = Object.entries(document).flatMap(([section, keys]) => [
          `[${section}]`,
          ...Object.entries(keys).map(([key, each]) => `${key} = ${each}`),
        ]);
        const theirs = plain(ini.parse(lines.join('\n')) as ConfigDocument);
        expect(read(lines.join('\n'))).toEqual(theirs);
      }),
      { numRuns: 200 },
    );
  });

  test('long lines and many of them are read in linear time', () => {
    const started = performance.now();
    readDocument(`[s]\na=x\n${' y\n'.repeat(80_000)}`);
    expect(() => readDocument(`[s]\na=${' '.repeat(200_000)}x${' '.repeat(50_000)}y\nz`)).toThrow();
    expect(performance.now() - started).toBeLessThan(3000);
  });
});

describe('JSON', () => {
  test.each<[string, string, unknown]>([
    ['an object', '{"endpoint":{"url":"http://","port":5000}}', { endpoint: { url: 'http://', port: '5000' } }],
    ['booleans, null and lists', '{"a":{"x":true,"y":null,"z":["1",2],"e":[]}}', { a: { x: 'true', z: '1,2', e: '' } }],
    ['a text that holds INI', JSON.stringify('[endpoint]\nport=1\n'), { endpoint: { port: '1' } }],
    ['a text that holds JSON', JSON.stringify('{"endpoint":{"port":1}}'), { endpoint: { port: '1' } }],
    ['percent signs as they are', '{"a":{"x":"50%"}}', { a: { x: '50%' } }],
    ['values by the rules of INI', '{"a":{"X":"  1\\n\\n 2 ","y":"\\"\\""}}', { a: { x: '1\n2', y: '' } }],
  ])('reads %s', (_name, text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  test('values keep the places of their text', () => {
    const { places } = readDocument('{\n  "scaling": {\n    "rules": "rate < 1"\n  }\n}');
    expect(places.values.get('scaling')!.get('rules')).toMatchObject({ line: 3, column: 15 });
    expect(places.sections.get('scaling')).toEqual({ line: 2, column: 14 });
  });
});

describe('a document', () => {
  const key = fc.stringMatching(/^[a-z_!"'$&()*+,./<>?@\\^`{|}~-][a-z0-9 _."'%-]{0,8}$/).map((each) => each.trim());
  const value = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.stringMatching(/^[ab;#%"\n \t=:[\]()s]{0,12}$/));
  const document = fc.array(fc.tuple(fc.constantFrom('endpoint', 'cloud:docker', 'Odd one', 'x'), key, value), { maxLength: 8 });

  test.each(['""', '""\n', '\n""', '""\nx', '""\n""', 'x\n""'])(
    'the empty mark in %j means the same however it is given',
    (given) => {
      const built = setValue(readDocument('').document, 'endpoint', 'a', given);
      const lines = given.replaceAll('\n', '\n  ');
      expect(read(`[endpoint]\na = ${lines}`)).toEqual(plain(built));
      expect(read(writeIni(built))).toEqual(plain(built));
    },
  );

  test('written as INI is read back the same', () => {
    fc.assert(
      fc.property(document, (settings) => {
        let built: ConfigDocument = readDocument('').document;
        for (const [section, name, text] of settings) {
          try {
            built = setValue(built, section, name, text);
          } catch {
            // Refused names and control characters are no part of a document.
          }
        }
        const text = writeIni(built);
        expect(read(text)).toEqual(plain(built));
        expect(writeIni(readDocument(text).document)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test('is written in the order of the schema', () => {
    const { document: built } = readDocument(
      '{"zz":{"b":1,"a":2},"scaling":{"rules":"rate < 1","min_instances":1},"endpoint":{"port":1,"url":"http://"}}',
    );
    expect(writeIni(built)).toBe(
      '[endpoint]\nurl = http://\nport = 1\n\n[scaling]\nmin_instances = 1\nrules = rate < 1\n\n[zz]\na = 2\nb = 1\n',
    );
  });

  test('is changed by one value and stays as it was', () => {
    const { document: before } = readDocument('[scaling]\nmax_instances=5\n');
    const after = setValue(before, 'scaling', 'Rules', '0 < rate < 1');
    expect(plain(after)).toEqual({ scaling: { max_instances: '5', rules: '0 < rate < 1' } });
    expect(plain(before)).toEqual({ scaling: { max_instances: '5' } });
    expect(getValue(after, 'scaling', 'rules')).toBe('0 < rate < 1');
    expect(getValue(after, 'scaling', 'constructor')).toBeNull();
    expect(getValue(after, 'toString', 'x')).toBeNull();
    expect(() => setValue(after, '__proto__', 'x', '1')).toThrow("reserved name '__proto__'");
    expect(() => setValue(after, 'DEFAULT', 'x', '1')).toThrow("reserved name 'DEFAULT'");
    expect(() => setValue(after, 'endpoint', 'a=b', '1')).toThrow("'a=b' cannot be a key");
  });

  test('has no prototype and cannot be changed', () => {
    const { document: built } = readDocument('[endpoint]\nport=1\n');
    expect(Object.getPrototypeOf(built)).toBeNull();
    expect(Object.getPrototypeOf(built['endpoint'])).toBeNull();
    expect(Object.isFrozen(built) && Object.isFrozen(built['endpoint'])).toBe(true);
  });

  test('of random bytes is read or refused in one line, and nothing else', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.string({ unit: 'binary', maxLength: 60 }), fc.json()),
        (input) => {
          try {
            readDocument(input);
          } catch (error) {
            expect(error).toMatchObject({ name: 'ReactorError', message: expect.not.stringMatching(/[\r\n]/) });
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
