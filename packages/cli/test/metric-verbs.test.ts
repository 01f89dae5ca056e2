import { type FixedDaemon, fixedDaemon, refused } from './fixed-daemon.js';
import { typed } from './typed.js';

/** What programs report: passed on as it was typed, for the daemon judges it. */

const METRICS = '/v1.1/endpoints/pyex/metrics';
const TAKEN = { body: { backend: null, countsForMs: 20_000 } };

let daemon: FixedDaemon;
beforeEach(async () => {
  daemon = await fixedDaemon({
    [`POST ${METRICS}`]: TAKEN,
    [`POST ${METRICS}/10.0.0.1%3A20000`]: TAKEN,
    [`POST ${METRICS}/10.9.9.9`]: refused(404, 'not_found', "10.9.9.9 is not a backend of 'pyex'"),
  });
});
afterEach(() => daemon.close());

const run = (argv: readonly string[], stdin: string | null) => typed(argv, { stdin, env: { REACTOR_API: daemon.api } });

test.each([
  [['set-metrics', 'pyex'], METRICS],
  [['set-metrics', 'pyex', '10.0.0.1:20000'], `${METRICS}/10.0.0.1%3A20000`],
])('%j', async (argv, path) => {
  expect(await run(argv, '{"queue": 1e999}')).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(daemon.requests).toMatchObject([{ line: `POST ${path}`, type: 'application/json', body: '{"queue": 1e999}' }]);
});

test('a backend that is none is told in one line', async () => {
  const { status, stderr } = await run(['set-metrics', 'pyex', '10.9.9.9'], '{"queue": 1}');
  expect([status, stderr]).toEqual([1, "reactor: 10.9.9.9 is not a backend of 'pyex'\n"]);
});

test('at a terminal it says what it waits for instead of waiting', async () => {
  const { status, stderr } = await run(['set-metrics', 'pyex'], null);
  expect(status).toBe(2);
  expect(stderr).toContain('set-metrics reads JSON from standard input');
});
