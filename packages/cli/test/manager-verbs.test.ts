import type { LogRow } from '@reactor/client';
import { type Answer, type FixedDaemon, fixedDaemon, refused } from './fixed-daemon.js';
import { type Printed, type Surroundings, typed } from './typed.js';

/** What is done with managers, 2013's word for daemons, under today's names and those of before. */

const CONFIGS = '/v1.1/managers/configs';
const PUSHED = '[cloud:docker]\nslots=500\n';
const DOCUMENT = { 'cloud:docker': { slots: '500' } };
const INFO = { name: 'vm1', keys: [], loadbalancers: ['nginx'], clouds: ['docker'], leader: true };
const ROWS: readonly LogRow[] = [[1384300800.25, 'INFO', 'taken up: cloud:docker.slots', 1, 'CONFIG_UPDATED']];
const LINE = '1384300800.250 INFO taken up: cloud:docker.slots\n';
const shown = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

let daemon: FixedDaemon | null = null;
afterEach(async () => {
  await daemon?.close();
  daemon = null;
});

async function ask(
  argv: readonly string[],
  answers: Readonly<Record<string, Answer>>,
  around: Surroundings = {},
): Promise<Printed & { readonly sent: readonly string[] }> {
  daemon = await fixedDaemon(answers);
  const printed = await typed(argv, { ...around, env: { REACTOR_API: daemon.api } });
  return { ...printed, sent: daemon.requests.map(({ line, body }) => (body === '' ? line : `${line} ${body}`)) };
}

describe.each<readonly [names: string, args: readonly string[], request: string, body: string, answer: unknown, stdout: string]>([
  ['manager-list manager-configs managers-configured', [], `GET ${CONFIGS}`, '', ['vm1', 'vm2'], 'vm1\nvm2\n'],
  ['manager-list', ['--json'], `GET ${CONFIGS}`, '', ['vm1'], shown(['vm1'])],
  ['manager-show show-manager', ['vm1'], `GET ${CONFIGS}/vm1`, '', DOCUMENT, shown(DOCUMENT)],
  ['manager-update update-manager', ['vm1'], `POST ${CONFIGS}/vm1`, PUSHED, { warnings: [], revision: 7 }, ''],
  ['manager-remove manager-forget forget-manager', ['vm1'], `DELETE ${CONFIGS}/vm1`, '', {}, ''],
  ['manager-active managers-active managers', [], 'GET /v1.1/managers/active', '', ['vm1'], 'vm1\n'],
  ['manager-info', ['vm1'], 'GET /v1.1/managers/active/vm1', '', INFO, shown(INFO)],
  ['manager-info', ['vm9'], 'GET /v1.1/managers/active/vm9', '', null, 'null\n'],
  ['manager-log', ['vm1', '--limit', '1'], 'GET /v1.1/managers/log/vm1?limit=1', '', ROWS, LINE],
])('%s %j', (names, args, request, body, answer, stdout) => {
  test.each(names.split(' '))('%s', async (verb) => {
    const printed = await ask([verb, ...args], { [request]: { body: answer } }, { stdin: body });
    expect(printed).toEqual({ status: 0, stdout, stderr: '', sent: [body === '' ? request : `${request} ${body}`] });
  });
});

test('manager-watch prints lines as they come', async () => {
  const body = `${JSON.stringify(ROWS[0])}\n`.repeat(2);
  const answers = { 'GET /v1.1/managers/log/vm1?follow=1': { body, open: true } };
  expect(await ask(['manager-watch', 'vm1'], answers, { brokenAfter: 1 })).toMatchObject({ status: 0, stdout: LINE });
});

test('manager-update tells what waits for a restart, and still has done it', async () => {
  const answer = { body: { warnings: ['cloud:docker.port_range: in force when this manager is started again'], revision: 7 } };
  expect(await ask(['manager-update', 'vm1'], { [`POST ${CONFIGS}/vm1`]: answer }, { stdin: PUSHED })).toMatchObject({
    status: 0,
    stderr: 'reactor: warning: cloud:docker.port_range: in force when this manager is started again\n',
  });
});

test.each([
  ['manager-show', 'GET', `${CONFIGS}/vm9`, refused(404, 'not_found', "no configuration for a manager 'vm9'")],
  ['manager-update', 'POST', `${CONFIGS}/vm9`, refused(422, 'config_invalid', "slots: 'many' is not a whole number")],
  ['manager-remove', 'DELETE', `${CONFIGS}/vm9`, refused(401, 'unauthorized', 'the key is missing or wrong')],
  ['manager-info', 'GET', '/v1.1/managers/active/vm9', refused(400, 'request_invalid', "'vm 9' is not a manager")],
  ['manager-log', 'GET', '/v1.1/managers/log/vm9', refused(503, 'state_unavailable', 'the cluster state cannot be reached')],
  ['manager-watch', 'GET', '/v1.1/managers/log/vm9?follow=1', refused(400, 'request_invalid', "'vm 9' is not a manager")],
])('%s says in one line why the daemon refuses, with status 1', async (verb, method, path, answer) => {
  const { message } = (answer.body as { readonly error: { readonly message: string } }).error;
  const printed = await ask([verb, 'vm9'], { [`${method} ${path}`]: answer }, { stdin: PUSHED });
  expect(printed).toMatchObject({ status: 1, stdout: '', stderr: `reactor: ${message}\n` });
});

test.each([
  [['manager-show'], 'usage: reactor manager-show'],
  [['manager-update'], 'usage: reactor manager-update'],
  [['manager-remove', 'vm1', 'vm2'], 'usage: reactor manager-remove'],
  [['manager-info'], 'usage: reactor manager-info'],
  [['manager-list', 'vm1'], 'usage: reactor manager-list'],
  [['manager-log'], 'usage: reactor manager-log'],
  [['manager-log', 'vm1', '--limit', '1.5'], 'reactor: --limit: expected a whole number, not 1.5'],
  [['manager-watch', 'vm1', '--since', 'yesterday'], 'reactor: --since: expected a time such as 10m'],
  [['manager-update', 'vm1'], 'reactor: manager-update reads the configuration from standard input'],
  [['manager-lists'], "reactor: unknown command 'manager-lists'; did you mean 'manager-list'?"],
])('%j is a wrong command line, and nothing is asked', async (argv, told) => {
  const printed = await ask(argv, {});
  expect([printed.status, printed.stdout, printed.sent]).toEqual([2, '', []]);
  expect(printed.stderr.startsWith(told)).toBe(true);
  expect(printed.stderr.trimEnd().split('\n')).toHaveLength(1);
});
