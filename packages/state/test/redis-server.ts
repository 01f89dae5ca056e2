import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';

/** A redis-server of the test's own, on a free port and in a directory of its own. */
export class RedisServer {
  #process: ChildProcess | null = null;
  #isHeld = false;

  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly settings: readonly string[],
  ) {}

  static async start(...settings: readonly string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), mkdtempSync(join(tmpdir(), 'reactor-redis-')), settings);
    await server.run();
    return server;
  }

  /** Where it keeps its data; gone when it is stopped. */
  get home(): string {
    return this.directory;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Neither ended nor held up. */
  get runs(): boolean {
    return !this.#isHeld && hasNotEnded(this.#process);
  }

  async run(): Promise<void> {
    const args = ['--port', String(this.port), '--dir', this.directory, '--bind', '127.0.0.1', '--save', '', ...this.settings];
    const started = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = started;
    let output = '';
    for await (const chunk of started.stdout) {
      output += String(chunk);
      if (output.includes('Ready to accept connections')) break;
    }
    if (!output.includes('Ready to accept connections')) throw new Error(`redis-server did not start: ${output}`);
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(name);
    this.#isHeld = name === 'SIGSTOP';
  }

  async kill(): Promise<void> {
    const running = this.#process;
    if (running === null || !hasNotEnded(running)) return;
    const ended = once(running, 'exit');
    running.kill('SIGKILL');
    await ended;
    this.#isHeld = false;
  }

  async stop(): Promise<void> {
    await this.kill();
    // A child that was saving may still be writing there.
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  /** One command over a connection of its own. */
  async command(name: string, ...args: readonly string[]): Promise<unknown> {
    const client = new Redis(this.port, '127.0.0.1', { protocol: 2, enableReadyCheck: false });
    try {
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  }

  /** The same for one that answers with text. */
  async says(name: string, ...args: readonly string[]): Promise<string> {
    return String(await this.command(name, ...args));
  }

  /** Its name in a Redis cluster. */
  id(): Promise<string> {
    return this.says('CLUSTER', 'MYID');
  }
}

function hasNotEnded(process: ChildProcess | null): boolean {
  return process !== null && process.exitCode === null && process.signalCode === null;
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/** Repeats until the call succeeds; its time in milliseconds. */
export async function timeUntilSuccess(call: () => Promise<unknown>, atMostMs: number): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    try {
      await call();
      return performance.now() - startedMs;
    } catch (error) {
      if (performance.now() - startedMs > atMostMs) throw error;
      await delay(20);
    }
  }
}
