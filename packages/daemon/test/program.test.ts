import { findProgram } from '../src/program.js';

test('a name is looked for on the path', () => {
  expect(findProgram('loadbalancer:nginx.binary', 'sh', '/nonexistent:/bin')).toBe('/bin/sh');
});

test('a path is taken as it is', () => {
  expect(findProgram('loadbalancer:nginx.binary', '/bin/sh', '')).toBe('/bin/sh');
});

test.each([['no-such-program'], ['/bin/no-such-program'], ['/etc/passwd']])('%s is refused with the key to change', (name) => {
  expect(() => findProgram('loadbalancer:nginx.binary', name, '/bin')).toThrow(/loadbalancer:nginx\.binary/);
});
