import { setTimeout as delay } from 'node:timers/promises';
import { ReactorError } from '@reactor/core';
import { Redis } from 'ioredis';
import { connectorTo, hasReplicas, RedisNodes } from './redis-nodes.js';
import { isRefusal, NOT_NOW, replyCode, unavailableBecause } from './redis-replies.js';
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
/** How far behind the list of a cluster's nodes may be by the time the master is gone. */
const NODES_EVERY_MS = 60_000;
/** How long a watcher's connection blocks; then it looks whether it is still alive. */
export const BLOCK_MS = 1_000;

const LOST = Symbol('lost');

/**
 * The connection to Redis. Invariants:
 * 1. Every call ends within 5 s, with an answer or with `state_unavailable`.
 * 2. A script is sent again only if its answer was lost or a cluster's slot was elsewhere, never after another refusal; every
 *    script can be sent twice.
 * 3. `epoch` grows with every connection: what was learnt over an earlier one may be of a master that lost writes since. Read
 *    right after an answer it is the epoch of the connection that answered.
 */
export class RedisLink {
  readonly where: string;
  epoch = 0;
  readonly #main: Redis;
  readonly #scripts = loadScripts();
  /** Null: not a cluster. */
  readonly #nodes: RedisNodes | null;
  readonly #learning: NodeJS.Timeout | null;
  #blocking: Redis | null = null;
  #lostInARow = 0;
  #connectError: unknown = null;
  /** What the cluster last refused for now, and how often it was left for another node since it answered. */
  #notNow: Error | null = null;
  #hops = 0;
  /** What was last reported, so that one problem is one message. */
  #problem: string | null = null;
  #closed = false;

  /** @param absent key that never exists, see `#call`. */
  constructor(
    private readonly target: RedisTarget,
    private readonly absent: string,
    private readonly onProblem: (error: ReactorError) => void,
  ) {
    this.where = target.where;
    this.#nodes = target.nodes === null ? null : new RedisNodes(target.nodes);
    this.#main = this.#connect('reactor');
    const learn = () => void this.#askNodes().catch(() => undefined);
    this.#main.on('ready', () => {
      this.epoch += 1;
      if (this.#nodes !== null) learn();
    });
    this.#learning = this.#nodes === null ? null : setInterval(learn, NODES_EVERY_MS).unref();
  }

  /**
   * Says hello, to the master of the slot in a cluster: a server that wants a password answers anything longer with a protocol error.
   * Then tries what no script does, for a user without the right to it; ioredis goes on in database 0 when it is refused another.
   */
  async greet(): Promise<void> {
    const { db = 0 } = this.target.options;
    await this.#untilAnswered(() => (db > 0 ? this.#main.select(db) : this.#main.exists(this.absent)));
    if (this.#nodes !== null) await this.#untilAnswered(() => this.#askNodes());
    await this.replicasNeeded();
    await this.waitForReplicas(0, 1);
  }

  /** Runs a verb's script; throws `state_unavailable`. */
  run(verb: Verb, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#untilAnswered(() => this.#send(verb, keys, args));
  }

  /** Runs a verb's script and takes all of a hash at the same moment: key, value, ... */
  async runWithAll(
    verb: Verb,
    keys: readonly string[],
    args: readonly string[],
    hash: string,
  ): Promise<{ readonly answer: unknown; readonly all: unknown }> {
    const replies = await this.#untilAnswered(async () => {
      // Its text, which is little beside the hash: another server may know none of the scripts, and it would be too late to send it.
      const transaction = this.#main.multi().eval(this.#scripts[verb].text, ...this.#call(keys, args));
      // In capitals, so that ioredis leaves the reply the list it is instead of making an object of it.
      const results = (await transaction.call('HGETALL', hash).exec().catch(throwFirstRefusal)) ?? [];
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
    // A replica may become the master without asking: one that lost all of them may have been replaced already.
    if (connected === 0) return (await this.#mayBeReplaced()) ? 1 : 0;
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
    clearInterval(this.#learning ?? undefined);
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
      if (isRefusal(error)) {
        if (this.#nodes === null || !NOT_NOW.includes(replyCode(error))) throw this.#report(error);
        this.#notNow = error;
        return LOST;
      }
      // Says only that the connection ended, not why; the connection itself told that.
      if (!(error instanceof Error && error.name === 'MaxRetriesPerRequestError')) this.#connectError ??= error;
      return LOST;
    }
  }

  async #send(verb: Verb, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const script = this.#scripts[verb];
    const call = this.#call(keys, args);
    try {
      return await this.#main.evalsha(script.sha, ...call);
    } catch (error) {
      if (!isRefusal(error) || replyCode(error) !== 'NOSCRIPT') throw error;
      return this.#main.eval(script.text, ...call);
    }
  }

  /**
   * What follows the script. While a cluster moves our slot, a script whose keys are all there yet is begun and ends in the middle, at
   * the first key that it has itself deleted; one with an absent key is refused as a whole.
   */
  #call(keys: readonly string[], args: readonly string[]): [count: number, ...keysAndArgs: string[]] {
    return [keys.length + 1, ...keys, this.absent, ...args];
  }

  async #mayBeReplaced(): Promise<boolean> {
    if (this.#nodes === null) return 'sentinels' in this.target.options;
    return hasReplicas(String(await this.#untilAnswered(() => this.#askNodes())));
  }

  /** Also notes where else to ask when this node is gone. */
  async #askNodes(): Promise<string> {
    const nodes = String(await this.#main.cluster('NODES'));
    this.#nodes?.learn(nodes);
    return nodes;
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
    this.#notNow = null;
    this.#hops = 0;
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
    return this.#connectError ?? this.#notNow ?? `no answer within ${ANSWER_MS} ms`;
  }

  #connect(name: string): Redis {
    const { options } = this.target;
    const client = new Redis({
      ...options,
      ...(this.#nodes === null ? {} : { Connector: connectorTo(this.#nodes, FAREWELL_MS, options.tls) }),
      connectionName: name,
      connectTimeout: ANSWER_MS,
      sentinelCommandTimeout: ANSWER_MS,
      disconnectTimeout: FAREWELL_MS,
      retryStrategy: (attempt) => backOffMs(attempt + this.#hops),
      sentinelRetryStrategy: backOffMs,
      // Lost calls are sent again here, with their operation id. Zero fails them at once instead of keeping them.
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      // Would hide LOADING behind silence, and wants INFO, which a restricted user may not have.
      enableReadyCheck: false,
      reconnectOnError: (error: Error) => this.#isElsewhere(error),
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

  /** The next connection leads to where it is. */
  #isElsewhere(error: Error): boolean {
    const code = replyCode(error);
    // A master that became a replica: ask Sentinel again.
    if (this.#nodes === null) return 'sentinels' in this.target.options && code === 'READONLY';
    if (code === 'MOVED') this.#nodes.moved(error.message);
    // One that is down may be cut off from all the others, which go on.
    else if (code !== 'CLUSTERDOWN') return false;
    this.#hops += 1;
    return true;
  }
}

/** A transaction is refused for what one of its calls was refused for. */
function throwFirstRefusal(error: Error & { readonly previousErrors?: readonly Error[] }): never {
  throw error.previousErrors?.[0] ?? error;
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
