import { execFile } from 'node:child_process';
import { sandbox, sweepContainers } from '@reactor/testkit';

/** Runs it to its end; fails, with all that it said, unless its status is 0. */
const demo = (words: readonly string[], environment: NodeJS.ProcessEnv): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile('scripts/demo', words, { env: { ...environment, NODE_OPTIONS: '' } }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stdout}${stderr}`)),
    );
  });

/** The README's other command, as a user runs it, on the sandbox's engine. */
test('the demo shows the main job, loses no request, cleans up and says so', async () => {
  const { docker } = sandbox();
  await sweepContainers();
  const environment = { ...process.env, DOCKER_HOST: `unix://${docker}` };
  const output = await demo(['--port', '8088'], environment);
  expect(output).toMatch(/requests +\d+ sent, 0 failed/);
  expect(output).toMatch(/1 -> 5 -> 1, [1-4] taken back while draining/);
  const left = await new Promise<string>((resolve) => {
    execFile('docker', ['ps', '-aq', '--filter', 'label=reactor.cluster'], { env: environment }, (_error, stdout) =>
      resolve(stdout),
    );
  });
  expect(left).toBe('');
}, 240_000);

test('the demo of three hosts shows one of them die under load, and loses nothing but what was under way to it', async () => {
  const output = await demo(['--hosts', '3'], process.env);
  expect(output).toMatch(/its instances replaced after +[\d.]+ s/);
  const chapters = [...output.matchAll(/requests through \S+, (.*?) +\d+ sent, (\d+) failed(?:, (\d+) of them)?/g)];
  expect(chapters.map(([, name]) => name)).toEqual(['load', 'host dead', 'host back']);
  for (const [, , failed, lost = '0'] of chapters) expect(Number(failed) - Number(lost)).toBe(0);
}, 300_000);
