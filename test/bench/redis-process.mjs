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
  const server = spawn('redis-server', Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)]), { stdio: 'ignore' });
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50, maxRetriesPerRequest: 100 });
  // Until it listens, each attempt is an error that the next one makes good.
  client.on('error', () => {});
  await client.ping();

  const stop = async () => {
    client.disconnect();
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  return { url: `redis://127.0.0.1:${port}`, client, scriptCalls: () => scriptCalls(client), stop };
}

/**
 * Calls of scripts since the server started. Only these are round trips: `INFO commandstats` also counts what a script
 * calls inside the server, but a script cannot call another script.
 */
async function scriptCalls(client) {
  const text = await client.info('commandstats');
  return [...text.matchAll(/^cmdstat_(?:eval|evalsha|eval_ro|evalsha_ro|fcall|fcall_ro):calls=(\d+)/gm)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}
