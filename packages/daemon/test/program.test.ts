import { findProgram } from '../src/program.js';

test('a name is looked for on the path', () => {
  expect(findProgram('sh', '/nonexistent:/bin')).toBe('/bin/sh');
});

test('a path is taken as it is', () => {
  expect(findProgram('/bin/sh', '')).toBe('/bin/sh');
});

test.each([['no-such-program'], ['/bin/no-such-program'], ['/etc/passwd']])('%s is refused with the key to change', (name) => {
  expect(() => findProgram(name, '/bin')).toThrow(/loadbalancer:nginx\.binary/);
});
