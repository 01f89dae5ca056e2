import { createClient } from '../../packages/client/dist/index.js';
import { openBrowser } from '../../packages/testkit/dist/browser.js';
import { figure } from './figure.mjs';
import { median } from './sample.mjs';
import { startHost } from './serving-host.mjs';

/** What the web pages cost a person who opens them: bytes, the wait for the first chart, and for what just happened. */

const ROUNDS = 7;

export async function measure(say) {
  const host = await startHost();
  const browser = await openBrowser();
  try {
    await host.deploy('web', { port: 8001 });
    say(`${ROUNDS} browsers without a cache, each against an empty page`);
    const bytes = await bytesOf(host.reactor.api);
    const chart = [];
    const empty = [];
    for (let round = 0; round < ROUNDS; round++) {
      empty.push(await opened(browser, `${host.reactor.api}/healthz`, 'body'));
      chart.push(await opened(browser, `${host.reactor.api}/ui/#/endpoints/web`, '.chart canvas'));
    }
    const delays = await screenDelays(browser, host.reactor.api);
    const within = (limit) => [{ of: 'ours', op: '<=', limit }];
    return [
      figure({
        ...{ id: 'U1', name: 'web pages, all that is sent', unit: 'kB', ours: bytes / 1000, targets: within(100) },
        peer: { name: 'limit', value: 100 },
      }),
      figure({
        ...{ id: 'U2', name: 'web pages, opened until the first chart', unit: 'ms', ours: median(chart), targets: within(1_000) },
        peer: { name: 'empty page', value: median(empty) },
      }),
      figure({
        ...{ id: 'U3', name: 'web pages, from a change to the screen', unit: 'ms', ours: median(delays), targets: within(1_000) },
        peer: { name: 'between two looks', value: 500 },
      }),
    ];
  } finally {
    await browser.close();
    await host.stop();
  }
}

/** The page and everything it names, as compressed on the way. */
async function bytesOf(api) {
  const size = async (path) => {
    const response = await fetch(`${api}/ui/${path}`, { headers: { 'accept-encoding': 'gzip' } });
    return { bytes: Number(response.headers.get('content-length')), text: await response.text() };
  };
  const page = await size('');
  const named = [...page.text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path]) => path);
  const parts = await Promise.all(named.map(size));
  return parts.reduce((sum, { bytes }) => sum + bytes, page.bytes);
}

async function opened(browser, url, selector) {
  const { page, close } = await browser.open();
  const beganMs = performance.now();
  await page.goto(url, { waitUntil: 'commit' });
  await page.locator(selector).first().waitFor();
  const tookMs = performance.now() - beganMs;
  await close();
  return tookMs;
}

/** From the answer to a change until the page shows it. */
async function screenDelays(browser, api) {
  const client = createClient({ api });
  const { page, close } = await browser.open();
  await page.goto(`${api}/ui/#/endpoints/web`);
  await page.locator('h1 .badge').waitFor();
  const delays = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [action, word] = round % 2 === 0 ? ['pause', 'paused'] : ['start', 'running'];
    await client.act('web', action);
    const beganMs = performance.now();
    const shows = (wanted) => document.querySelector('h1 .badge')?.textContent === wanted;
    await page.waitForFunction(shows, word, { polling: 'raf' });
    delays.push(performance.now() - beganMs);
  }
  await close();
  return delays;
}
