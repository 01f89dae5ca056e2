import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, closeSync, mkdtempSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogLines } from '../../packages/nginx/dist/index.js';
import { LogReader } from '../../packages/nginx/dist/log-reader.js';
import { configuredTraffic, linesOf, requestsIn } from './access-log.mjs';
import { figure } from './figure.mjs';
import { processorSecondsOf } from './process-cost.mjs';
import { alternate, median, timed } from './sample.mjs';

/** The access log's reader: as fast as it can, and at the pace of a busy host. */

const LINES = 5_000_000;
const SECONDS = 10;
/** Lines are made once and written so often: making them takes longer than reading them. */
const COPIES = 10;
const PAIRS = 3;
/** What a busy host serves, written as nginx does, whose buffers are flushed every 100 ms. */
const LIVE_PER_SECOND = 10_000;
const LIVE_SECONDS = 10;
const FLUSH_MS = 100;
/** The pace of the agent. */
const PUBLISH_MS = 250;

export async function measure(say) {
  const directory = mkdtempSync(join(tmpdir(), 'reactor-bench-'));
  try {
    return [...(await flatOut(directory, say)), ...(await live(directory, say))];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function flatOut(directory, say) {
  say(`writing ${LINES.toLocaleString('en-US')} log lines`);
  const path = join(directory, 'access.log');
  const firstSecond = Math.floor(Date.now() / 1000) - SECONDS - 1;
  const file = openSync(path, 'w');
  for (let second = firstSecond; second < firstSecond + SECONDS; second++) {
    const lines = linesOf(second, LINES / SECONDS / COPIES);
    for (let copy = 0; copy < COPIES; copy++) writeSync(file, lines);
  }
  closeSync(file);
  const nowMs = (firstSecond + SECONDS + 1) * 1000;
  wordCount(path);

  say(`reading them, ${PAIRS} x against wc -l`);
  const samples = await alternate(
    PAIRS,
    () => readAll(directory, path, nowMs),
    async () => LINES / ((await timed(() => wordCount(path))) / 1000),
  );
  rmSync(path);
  return [
    figure({
      id: 'P3',
      name: 'access log reader, one thread',
      unit: 'lines/s',
      ours: median(samples.ours),
      peer: { name: 'wc -l', value: median(samples.peer) },
      targets: [{ of: 'ours', op: '>=', limit: 4e6 }],
    }),
  ];
}

function wordCount(path) {
  const { stdout } = spawnSync('wc', ['-l', path], { encoding: 'latin1' });
  if (Number.parseInt(stdout, 10) !== LINES) throw new Error(`wc counted ${stdout}`);
}

/** Lines per second of the reader as it runs in the daemon. It starts before the file is there, so it reads all of it. */
async function readAll(directory, path, nowMs) {
  const watched = join(directory, 'watched.log');
  const traffic = configuredTraffic(nowMs);
  const reader = new LogReader({ path: watched, lines: new LogLines(traffic), isOpenInNginx: () => true });
  await reader.open(nowMs);
  renameSync(path, watched);
  const tookMs = await timed(async () => {
    do await reader.read(nowMs);
    while (reader.lagBytes > 0);
  });
  await reader.close();
  renameSync(watched, path);
  const counted = requestsIn(traffic, nowMs);
  if (counted !== LINES) throw new Error(`the reader counted ${counted} of ${LINES} lines`);
  return LINES / (tookMs / 1000);
}

async function live(directory, say) {
  say(`following a log of ${LIVE_PER_SECOND.toLocaleString('en-US')} lines/s for ${LIVE_SECONDS} s`);
  const path = join(directory, 'live.log');
  appendFileSync(path, '');
  const tail = spawn('sh', ['-c', 'tail -n +1 -f "$0" & echo $!; wait', path], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const tailPid = await new Promise((resolve) => tail.stdout.once('data', (data) => resolve(Number.parseInt(String(data), 10))));
  const writer = spawn(
    process.execPath,
    [new URL('live-log.mjs', import.meta.url).pathname, path, LIVE_PER_SECOND, LIVE_SECONDS, FLUSH_MS].map(String),
    {
      stdio: 'inherit',
    },
  );
  tail.stdout.resume();
  try {
    const ours = await follow(path, new Promise((resolve) => writer.once('exit', resolve)));
    return [
      figure({
        id: 'P3',
        name: `reading and reporting ${LIVE_PER_SECOND.toLocaleString('en-US')} requests/s, of a core`,
        unit: '%',
        ours,
        peer: { name: 'tail -f', value: (processorSecondsOf(tailPid) / LIVE_SECONDS) * 100 },
        targets: [{ of: 'ours', op: '<=', limit: 1.5 }],
      }),
    ];
  } finally {
    process.kill(-tail.pid, 'SIGKILL');
    writer.kill('SIGKILL');
  }
}

/** Per cent of a core this process uses while it follows the log as the agent does. */
async function follow(path, written) {
  const traffic = configuredTraffic(Date.now());
  const reader = new LogReader({ path, lines: new LogLines(traffic), isOpenInNginx: () => true });
  await reader.open(Date.now());
  let over = false;
  void written.then(() => {
    over = true;
  });
  const before = process.cpuUsage();
  const startedMs = performance.now();
  while (!over) {
    await reader.read(Date.now());
    JSON.stringify(traffic.report(Date.now(), new Map()));
    await new Promise((resolve) => setTimeout(resolve, PUBLISH_MS));
  }
  const { user, system } = process.cpuUsage(before);
  const elapsedMs = performance.now() - startedMs;
  await reader.read(Date.now());
  await reader.close();
  const counted = requestsIn(traffic, Date.now());
  if (counted < LIVE_PER_SECOND * LIVE_SECONDS * 0.99)
    throw new Error(`the reader counted ${counted} lines of ${statSync(path).size} bytes`);
  return ((user + system) / 1000 / elapsedMs) * 100;
}
