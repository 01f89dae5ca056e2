import { openState } from '@reactor/state';
import { replyCode } from '../src/redis-replies.js';
import { parseRedisUrl } from '../src/redis-url.js';

test.each([
  ['redis://example.com', { host: 'example.com', port: 6379, db: 0 }],
  ['redis://', { host: 'localhost', port: 6379, db: 0 }],
  ['redis://10.0.0.1:7000/3', { host: '10.0.0.1', port: 7000, db: 3 }],
  ['redis://[::1]:7000', { host: '::1', port: 7000, db: 0 }],
  ['redis://user:p%40ss@h/1', { host: 'h', port: 6379, db: 1, username: 'user', password: 'p@ss' }],
  ['redis://:a:b@h', { host: 'h', port: 6379, db: 0, password: 'a:b' }],
  ['rediss://h:6380', { host: 'h', port: 6380, db: 0, tls: {} }],
  [
    'redis+sentinel://:pw@a:1,b/main/2?sentinelPassword=sp',
    {
      sentinels: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26379 },
      ],
      name: 'main',
      password: 'pw',
      sentinelPassword: 'sp',
      db: 2,
    },
  ],
  ['redis+cluster://user:pw@a:7000,b/0', { username: 'user', password: 'pw', db: 0 }],
  ['rediss+cluster://a:7000', { db: 0, tls: {} }],
])('%s is understood', (url, options) => {
  expect(parseRedisUrl(url).options).toEqual(options);
});

test.each([
  ['redis:/x'],
  ['redis://h:0'],
  ['redis://h:70000'],
  ['redis://h/db'],
  ['redis://h/1/2'],
  ['redis://h o s t'],
  ['redis://u:%zz@h'],
  ['redis://a,b'],
  ['redis+cluster://a,b/1'],
  ['redis+sentinel://a:1'],
  ['redis+sentinel://a:1/'],
  ['memcached://:s3cret@h'],
])('%s is refused with what was expected, and without its password', async (url) => {
  const refusal = openState(url, { directory: '/nonexistent' });
  await expect(refusal).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining('expected ') });
  await expect(refusal).rejects.not.toMatchObject({ message: expect.stringContaining('s3cret') });
});

test('some nodes of a cluster are named, and of anything else none', () => {
  expect(parseRedisUrl('redis+cluster://a:7000,[::1]:7001,b').nodes).toEqual([
    { host: 'a', port: 7000 },
    { host: '::1', port: 7001 },
    { host: 'b', port: 6379 },
  ]);
  expect(parseRedisUrl('redis://a:7000').nodes).toBeNull();
});

test('the address in messages has no credentials', () => {
  expect(parseRedisUrl('redis://user:s3cret@h:1/2').where).toBe('redis://h:1/2');
  expect(parseRedisUrl('redis+cluster://:s3cret@a,b:2').where).toBe('redis+cluster://a:6379,b:2/0');
  expect(parseRedisUrl('redis+sentinel://:s3cret@a,b:2/main').where).toBe('redis+sentinel://a:26379,b:2/main/0');
});

test.each([
  ['OOM command not allowed when used memory > maxmemory', 'OOM'],
  ["ERR Error running script (call to f_1): @user_script:1: -READONLY You can't write against a read only replica.", 'READONLY'],
  ["ERR The user executing the script can't run this command or subcommand script: f_1, on @user_script:9.", 'NOPERM'],
  ['ERR unknown command', 'ERR'],
])('the code of "%s" is %s', (text, code) => {
  expect(replyCode(new Error(text))).toBe(code);
});
