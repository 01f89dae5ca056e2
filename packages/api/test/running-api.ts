import { connect } from 'node:net';
import { type Api, type ApiOptions, createApi } from '@reactor/api';
import { type Client, createClient } from '@reactor/client';
import { type EndpointRecord, type Json, KEYS, ReactorError, type StateStore } from '@reactor/core';
import { createFakeStore } from '@reactor/testkit';

/** A real API on a free port of 127.0.0.1 over the fake store, with a real client. */
export interface RunningApi {
  readonly api: Api;
  readonly client: Client;
  readonly url: string;
  readonly port: number;
  readonly store: StateStore;
  /** What the API told the daemon's log. */
  readonly logged: readonly string[];
  /** Wall clock of the API; the test may move it. */
  readonly clock: { nowMs: number };
  /** While true every call to the store fails as if nobody answered. */
  readonly outage: { on: boolean };
  /** While set, every commit meets this first: a rival who comes in between. Called once. */
  readonly rival: { before: (() => Promise<unknown>) | null };
  put(key: string, value: unknown): Promise<void>;
  endpoint(name: string): Promise<EndpointRecord | null>;
  /** The answer of a plain request, whatever its status. */
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>;
  close(): Promise<void>;
}

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: {
    readonly error?: { readonly code: string; readonly message: string; readonly details: Record<string, unknown> };
  };
}

const START_MS = 1_700_000_000_000;

export async function startApi(change: Partial<ApiOptions> = {}): Promise<RunningApi> {
  const clock = { nowMs: START_MS };
  const store = createFakeStore({ now: () => clock.nowMs });
  const outage = { on: false };
  const rival: RunningApi['rival'] = { before: null };
  const logged: string[] = [];
  let ids = 0;
  const api = createApi({
    store: troubled(store, outage, rival),
    now: () => clock.nowMs,
    newId: () => `uid-${++ids}`,
    version: '9.9.9',
    host: 'host-a',
    health: () => ({ ok: true, problems: [] }),
    log: (level, message) => logged.push(`${level}: ${message}`),
    ...change,
  });
  const { port } = await api.listen('127.0.0.1', 0);
  const url = `http://127.0.0.1:${port}`;
  return {
    api,
    client: createClient({ api: url }),
    url,
    port,
    store,
    logged,
    clock,
    outage,
    rival,
    async put(key, value) {
      const result = await store.commit({ expect: [], write: [{ key, value: value as Json }] });
      expect(result.kind).toBe('committed');
    },
    async endpoint(name) {
      const entry = (await store.read(KEYS.endpoint(name))).entries.get(KEYS.endpoint(name));
      return (entry?.value ?? null) as unknown as EndpointRecord | null;
    },
    ask: (method, path, options) => ask(url, method, path, options),
    async close() {
      await api.close();
      await store.close();
    },
  };
}

async function ask(url: string, method: string, path: string, options: AskOptions = {}): Promise<Answer> {
  const response = await fetch(`${url}${path}`, { method, headers: options.headers ?? {}, body: options.body ?? null });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true && text !== '';
  return { status: response.status, headers: response.headers, text, body: (isJson ? JSON.parse(text) : null) ?? {} };
}

function troubled(store: StateStore, outage: { on: boolean }, rival: RunningApi['rival']): StateStore {
  const check = (): void => {
    if (outage.on) throw new ReactorError('state_unavailable', 'connection refused');
  };
  return {
    async read(prefix, known) {
      check();
      return store.read(prefix, known);
    },
    async commit(change) {
      check();
      const before = rival.before;
      rival.before = null;
      await before?.();
      return store.commit(change);
    },
    watch: (prefix, from, signal) => store.watch(prefix, from, signal),
    lease: (ttlMs) => store.lease(ttlMs),
    async append(log, entries) {
      check();
      await store.append(log, entries);
    },
    async tail(log, since, limit) {
      check();
      return store.tail(log, since, limit);
    },
    publish: (values, ttlMs) => store.publish(values, ttlMs),
    settled: (timeoutMs) => store.settled(timeoutMs),
    async latest(prefix) {
      check();
      return store.latest(prefix);
    },
    close: () => store.close(),
  };
}

/** Sends bytes as they are and answers what came back until the server closed, or until `enough` was seen. */
export function sendRaw(port: number, bytes: string, enough: RegExp | null = null): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      received += chunk;
      if (enough?.test(received)) socket.destroy();
    });
    socket.on('close', () => resolve(received));
    socket.on('error', (error) => (received === '' ? reject(error) : resolve(received)));
  });
}

export const INI = { 'content-type': 'application/x-ini' } as const;
export const JSON_TYPE = { 'content-type': 'application/json' } as const;

/** The page's docker.conf. */
export const PYEX = `[endpoint]
url=http://
cloud=docker
loadbalancer=nginx
port=5000

[scaling]
min_instances=1
max_instances=5

[cloud:docker]
image=eb2b727f547d
command=/usr/local/bin/runapp
`;

/** The same at another address. */
export const pyexAt = (url: string): string => PYEX.replace('url=http://', `url=${url}`);
