import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** A Redis of our own on a free port, nothing written to disk. */
export async function startRedis() {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'reactor-bench-redis-'));
  const options = { port, bind: '127.0.0.1', dir: directory, save: '', appendonly: 'no' };
  const server = spawn(
    'redis-server',
    Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)]),
    { stdio: 'ignore' },
  );
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50, maxRetriesPerRequest: 100 });
  // Until it listens, each attempt is an error that the next one makes good.
  client.on('error', () => {});
  await client.ping();

  let questions = 0;
  const stop = async () => {
    client.disconnect();
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  return { url: `redis://127.0.0.1:${port}`, client, requestsRead: () => requestsRead(client, ++questions), stop };
}

/**
 * Requests read from clients so far, this question not counted. A transaction or a pipeline sent at once is one; a request of
 * more than 16 kB is several, so this is for rounds that send little.
 */
async function requestsRead(client, questions) {
  const text = await client.info('stats');
  return Number(/^total_reads_processed:(\d+)/m.exec(text)?.[1]) - questions;
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}
