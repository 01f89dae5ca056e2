import { KEYS } from '@reactor/core';
import { aHost } from '@reactor/testkit';
import { INI, type RunningApi, startApi } from './running-api.js';

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
});
afterEach(() => running.close());

const PUSHED = '[cloud:docker]\nslots = 500\nlabels = size=xl\nport_range = 21000-21999\n';

test('a configuration is kept per manager, and its warnings say what waits for what', async () => {
  const { warnings } = await running.client.setManagerConfig('vm1', PUSHED);
  expect(warnings.join('\n')).toMatch(/port_range.*started again/);
  expect(warnings.join('\n')).toMatch(/no manager 'vm1' is alive/);
  expect(warnings.join('\n')).not.toMatch(/slots|labels/);
  expect(await running.client.managerConfigs()).toEqual(['vm1']);
  expect(await running.client.managerConfig('vm1')).toEqual({
    'cloud:docker': { slots: '500', labels: 'size=xl', port_range: '21000-21999' },
  });
  await running.client.removeManagerConfig('vm1');
  await running.client.removeManagerConfig('vm1');
  expect(await running.client.managerConfigs()).toEqual([]);
  await expect(running.client.managerConfig('vm1')).rejects.toMatchObject({ code: 'not_found' });
});

test.each([
  ['[cloud:docker]\nslots = many\n', /slots.*'many'/],
  ['[manager]\nstate = redis://elsewhere\n', /state.*own reactor.conf only/],
  ['[loadbalancer:nginx]\nbinary = /tmp/evil\n', /binary.*own reactor.conf only/],
  ['[api]\nlisten = :80\n', /listen.*own reactor.conf only/],
  ['[cloud:docker]\nsocket = /tmp/docker.sock\n', /socket.*own reactor.conf only/],
])('%j is refused and changes nothing', async (body, message) => {
  const answer = await running.ask('POST', '/v1.1/managers/configs/vm1', { headers: INI, body });
  expect([answer.status, answer.body.error?.code]).toEqual([422, 'config_invalid']);
  expect(answer.body.error?.message).toMatch(message);
  expect(await running.client.managerConfigs()).toEqual([]);
});

test('one that is alive is told with the load balancers that are there, and what an older one said nothing of is none', async () => {
  await running.put(KEYS.host('vm1'), aHost('vm1', { balancers: ['nginx', 'tcp'] }));
  await running.put(KEYS.host('vm2'), aHost('vm2'));
  expect(await running.client.manager('vm1')).toMatchObject({ name: 'vm1', loadbalancers: ['nginx', 'tcp'], clouds: ['docker'] });
  expect(await running.client.manager('vm2')).toMatchObject({ loadbalancers: [] });
  expect(await running.client.manager('vm3')).toBeNull();
});

test('If-Match guards it', async () => {
  const { revision } = await running.client.setManagerConfig('vm1', PUSHED);
  await running.client.setManagerConfig('vm1', PUSHED.replace('500', '600'), { ifRevision: revision });
  await expect(running.client.setManagerConfig('vm1', PUSHED, { ifRevision: revision })).rejects.toMatchObject({
    code: 'revision_mismatch',
  });
  expect((await running.client.managerConfig('vm1'))['cloud:docker']).toMatchObject({ slots: '600' });
});

test('a rival in between is told from a success', async () => {
  running.rival.before = () => running.client.setManagerConfig('vm1', PUSHED);
  await expect(running.client.setManagerConfig('vm1', PUSHED)).rejects.toMatchObject({ code: 'conflict' });
});
