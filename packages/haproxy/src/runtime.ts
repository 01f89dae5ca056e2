import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describeError, hasCode, ReactorError } from '@reactor/core';
import { structureIn } from './render.js';

/**
 * The socket of haproxy's master, over which the workers are asked and told. A worker that was replaced goes on with the
 * connections it has; it is asked and told as well, because it may still choose a server.
 */
export interface Worker {
  readonly pid: number;
  /** Of a configuration before the current one. */
  readonly old: boolean;
}

export interface RunningServer {
  readonly backend: string;
  readonly name: string;
  readonly weight: number;
  /** Taken out by us: it gets no new requests. */
  readonly out: boolean;
}

export interface ServerFigures {
  readonly backend: string;
  readonly name: string;
  readonly active: number;
  /** Connections it refused or did not take in time, since the worker began. */
  readonly connectErrors: number;
  readonly down: boolean;
}

const ANSWER_LIMIT_MS = 3_000;
const ANSWER_LIMIT_BYTES = 64 * 2 ** 20;
/** A master that reloads begins anew: for some 10 ms nobody listens on its socket, and what was being asked is dropped. */
const REEXEC_LIMIT_MS = 500;
const REEXEC_LOOK_MS = 10;
const ASKS = /^(?:@!\d+ )?show /;
/** Admin states that this socket sets, or inherits: forced maintenance, and a server that was made disabled. */
const MAINTENANCE = 0x01 | 0x02 | 0x04 | 0x20;

export class Runtime {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** The current worker first. */
  async workers(): Promise<readonly Worker[]> {
    const lines = (await this.ask('show proc')).split('\n');
    const oldFrom = lines.indexOf('# old workers');
    return lines.flatMap((line, index) => {
      const match = /^(\d+)\s+worker\s/.exec(line);
      return match === null ? [] : [{ pid: Number(match[1]), old: oldFrom >= 0 && index > oldFrom }];
    });
  }

  /** What a worker runs; null when it does not answer, because it is gone or not yet there. */
  async stateOf(pid: number): Promise<{ readonly structure: string | null; readonly stopping: boolean } | null> {
    const text = await this.tell(pid, 'show info').catch(() => '');
    const description = /^description: (.*)$/m.exec(text);
    const stopping = /^Stopping: (\d)$/m.exec(text);
    if (description === null || stopping === null) return null;
    return { structure: structureIn(description[1]!.trim()), stopping: stopping[1] === '1' };
  }

  async serversOf(pid: number): Promise<readonly RunningServer[]> {
    const text = await this.tell(pid, 'show servers state');
    return text.split('\n').flatMap((line) => {
      const [, backend, , name, , , admin, weight] = line.split(' ');
      if (line.startsWith('#') || weight === undefined) return [];
      return [{ backend: backend!, name: name!, weight: Number(weight), out: (Number(admin) & MAINTENANCE) !== 0 }];
    });
  }

  async figuresOf(pid: number): Promise<readonly ServerFigures[]> {
    const [head = '', ...rows] = (await this.tell(pid, 'show stat -1 4 -1')).split('\n');
    const columns = head.replace(/^# /, '').split(',');
    const [scur, econ, status] = ['scur', 'econ', 'status'].map((name) => columns.indexOf(name));
    return rows.flatMap((row) => {
      const fields = row.split(',');
      if (fields.length < columns.length - 1) return [];
      const down = fields[status!]!.startsWith('DOWN');
      return [
        { backend: fields[0]!, name: fields[1]!, active: Number(fields[scur!]), connectErrors: Number(fields[econ!]), down },
      ];
    });
  }

  /** One command to one worker; its answer, trimmed. */
  tell(pid: number, command: string): Promise<string> {
    return this.ask(`@!${pid} ${command}`);
  }

  async ask(command: string): Promise<string> {
    const untilMs = performance.now() + REEXEC_LIMIT_MS;
    for (;;) {
      try {
        return await this.#askOnce(command);
      } catch (error) {
        const { cause } = error as Error;
        // What changes something may have been done before the answer was lost.
        const again = hasCode(cause, 'ECONNREFUSED') || (hasCode(cause, 'ECONNRESET') && ASKS.test(command));
        if (!again || performance.now() >= untilMs) throw error;
        await delay(REEXEC_LOOK_MS);
      }
    }
  }

  #askOnce(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(this.#socket);
      const parts: Buffer[] = [];
      let bytes = 0;
      const fail = (cause: unknown): void => {
        socket.destroy();
        const message = `haproxy's socket does not answer: ${describeError(cause)}`;
        reject(new ReactorError('balancer_unavailable', message, { cause }));
      };
      const limit = setTimeout(() => fail(new Error(`no answer within ${ANSWER_LIMIT_MS / 1000} s`)), ANSWER_LIMIT_MS);
      socket.on('data', (part) => {
        bytes += part.length;
        if (bytes > ANSWER_LIMIT_BYTES) fail(new Error('the answer is too long'));
        else parts.push(part);
      });
      socket.on('error', (error) => {
        clearTimeout(limit);
        fail(error);
      });
      socket.on('end', () => {
        clearTimeout(limit);
        resolve(Buffer.concat(parts).toString('utf8').trim());
      });
      socket.end(`${command}\n`);
    });
  }
}
