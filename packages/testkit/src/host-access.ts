import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { collect } from './command.js';

/** The operator's ways to a daemon: the command line, and HTTP. */
export interface HostAccess {
  /** Runs `reactor WORDS` against its daemon, fails with its output unless it ends with status 0. */
  reactor(words: readonly string[], input?: string): Promise<string>;
  get<T>(path: string): Promise<T>;
  /** Any request to its API, with the cluster's key. */
  request(path: string, init?: RequestInit): Promise<Response>;
}

const CLI = join(fileURLToPath(new URL('../../..', import.meta.url)), 'packages/cli/dist/reactor.mjs');
const ANSWER_MS = 10_000;

/** @param key of the cluster's API, asked for at every use: it is made by the first daemon. */
export function createAccess(name: string, api: string, key: () => string): HostAccess {
  const request: HostAccess['request'] = (path, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set('x-auth-key', key());
    return fetch(`${api}${path}`, { ...init, headers, signal: AbortSignal.timeout(ANSWER_MS) });
  };
  return {
    reactor: async (words, input) => {
      const environment = { REACTOR_API: api, REACTOR_PASSWORD: key() };
      const { status, stdout, stderr } = await collect(process.execPath, [CLI, ...words], environment, input);
      if (status !== 0) throw new Error(`reactor ${words.join(' ')} on ${name} ended with status ${status}: ${stderr}${stdout}`);
      return stdout;
    },
    request,
    get: async <T>(path: string) => {
      const response = await request(path);
      if (!response.ok) throw new Error(`GET ${path} on ${name} answered ${response.status}: ${await response.text()}`);
      return (await response.json()) as T;
    },
  };
}
