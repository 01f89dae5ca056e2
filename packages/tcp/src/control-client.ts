import { connect, type Socket } from 'node:net';
import { describeError, ReactorError } from '@reactor/core';
import { type Answers, type Command, lineReader, type Reply } from './command.js';

/** The driver's side of the control socket. A connection that breaks fails what was under way; the next call makes a new one. */
const ANSWER_LIMIT_MS = 5_000;

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly limit: NodeJS.Timeout;
}

export class ControlClient {
  readonly #path: string;
  readonly #lost: () => void;
  readonly #pending = new Map<number, Pending>();
  #socket: Promise<Socket> | null = null;
  #number = 0;

  /** `lost`: an established connection has ended, so the process may have, too. */
  constructor(path: string, lost: () => void) {
    this.#path = path;
    this.#lost = lost;
  }

  /** Fails with `balancer_unavailable` when nobody is there, with `balancer_unacknowledged` when there is no answer in time. */
  async ask<C extends Command>(command: C): Promise<Answers[C['do']]> {
    const socket = await this.#connection();
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        this.#pending.delete(number);
        reject(new ReactorError('balancer_unacknowledged', `the tcp proxy did not answer within ${ANSWER_LIMIT_MS / 1000} s`));
      }, ANSWER_LIMIT_MS);
      this.#pending.set(number, { resolve: resolve as Pending['resolve'], reject, limit });
      socket.write(`${JSON.stringify({ ...command, number })}\n`);
    });
  }

  close(): void {
    void this.#socket?.then(
      (socket) => socket.destroy(),
      () => undefined,
    );
  }

  #connection(): Promise<Socket> {
    this.#socket ??= this.#connect();
    return this.#socket;
  }

  #connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#path);
      const limit = setTimeout(() => socket.destroy(new Error('no answer')), ANSWER_LIMIT_MS);
      let cause: unknown = null;
      let established = false;
      socket.setEncoding('utf8');
      const read = lineReader((text) => this.#settle(JSON.parse(text) as Reply));
      socket.on('data', (part: string) => read(part));
      socket.once('error', (error) => {
        cause = error;
      });
      socket.once('connect', () => {
        clearTimeout(limit);
        established = true;
        resolve(socket);
      });
      socket.once('close', () => {
        clearTimeout(limit);
        this.#socket = null;
        const error = new ReactorError(
          'balancer_unavailable',
          `the tcp proxy is not there${cause === null ? '' : `: ${describeError(cause)}`}`,
        );
        reject(error);
        for (const [number, pending] of this.#pending) {
          this.#pending.delete(number);
          clearTimeout(pending.limit);
          pending.reject(error);
        }
        if (established) this.#lost();
      });
    });
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.number);
    if (pending === undefined) return;
    this.#pending.delete(reply.number);
    clearTimeout(pending.limit);
    if ('problem' in reply) pending.reject(new ReactorError('balancer_refused', `the tcp proxy: ${reply.problem}`));
    else pending.resolve(reply.answer);
  }
}
