import { execFile } from 'node:child_process';
import { sandbox, sweepContainers } from '@reactor/testkit';

/** The README's other command, as a user runs it, on the sandbox's engine. */
test('the demo shows the main job, loses no request, cleans up and says so', async () => {
  const { docker } = sandbox();
  await sweepContainers();
  const environment = { ...process.env, DOCKER_HOST: `unix://${docker}`, NODE_OPTIONS: '' };
  const output = await new Promise<string>((resolve, reject) => {
    execFile('scripts/demo', ['--port', '8088'], { env: environment }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stdout}${stderr}`)),
    );
  });
  expect(output).toMatch(/requests +\d+ sent, 0 failed/);
  expect(output).toMatch(/1 -> 5 -> 1, [1-4] taken back while draining/);
  const left = await new Promise<string>((resolve) => {
    execFile('docker', ['ps', '-aq', '--filter', 'label=reactor.cluster'], { env: environment }, (_error, stdout) =>
      resolve(stdout),
    );
  });
  expect(left).toBe('');
}, 240_000);
