import { INI, PYEX, type RunningApi, startApi } from './running-api.js';

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
});
afterEach(() => running.close());

const NEVER_FALLS = PYEX.replace('max_instances=5', 'max_instances=5\nrules=\n  0 < rate < 1');

test('a configuration that is not stored is looked at, and nothing is stored', async () => {
  const { body, status } = await running.ask('POST', '/v1.1/lint', { headers: INI, body: NEVER_FALLS });
  expect(status).toBe(200);
  expect(body).toEqual({
    findings: [
      {
        code: 'down_only_in_silence',
        severity: 'warning',
        section: 'scaling',
        key: 'rules',
        line: NEVER_FALLS.split('\n').indexOf('  0 < rate < 1') + 1,
        text: expect.stringContaining('never falls'),
        suggestion: "try '0.3 < rate < 1'",
      },
    ],
  });
  expect(await running.client.endpoints()).toEqual([]);
});

test('one that cannot be read or used is a finding, not a failure', async () => {
  expect(await running.client.lint('[endpoint]\nport=eighty\n')).toEqual([
    expect.objectContaining({ code: 'config_invalid', severity: 'error', section: 'endpoint', key: 'port', line: 2 }),
  ]);
  expect(await running.client.lint('[endpoint')).toEqual([expect.objectContaining({ code: 'config_syntax', severity: 'error' })]);
  expect((await running.ask('POST', '/v1.1/lint', { headers: { 'content-type': 'image/png' }, body: 'x' })).status).toBe(415);
});

test('a stored one is seen with what programs post about it', async () => {
  await running.client.createEndpoint('pyex', PYEX);
  const codes = async () => (await running.client.lintEndpoint('pyex')).map(({ code }) => code);
  const { warnings } = await running.client.setValue('pyex', 'scaling', 'rules', '1 < queue < 5');
  expect(warnings).toEqual([expect.stringContaining("Nobody has posted 'queue' lately")]);
  expect(await codes()).toEqual(['unreported_metric']);
  await running.ask('POST', '/v1.1/endpoints/pyex/metrics', {
    headers: { 'content-type': 'application/json' },
    body: '{"queue": 3}',
  });
  expect(await codes()).toEqual([]);
});
