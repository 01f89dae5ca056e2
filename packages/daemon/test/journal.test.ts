import { maskSecrets } from '../src/journal.js';

test.each([
  ['redis://user:hunter2@10.0.0.1:6379/0 refused', 'redis://user:***@10.0.0.1:6379/0 refused'],
  ['rediss://:hunter2@host refused', 'rediss://:***@host refused'],
  ['password=hunter2 is wrong', 'password=*** is wrong'],
  ['{"auth_key":"hunter2","a":1}', '{"auth_key":"***","a":1}'],
  ['X-Auth-Key: hunter2', 'X-Auth-Key: ***'],
  ['nothing to hide at http://10.0.0.1:8080/', 'nothing to hide at http://10.0.0.1:8080/'],
])('%s', (text, masked) => {
  expect(maskSecrets(text)).toBe(masked);
});
