import { parseApiAddress } from '@reactor/client';
import { ReactorError } from '@reactor/core';

test.each([
  ['http://localhost:8080', 'http://localhost:8080'],
  ['http://localhost:8080/', 'http://localhost:8080'],
  ['http://h', 'http://h'],
  ['https://h/reactor/', 'https://h/reactor'],
  ['HTTPS://H:8443', 'https://h:8443'],
  ['h', 'http://h:8080'],
  ['h:80', 'http://h'],
  ['h:9000', 'http://h:9000'],
  ['10.0.0.1', 'http://10.0.0.1:8080'],
  ['10.0.0.1:1', 'http://10.0.0.1:1'],
  ['[::1]:9000', 'http://[::1]:9000'],
  ['[::1]', 'http://[::1]:8080'],
  ['::1', 'http://[::1]:8080'],
  [' h ', 'http://h:8080'],
])('%j is %s', (text, url) => {
  expect(parseApiAddress(text)).toBe(url);
});

test.each([
  ['', /is empty/],
  ['   ', /is empty/],
  ['http://h:99999', /port '99999', which is not between 1 and 65535/],
  ['h:0', /port '0'/],
  ['h:80a', /port '80a'/],
  ['ftp://h', /scheme ftp/],
  ['a b', /white space/],
  ['h\nx', /white space/],
  ['http://', /not an address/],
  ['http://[::1', /not an address/],
  ['http://user:secret@h', /user name/],
  ['http://h?x=1', /query/],
  ['http://h#x', /query or a fragment/],
])('%j is refused in one line', (text, message) => {
  const refuse = (): string => parseApiAddress(text);
  expect(refuse).toThrow(ReactorError);
  expect(refuse).toThrow(message);
  expect(refuse).not.toThrow(/secret|\n/);
});
