import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  exampleEndpoint,
  openBrowser,
  type RunningBrowser,
  type RunningReactor,
  sandbox,
  startReactor,
  until,
  type WatchedPage,
} from '@reactor/testkit';

/** The web pages in a real Chromium, from a real daemon that runs real containers, with its state in a real Redis. */

const REDIS_PORT = 6_391;
const WITHIN_MS = 20_000;
/** What would run if any text became markup. */
const HOSTILE = `<img src=x onerror="alert('ran')"><script>alert('ran')</script>`;

let redis: ChildProcess;
let reactor: RunningReactor;
let browser: RunningBrowser;
let shown: WatchedPage;

beforeAll(async () => {
  const directory = mkdtempSync(join(sandbox().directory, 'redis.'));
  redis = spawn('redis-server', ['--port', `${REDIS_PORT}`, '--bind', '127.0.0.1', '--dir', directory, '--save', ''], {
    stdio: 'ignore',
  });
  reactor = await startReactor({ state: `redis://127.0.0.1:${REDIS_PORT}`, interval: 0.5 });
  await reactor.reactor(['manage', 'pyex'], exampleEndpoint({ scaling: { rules: '0 < rate < 5' } }));
  await reactor.reactor(['start', 'pyex']);
  browser = await openBrowser();
}, 90_000);
afterAll(async () => {
  await browser.close();
  await reactor.stop();
  redis.kill('SIGKILL');
}, 60_000);
beforeEach(async () => {
  shown = await browser.open();
  shown.page.setDefaultTimeout(WITHIN_MS);
});
afterEach(async () => {
  const { complaints, requests } = shown;
  await shown.close();
  expect(complaints).toEqual([]);
  expect(requests.filter((url) => !url.startsWith(`${reactor.api}/`))).toEqual([]);
});

const visit = (hash = ''): Promise<unknown> => shown.page.goto(`${reactor.api}/ui/${hash}`);
const sees = (text: string | RegExp): Promise<void> => shown.page.getByText(text).first().waitFor();
const button = (name: string) => shown.page.getByRole('button', { name, exact: true });
const stateOf = async (name: string): Promise<string> =>
  (await reactor.get<{ readonly state: string }>(`/v1.1/endpoints/${name}/state`)).state;

test('the overview follows what happens, over one stream and without asking again', async () => {
  await visit();
  const row = shown.page.getByRole('row', { name: /^pyex / });
  await row.getByText('running').waitFor();
  await row.getByText('1 / 1').waitFor();
  await shown.page.getByText('vm1 leads').waitFor();
  await shown.page.waitForLoadState('load');
  await until('what was before is asked for', WITHIN_MS, () => shown.requests.some((url) => url.includes('/history')));
  const asked = shown.requests.length;
  await reactor.reactor(['scale', 'pyex=3']);
  await row.getByText('3 / 3').waitFor();
  await row.getByText(/held at 3 by the operator/).waitFor();
  await shown.page.getByText('3 instances', { exact: true }).waitFor();
  await reactor.reactor(['scale', 'pyex=auto']);
  await row.getByText(/1 instance wanted/).waitFor();
  expect(shown.requests.slice(asked)).toEqual([]);
  expect(shown.requests.filter((url) => url.includes('/live'))).toHaveLength(1);
}, 60_000);

test('an endpoint is found, paused and started with the keyboard alone', async () => {
  const { page } = shown;
  await visit();
  await page.getByRole('link', { name: 'pyex' }).waitFor();
  const focused = (): Promise<string> => page.evaluate('document.activeElement.textContent');
  const tabTo = async (text: string): Promise<void> => {
    for (let press = 0; press < 30; press++) {
      if ((await focused()).trim() === text) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`thirty tabs do not lead to '${text}', but to '${await focused()}'`);
  };
  await page.keyboard.press('Tab');
  expect((await focused()).trim()).toBe('To the content');
  await tabTo('pyex');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: /pyex/ }).waitFor();
  await until(
    'the focus is in the new page',
    WITHIN_MS,
    async () => (await page.evaluate('document.activeElement.id')) === 'main',
  );
  await page.getByRole('img', { name: /^rate per instance: .*its rules want it above .* and below 5.*/ }).waitFor();
  await tabTo('Pause');
  await page.keyboard.press('Enter');
  await button('Start').waitFor();
  expect(await stateOf('pyex')).toBe('PAUSED');
  await tabTo('Start');
  await page.keyboard.press('Enter');
  await button('Pause').waitFor();
  expect(await stateOf('pyex')).toBe('RUNNING');
  await tabTo('Remove …');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Remove pyex' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await until('the focus is back', WITHIN_MS, async () => (await focused()).trim() === 'Remove …');
}, 60_000);

test('nothing that anybody wrote is taken for markup, and the script is not allowed to be anywhere else', async () => {
  const { page } = shown;
  await reactor.reactor(['post', 'pyex'], HOSTILE);
  // A name of an image may not hold it, a variable may, and what Docker says of it comes back as an error.
  await reactor.reactor(
    ['manage', 'hostile'],
    exampleEndpoint({
      endpoint: { url: 'http://hostile.example/' },
      'cloud:docker': { command: `"${HOSTILE.replaceAll('"', '')}"`, image: sandbox().image },
    }),
  );
  await reactor.reactor(['start', 'hostile']);
  await visit('#/endpoints/pyex/log');
  await sees(HOSTILE);
  await visit('#/endpoints/hostile');
  await sees(/onerror=alert/);
  await visit('#/endpoints/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E');
  await page.getByRole('heading', { level: 1, name: '<img src=x onerror=alert(1)>' }).waitFor();
  expect(await page.locator('#app img').count()).toBe(0);
  await reactor.reactor(['unmanage', 'hostile']);
  await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')");
  await until('the policy refuses what was put in by hand', WITHIN_MS, () => shown.complaints.length > 0);
  expect(shown.complaints.join()).toMatch(/Content Security Policy/);
  (shown.complaints as string[]).length = 0;
}, 60_000);

test('a configuration is changed in its form, and a mistake stands beside its key while it is typed', async () => {
  const { page } = shown;
  await visit('#/endpoints/pyex/configuration');
  const field = page.getByLabel('max_instances');
  await field.fill('many');
  await page
    .locator('.key', { has: field })
    .getByText(/'many' is not a whole number/)
    .waitFor();
  expect(await field.getAttribute('aria-invalid')).toBe('true');
  await field.fill('4');
  await button('Save').click();
  await sees(/^Saved/);
  const stored = await reactor.get<Record<string, Record<string, string>>>('/v1.1/endpoints/pyex');
  expect(stored['scaling']).toMatchObject({ max_instances: '4', min_instances: '1', rules: '0 < rate < 5' });
  await page.getByText('INI', { exact: true }).click();
  await until('the text has it, too', WITHIN_MS, async () =>
    /max_instances *= *4/.test(await page.getByLabel('Configuration as INI').inputValue()),
  );
}, 60_000);

test('a decision of before is taken apart, from what was measured to what was done', async () => {
  const { page } = shown;
  await visit('#/endpoints/pyex/decisions');
  const first = page.getByRole('button', { name: /0 → 1/ }).last();
  await first.click();
  expect(await first.getAttribute('aria-pressed')).toBe('true');
  for (const step of [/^Measured over/, 'Rules', 'Limits', 'Why not', 'Steps'])
    await page.getByRole('heading', { level: 3, name: step }).waitFor();
  await page.getByRole('row', { name: /^0 < rate < 5 / }).waitFor();
  await page.getByText(/^start \w+ on vm1: 1 instance is wanted$/).waitFor();
  await reactor.reactor(['scale', 'pyex=2']);
  await page.getByRole('button', { name: /1 → 2/ }).first().waitFor();
  await reactor.reactor(['scale', 'pyex=auto']);
}, 60_000);

test('removing needs the name, typed', async () => {
  const { page } = shown;
  await reactor.reactor(['manage', 'spare'], exampleEndpoint({ endpoint: { url: 'http://spare.example/' } }));
  await visit('#/endpoints/spare');
  await button('Remove …').click();
  const dialog = page.getByRole('dialog', { name: 'Remove spare' });
  await dialog.getByRole('textbox').fill('spar');
  expect(await dialog.getByRole('button', { name: 'Remove' }).isDisabled()).toBe(true);
  await dialog.getByRole('textbox').fill('spare');
  await dialog.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('heading', { name: 'Endpoints' }).waitFor();
  await page.getByRole('link', { name: 'spare' }).waitFor({ state: 'detached' });
}, 60_000);

test.each([
  '#/',
  '#/endpoints/pyex',
  '#/endpoints/pyex/decisions',
  '#/endpoints/pyex/configuration',
  '#/hosts/vm1',
  '#/settings',
])(
  '%s fits a phone, and every control has a name',
  async (hash) => {
    await shown.close();
    shown = await browser.open({ width: 375, dark: true });
    await visit(hash);
    await shown.page.getByRole('heading').first().waitFor({ state: 'attached' });
    await until('it is drawn', WITHIN_MS, async () => (await shown.page.locator('main *').count()) > 5);
    expect(await shown.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(375);
    const nameless = await shown.page.locator('button, a, input, select, textarea').evaluateAll((elements) =>
      elements
        .map((element) => element as unknown as { outerHTML: string; textContent: string; labels?: { length: number } })
        .filter(({ textContent, labels }) => textContent.trim() === '' && (labels?.length ?? 0) === 0)
        .map(({ outerHTML }) => outerHTML),
    );
    expect(nameless).toEqual([]);
  },
  30_000,
);

test('another site cannot put a page in a frame', async () => {
  const site = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<iframe src="${reactor.api}/ui/"></iframe>`);
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;
  const other = await browser.open();
  await other.page.goto(address);
  await until('the browser refuses', WITHIN_MS, () => other.complaints.some((text) => /frame/i.test(text)));
  expect(await other.page.frameLocator('iframe').locator('#app').count()).toBe(0);
  await other.close();
  await new Promise((resolve) => site.close(resolve));
}, 30_000);

test('while the state is out of reach the page says that it is old, and when it is back that it is not', async () => {
  const { page } = shown;
  await visit();
  await page.getByRole('row', { name: /^pyex / }).waitFor();
  process.kill(redis.pid ?? 0, 'SIGSTOP');
  try {
    await page
      .getByRole('alert')
      .getByText(/The cluster state is out of reach\. What is shown is as of \d\d:\d\d:\d\d/)
      .waitFor();
    await page.getByRole('row', { name: /^pyex / }).waitFor();
  } finally {
    process.kill(redis.pid ?? 0, 'SIGCONT');
  }
  await page.getByText(/out of reach/).waitFor({ state: 'detached' });
  process.kill(reactor.pid(), 'SIGSTOP');
  try {
    await page
      .getByRole('alert')
      .getByText(/The daemon has not been heard since/)
      .waitFor();
  } finally {
    process.kill(reactor.pid(), 'SIGCONT');
  }
  await page.getByText(/not been heard/).waitFor({ state: 'detached' });
}, 90_000);

test('with a key set, a page asks for it once and keeps no key; logging out ends it', async () => {
  const { page } = shown;
  await reactor.reactor(['passwd', 'a long key']);
  try {
    await visit();
    await page.getByLabel('Key of the API').fill('a wrong key');
    await page.keyboard.press('Enter');
    await sees('This is not the key.');
    await page.getByLabel('Key of the API').fill('a long key');
    await page.keyboard.press('Enter');
    await page.getByRole('row', { name: /^pyex / }).waitFor();
    const cookies = await page.context().cookies();
    expect(cookies.map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite])).toEqual([['reactor', true, 'Strict']]);
    expect(await page.evaluate('document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)')).toBe('{}{}');
    const cookie = `reactor=${cookies[0]?.value}`;
    const list = async (): Promise<number> => (await fetch(`${reactor.api}/v1.1/endpoints`, { headers: { cookie } })).status;
    expect(await list()).toBe(200);
    await visit('#/endpoints/pyex');
    await button('Pause').click();
    await button('Start').click();
    await button('Log out').click();
    await page.getByLabel('Key of the API').waitFor();
    expect(await list()).toBe(401);
  } finally {
    await reactor.tryReactor(['--password=a long key', 'passwd', '--clear']);
  }
}, 60_000);
