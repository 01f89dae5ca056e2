import { exampleEndpoint, type RunningReactor, startReactor, until } from '@reactor/testkit';

/** What an operator does by hand, through the real command against real Docker and nginx. One host, so draining it has to wait. */

let reactor: RunningReactor;

beforeAll(async () => {
  reactor = await startReactor();
  await reactor.reactor(['manage', 'pyex'], exampleEndpoint());
  await reactor.reactor(['start', 'pyex']);
  await until('the service answers', 20_000, async () => (await fetch('http://127.0.0.1/')).ok);
}, 60_000);
afterAll(() => reactor.stop(), 60_000);

const ready = async (): Promise<number> => {
  const rows = JSON.parse(await reactor.reactor(['ps', 'pyex', '--json'])) as readonly { readonly state: string }[];
  return rows.filter((row) => row.state === 'ready').length;
};

test('a count is held, explained, and handed back', async () => {
  await reactor.reactor(['scale', 'pyex=3', '--for', '10m']);
  await until('three are ready', 20_000, async () => (await ready()) === 3);
  expect(await reactor.reactor(['explain', 'pyex'])).toMatch(
    /3 instances wanted \(3 now\): held at 3 by the operator until \d\d:\d\d UTC\./,
  );
  const table = await reactor.reactor(['ps']);
  expect(table.split('\n')[0]).toMatch(/^ENDPOINT +ID +HOST +STATE +ADDRESS +AGE +OPEN +ERROR$/);
  await reactor.reactor(['scale', 'pyex=auto']);
  await until('the rules decide again', 10_000, async () => !(await reactor.reactor(['explain', 'pyex'])).includes('held at'));
}, 60_000);

test('the only host is not emptied: its instances stay until another one has room, and explain says so', async () => {
  expect((await reactor.tryReactor(['host', 'drain', 'vm1'])).stderr).toContain('no other host takes instances');
  await until('the wait is told', 10_000, async () =>
    (await reactor.reactor(['explain', 'pyex'])).includes('for a host with room: vm1: draining'),
  );
  const place = await reactor.tryReactor(['place', 'pyex', '--dry-run']);
  expect([place.status, place.stdout]).toEqual([1, expect.stringContaining('vm1   refused  health  draining')]);
  expect(await reactor.reactor(['hosts'])).toMatch(/^vm1 +draining /m);
  expect((await fetch('http://127.0.0.1/')).ok).toBe(true);
  expect((await reactor.tryReactor(['host', 'remove', 'vm1'])).stderr).toContain("host 'vm1' is alive");
  await reactor.reactor(['host', 'activate', 'vm1']);
  expect((await reactor.tryReactor(['place', 'pyex', '--dry-run'])).stdout).toContain('pyex would go to vm1');
}, 60_000);

test('what is mistyped is said in one line, with what was expected', async () => {
  for (const [words, status, told] of [
    [['scale', 'pyex'], 2, 'expected ENDPOINT=COUNT or ENDPOINT=auto'],
    [['scale', 'pyex=-1'], 2, 'expected ENDPOINT=COUNT'],
    [['scale', 'pyex=2', '--for', 'soon'], 2, "--for: 'soon' is not a duration"],
    [['scale', 'pyx=2'], 1, "no endpoint 'pyx'"],
    [['ps', 'pyx'], 1, "no endpoint 'pyx'"],
    [['host', 'drian', 'vm1'], 2, "did you mean 'drain'"],
    [['host', 'drain', 'vm9'], 1, "no host 'vm9'; there is vm1"],
    [['place', 'pyx', '--dry-run'], 1, "no endpoint 'pyx'"],
    [['place', 'pyex'], 2, 'place only asks'],
    [['logs', 'pyex', '--since', 'yesterday'], 2, '--since: expected a time such as 10m'],
    [['logs', 'pyex', '--tail', '1.5'], 2, '--tail: expected a whole number'],
  ] as const) {
    const answer = await reactor.tryReactor(words);
    expect([words.join(' '), answer.status, answer.stdout]).toEqual([words.join(' '), status, '']);
    expect(answer.stderr).toContain(told);
    expect(answer.stderr.trimEnd().split('\n')).toHaveLength(1);
  }
}, 60_000);

test('explain says what every host answered to the newest start', async () => {
  expect(await reactor.reactor(['explain', 'pyex'])).toMatch(
    /\nPlacement\n {2}(started|first refused) .*\n {2}HOST +VERDICT +FILTER +WHY\n {2}vm1 +/,
  );
});

test('the cluster is told at a glance, and what the containers wrote is there to read', async () => {
  const info = await reactor.reactor(['info']);
  expect(info).toMatch(/^Endpoints: 1 \(1 RUNNING\)$/m);
  expect(info).toMatch(/^ {2}└ State: ready, heard /m);
  expect(info).toMatch(/^ {2}└ API: on loopback only$/m);
  await reactor.reactor([
    'set',
    'pyex',
    'cloud:docker',
    'command',
    "node -e 'console.log(`hello`);console.error(`oh`);setInterval(String,1e6)'",
  ]);
  await until('both streams are read', 30_000, async () => {
    const rows = (await reactor.reactor(['logs', 'pyex', '--json'])).split('\n').filter((line) => line !== '');
    const parts = rows.map((line) => (JSON.parse(line) as readonly string[]).slice(2).join(' '));
    return parts.includes('stdout hello vm1') && parts.includes('stderr oh vm1');
  });
}, 60_000);
