import { setTimeout as delay } from 'node:timers/promises';
import { ReactorError } from '@reactor/core';
import { Redis } from 'ioredis';
import { isRefusal, replyCode, unavailableBecause } from './redis-replies.js';
import { loadScripts, type Verb } from './redis-scripts.js';
import type { RedisTarget } from './redis-url.js';

/** A healthy Redis answers within a millisecond, the largest call within about 100; 2 s is a network that is gone. */
const ANSWER_MS = 2_000;
/** Left alone, a dead connection is noticed after 70 s. One lost answer can be a hiccup, two in a row are not. */
const LOST_IN_A_ROW = 2;
/** A connection that is given up is closed politely first; a dead one never answers that. */
const FAREWELL_MS = 100;
/** A call whose answer was lost is sent again until then: with the last wait for an answer, no call takes longer than 5 s. */
const SEND_AGAIN_MS = 3_000;
const BACK_OFF_FIRST_MS = 50;
/** Soon enough to be back 2 s after Redis is, and few enough that a thousand daemons do not keep it from starting. */
const BACK_OFF_MAX_MS = 2_000;
/** How long a watcher's connection blocks; then it looks whether it is still alive. */
export const BLOCK_MS = 1_000;

const LOST = Symbol('lost');

/**
 * The connection to Redis. Invariants:
 * 1. Every call ends within 5 s, with an answer or with `state_unavailable`.
 * 2. A script is sent again only if its answer was lost, never after a refusal; every script can be sent twice.
 * 3. `epoch` grows with every connection: what was learnt over an earlier one may be of a master that lost writes since. Read
 *    right after an answer it is the epoch of the connection that answered.
 */
export class RedisLink {
  readonly where: string;
  epoch = 0;
  readonly #main: Redis;
  readonly #scripts = loadScripts();
  #blocking: Redis | null = null;
  #lostInARow = 0;
  #connectError: unknown = null;
  /** What was last reported, so that one problem is one message. */
  #problem: string | null = null;
  #closed = false;

  constructor(
    private readonly target: RedisTarget,
    private readonly onProblem: (error: ReactorError) => void,
  ) {
    this.where = target.where;
    this.#main = this.#connect('reactor');
    this.#main.on('ready', () => {
      this.epoch += 1;
    });
  }

  /**
   * Says hello. A server that wants a password answers anything longer with a protocol error that does not say so. Then tries what
   * no script does, so that a user without the right to it is told now.
   */
  async greet(): Promise<void> {
    await this.#untilAnswered(() => this.#main.ping());
    await this.replicasNeeded();
    await this.waitForReplicas(0, 1);
  }

  /** Runs a verb's script; throws `state_unavailable`. */
  run(verb: Verb, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#untilAnswered(() => this.#send(verb, keys, args));
  }

  /** Runs a verb's script, which must have run before, and takes all of a hash at the same moment: key, value, ... */
  async runWithAll(
    verb: Verb,
    keys: readonly string[],
    args: readonly string[],
    hash: string,
  ): Promise<{ readonly answer: unknown; readonly all: unknown }> {
    const { sha } = this.#scripts[verb];
    const replies = await this.#untilAnswered(async () => {
      const transaction = this.#main.multi().evalsha(sha, keys.length, ...keys, ...args);
      // In capitals, so that ioredis leaves the reply the list it is instead of making an object of it.
      const results = (await transaction.call('HGETALL', hash).exec()) ?? [];
      return results.map(([error, reply]) => {
        if (error !== null) throw error;
        return reply;
      });
    });
    const [answer, all] = replies as readonly unknown[];
    return { answer, all };
  }

  /** How many replicas a commit must reach to survive the loss of the master: most of those there are. */
  async replicasNeeded(): Promise<number> {
    const text = String(await this.#untilAnswered(() => this.#main.info('replication')));
    const connected = Number(/^connected_slaves:(\d+)/m.exec(text)?.[1] ?? 0);
    // Sentinel is there to make a replica the master: one that lost all of them may have been replaced already.
    if (connected === 0) return 'sentinels' in this.target.options ? 1 : 0;
    return Math.floor(connected / 2) + 1;
  }

  /** How many replicas have all that was written over this connection, once there are enough or the time is over. */
  async waitForReplicas(enough: number, timeoutMs: number): Promise<number> {
    return Number(await this.#untilAnswered(() => this.#main.wait(enough, timeoutMs)));
  }

  /** Blocks until the stream moves past the id, at most BLOCK_MS: its new id, or null. Throws when the connection is lost. */
  async waitFor(stream: string, id: string): Promise<string | null> {
    this.#blocking ??= this.#connect('reactor-watch');
    const blocking = this.#blocking;
    const reply = await answerOf(blocking.xread('COUNT', 1, 'BLOCK', BLOCK_MS, 'STREAMS', stream, id), BLOCK_MS + ANSWER_MS);
    if (reply !== LOST) return reply?.[0]?.[1].at(-1)?.[0] ?? null;
    if (isUp(blocking)) blocking.disconnect(true);
    throw this.#lastError();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const client of [this.#main, this.#blocking]) client?.disconnect();
  }

  async #untilAnswered(send: () => Promise<unknown>): Promise<unknown> {
    const startedMs = performance.now();
    for (;;) {
      if (this.#closed) throw new ReactorError('state_unavailable', 'the cluster state is closed');
      const reply = await this.#attempt(send);
      if (reply !== LOST) return reply;
      if (performance.now() - startedMs > SEND_AGAIN_MS) throw this.#report(this.#lastError());
      // A refused connection fails every call at once; without a pause this would spin until the next attempt to connect.
      await delay(BACK_OFF_FIRST_MS);
    }
  }

  async #attempt(send: () => Promise<unknown>): Promise<unknown> {
    try {
      return this.#note(await answerOf(send(), ANSWER_MS));
    } catch (error) {
      if (isRefusal(error)) throw this.#report(error);
      // Says only that the connection ended, not why; the connection itself told that.
      if (!(error instanceof Error && error.name === 'MaxRetriesPerRequestError')) this.#connectError ??= error;
      return LOST;
    }
  }

  async #send(verb: Verb, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const script = this.#scripts[verb];
    try {
      return await this.#main.evalsha(script.sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!isRefusal(error) || replyCode(error) !== 'NOSCRIPT') throw error;
      return this.#main.eval(script.text, keys.length, ...keys, ...args);
    }
  }

  #note(reply: unknown): unknown {
    if (reply === LOST) {
      this.#lostInARow += 1;
      if (this.#lostInARow >= LOST_IN_A_ROW && isUp(this.#main)) {
        this.#lostInARow = 0;
        this.#main.disconnect(true);
      }
      return LOST;
    }
    this.#lostInARow = 0;
    this.#problem = null;
    return reply;
  }

  /** What was refused, once per change of its kind, and the error to throw. */
  #report(cause: unknown): ReactorError {
    const error = unavailableBecause(this.where, cause);
    const kind = isRefusal(cause) ? replyCode(cause) : 'lost';
    if (kind !== this.#problem) {
      this.#problem = kind;
      this.onProblem(error);
    }
    return error;
  }

  #lastError(): unknown {
    return this.#connectError ?? `no answer within ${ANSWER_MS} ms`;
  }

  #connect(name: string): Redis {
    const client = new Redis({
      ...this.target.options,
      connectionName: name,
      connectTimeout: ANSWER_MS,
      sentinelCommandTimeout: ANSWER_MS,
      disconnectTimeout: FAREWELL_MS,
      retryStrategy: backOffMs,
      sentinelRetryStrategy: backOffMs,
      // Lost calls are sent again here, with their operation id. Zero fails them at once instead of keeping them.
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      // Would hide LOADING behind silence, and wants INFO, which a restricted user may not have.
      enableReadyCheck: false,
      // A master that became a replica: ask Sentinel again.
      reconnectOnError: (error: Error) => 'sentinels' in this.target.options && replyCode(error) === 'READONLY',
      protocol: 2,
      replyMapping: 'legacy',
      disableClientInfo: true,
    });
    client.on('error', (error: Error) => {
      this.#connectError = error;
      if (isRefusal(error)) this.#report(error);
    });
    client.on('ready', () => {
      this.#connectError = null;
    });
    return client;
  }
}

function isUp(client: Redis): boolean {
  return client.status === 'ready' || client.status === 'connect';
}

/** Exponential, with a random half so that daemons that lost Redis together do not come back together. */
function backOffMs(attempt: number): number {
  const ceilingMs = Math.min(BACK_OFF_MAX_MS, BACK_OFF_FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.ceil(ceilingMs / 2 + (Math.random() * ceilingMs) / 2);
}

/** The answer, or LOST when none came in time; the answer that comes later is dropped. */
async function answerOf<T>(answer: Promise<T>, atMostMs: number): Promise<T | typeof LOST> {
  let timer: NodeJS.Timeout | undefined;
  const lost = new Promise<typeof LOST>((resolve) => {
    timer = setTimeout(resolve, atMostMs, LOST);
  });
  answer.catch(() => {
    // Too late to matter, or thrown by the race below.
  });
  try {
    return await Promise.race([answer, lost]);
  } finally {
    clearTimeout(timer);
  }
}
