import { get } from 'node:http';
import { connect } from 'node:net';
import { describeError } from '@reactor/core';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** How the agent knocks at a container; another one stands in for the network where there is none. */
export type Probe = (target: Target, path: string | null, timeoutMs: number) => Promise<string | null>;

/** Null when the target answers as it should; otherwise, in plain words, why not. Ends within `timeoutMs`. */
export function probe(target: Target, path: string | null, timeoutMs: number): Promise<string | null> {
  return path === null ? probePort(target, timeoutMs) : probePath(target, path, timeoutMs);
}

function probePort({ host, port }: Target, timeoutMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (problem: string | null): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.setTimeout(timeoutMs, () => end(`no connection to ${host}:${port} within ${timeoutMs} ms`));
    socket.once('connect', () => end(null));
    socket.once('error', (error) => end(`no connection to ${host}:${port}: ${cause(error)}`));
  });
}

function probePath({ host, port }: Target, path: string, timeoutMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    // A connection of its own: a pooled one would hide that no new connection is accepted.
    const request = get(
      { host, port, path, agent: false, headers: { 'user-agent': 'reactor-health', connection: 'close' } },
      (response) => {
        const status = response.statusCode ?? 0;
        response.resume();
        clearTimeout(deadline);
        resolve(status >= 200 && status < 400 ? null : `GET ${path} answered ${status}`);
      },
    );
    // Over the whole exchange: an endless trickle of header bytes must not hold the check up.
    const deadline = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    request.once('error', (error) => {
      clearTimeout(deadline);
      resolve(`GET ${path}: ${cause(error)}`);
    });
  });
}

function cause(error: Error): string {
  return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'connection refused' : describeError(error);
}
