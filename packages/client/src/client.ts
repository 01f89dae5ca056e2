import { type ConfigDocument, type Finding, type Json, type KeptDecision, ReactorError } from '@reactor/core';
import { parseApiAddress } from './api-address.js';
import { answerOf, type Guard, get, ifMatch, pathOf, rangeQuery, send } from './call.js';
import { exchange, type Target } from './exchange.js';
import { type FollowOptions, followLog } from './follow.js';
import { type HistoryCalls, historyCalls } from './history-calls.js';
import { type InstanceCalls, instanceCalls } from './instance-calls.js';
import { type ManagerCalls, managerCalls } from './manager-calls.js';
import { type MetricCalls, metricCalls } from './metric-calls.js';
import { type NameCalls, nameCalls } from './name-calls.js';
import { readOutput } from './output.js';
import type {
  Action,
  ClusterInfo,
  DecisionRange,
  Decisions,
  EndpointRow,
  EndpointStatus,
  Findings,
  HoldWritten,
  HostAction,
  HostChange,
  HostRow,
  InstanceLists,
  InstanceRow,
  LogLevel,
  LogRange,
  LogRow,
  OutputRange,
  OutputRow,
  PlacementAnswer,
  Readiness,
  SessionRow,
  VersionInfo,
  Written,
} from './wire.js';

export interface ClientOptions {
  /** Full URL, host or host:port; see parseApiAddress. */
  readonly api: string;
  readonly key?: string | null;
  /** Of the instance that asks, for calls about OWN_ENDPOINT. */
  readonly token?: string | null;
  /** Default 10 s: until an answer begins, and between its pieces. */
  readonly timeoutMs?: number;
  /** Called for every answer that is old, with the time as of which it holds: the cluster state is out of reach. */
  readonly onStale?: (asOfMs: number) => void;
}

/** A configuration to store: INI text, or a document. */
export type Configuration = string | ConfigDocument;

/** Every call throws ReactorError: the server's own code and message, or `unreachable` / `timeout`. */
export interface Client extends HistoryCalls, InstanceCalls, ManagerCalls, MetricCalls, NameCalls {
  /** The base URL that is asked. */
  readonly api: string;
  version(): Promise<VersionInfo>;
  healthy(): Promise<boolean>;
  readiness(): Promise<Readiness>;
  /** Prometheus text. */
  prometheus(): Promise<string>;
  info(): Promise<ClusterInfo>;
  url(): Promise<string | null>;
  setUrl(url: string | null): Promise<void>;
  /** Null clears the key. */
  setAuthKey(key: string | null): Promise<void>;
  /** The endpoint's own key, which opens what is that endpoint's alone. */
  setEndpointKey(name: string, key: string | null): Promise<void>;

  endpoints(): Promise<readonly string[]>;
  endpointsDetail(): Promise<readonly EndpointRow[]>;
  /** Secrets read `***` unless asked for; written back, `***` keeps the stored one. */
  endpoint(name: string, options?: { readonly secrets?: boolean }): Promise<ConfigDocument>;
  endpointIni(name: string, options?: { readonly secrets?: boolean }): Promise<string>;
  /** Fails with `exists`. */
  createEndpoint(name: string, configuration: Configuration): Promise<Written>;
  /** Fails with `not_found`. */
  replaceEndpoint(name: string, configuration: Configuration, guard?: Guard): Promise<Written>;
  /** Creates or replaces, keeping the state of an existing one. */
  manageEndpoint(name: string, configuration: Configuration): Promise<Written & { readonly created: boolean }>;
  /** One key, atomically; null unsets it. */
  setValue(name: string, section: string, key: string, value: string | null, guard?: Guard): Promise<Written>;
  /** Fine when absent. */
  removeEndpoint(name: string, guard?: Guard): Promise<void>;
  /** What is wrong or hardly meant in a configuration, with the cluster at hand; nothing is stored. */
  lint(configuration: Configuration): Promise<readonly Finding[]>;
  /** The same of a stored one. */
  lintEndpoint(name: string): Promise<readonly Finding[]>;

  state(name: string): Promise<EndpointStatus>;
  act(name: string, action: Action): Promise<void>;
  /** Holds the count for `forMs`, null for no end; a null count hands it back to the rules. */
  hold(name: string, count: number | null, forMs: number | null): Promise<HoldWritten>;
  ips(name: string): Promise<readonly string[]>;
  instances(name: string): Promise<InstanceLists>;
  instancesDetail(name: string): Promise<readonly InstanceRow[]>;
  /** Of all endpoints. */
  allInstances(): Promise<readonly InstanceRow[]>;
  sessions(name: string): Promise<readonly SessionRow[]>;
  /** `client` as a session row spells it. */
  killSession(name: string, client: string): Promise<void>;
  log(name: string, range?: LogRange): Promise<readonly LogRow[]>;
  /** The log as it grows; reconnects and resumes by itself. Only the first connection may fail for a passing reason. */
  follow(name: string, options?: FollowOptions): AsyncIterable<LogRow>;
  /** What its containers wrote, on every host. */
  output(name: string, range?: OutputRange): AsyncIterable<OutputRow>;
  post(name: string, text: string, level?: LogLevel): Promise<void>;
  /** The last decision as it was published; null before the first. */
  decision(name: string): Promise<Json>;
  /** The same taken apart, or the one in force at a moment (`not_found` when none is kept). */
  explain(name: string, atMs: number | null): Promise<Json>;
  /** Decisions that changed something, newest first. */
  decisions(name: string, range?: DecisionRange): Promise<readonly KeptDecision[]>;
  /** Asks only; nothing is reserved. */
  placement(name: string): Promise<PlacementAnswer>;
  /** One answer per JSON line. */
  evaluate(lines: string): Promise<string>;

  hosts(): Promise<readonly HostRow[]>;
  changeHost(id: string, action: HostAction): Promise<HostChange>;
  /** Fails with `host_alive` while it is. */
  removeHost(id: string): Promise<HostChange>;
}

/** `/readyz` says so with this status and the problems in the body. */
const NOT_READY = 503;
const DEFAULT_TIMEOUT_MS = 10_000;

export function createClient(options: ClientOptions): Client {
  const target: Target = {
    api: parseApiAddress(options.api),
    key: options.key ?? null,
    token: options.token ?? null,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    onStale: options.onStale ?? (() => undefined),
  };
  return {
    api: target.api,
    ...daemonCalls(target),
    ...endpointCalls(target),
    ...nameCalls(target),
    ...stateCalls(target),
    ...historyCalls(target),
    ...managerCalls(target),
    ...metricCalls(target),
    ...instanceCalls(target),
    ...clusterCalls(target),
  };
}

// ------------------------------------------------------------------------------------------------------------- the calls

type Calls<Name extends keyof Client> = Pick<Client, Name>;

function daemonCalls(
  target: Target,
): Calls<'version' | 'healthy' | 'readiness' | 'prometheus' | 'info' | 'url' | 'setUrl' | 'setAuthKey' | 'setEndpointKey'> {
  return {
    version: () => get(target, '/'),
    healthy: async () => (await get<{ readonly ok: boolean }>(target, '/healthz')).ok,
    readiness: () => answerOf(target, { method: 'GET', path: '/readyz', alsoFine: NOT_READY }),
    prometheus: async () => (await exchange(target, { method: 'GET', path: '/metrics', accept: 'text/plain' })).text,
    info: () => get(target, '/v1.1/info'),
    url: async () => (await get<{ readonly url: string | null }>(target, '/v1.1/url')).url,
    setUrl: (url) => send(target, 'POST', '/v1.1/url', { url }),
    setAuthKey: (key) => send(target, 'POST', '/v1.1/auth_key', { auth_key: key }),
    setEndpointKey: (name, key) => send(target, 'POST', pathOf(name, 'auth_key'), { auth_key: key }),
  };
}

function endpointCalls(
  target: Target,
): Calls<
  | 'endpoints'
  | 'endpointsDetail'
  | 'endpoint'
  | 'endpointIni'
  | 'createEndpoint'
  | 'replaceEndpoint'
  | 'manageEndpoint'
  | 'setValue'
  | 'removeEndpoint'
  | 'lint'
  | 'lintEndpoint'
> {
  const write = (method: 'PUT' | 'POST', name: string, configuration: Configuration, guard?: Guard): Promise<Written> =>
    answerOf(target, { method, path: pathOf(name), body: bodyOf(configuration), ...ifMatch(guard) });
  return {
    endpoints: () => get(target, '/v1.1/endpoints'),
    endpointsDetail: () => get(target, '/v1.1/endpoints?detail=1'),
    endpoint: (name, options) => get(target, `${pathOf(name)}${options?.secrets ? '?secrets=1' : ''}`),
    endpointIni: async (name, options) => {
      const path = `${pathOf(name)}?format=ini${options?.secrets ? '&secrets=1' : ''}`;
      return (await exchange(target, { method: 'GET', path, accept: 'text/plain' })).text;
    },
    createEndpoint: (name, configuration) => write('PUT', name, configuration),
    replaceEndpoint: (name, configuration, guard) => write('POST', name, configuration, guard),
    async manageEndpoint(name, configuration) {
      try {
        return { ...(await write('POST', name, configuration)), created: false };
      } catch (error) {
        if (!isNotFound(error)) throw error;
        return { ...(await write('PUT', name, configuration)), created: true };
      }
    },
    setValue: (name, section, key, value, guard) => send(target, 'PATCH', pathOf(name), { section, key, value }, guard),
    removeEndpoint: async (name, guard) => {
      await exchange(target, { method: 'DELETE', path: pathOf(name), ...ifMatch(guard) });
    },
    lint: async (configuration) =>
      (await answerOf<Findings>(target, { method: 'POST', path: '/v1.1/lint', body: bodyOf(configuration) })).findings,
    lintEndpoint: async (name) => (await get<Findings>(target, pathOf(name, 'lint'))).findings,
  };
}

function stateCalls(
  target: Target,
): Calls<
  | 'state'
  | 'act'
  | 'hold'
  | 'ips'
  | 'instances'
  | 'instancesDetail'
  | 'sessions'
  | 'killSession'
  | 'log'
  | 'follow'
  | 'post'
  | 'decision'
  | 'explain'
  | 'decisions'
  | 'placement'
  | 'output'
  | 'evaluate'
> {
  return {
    state: (name) => get(target, pathOf(name, 'state')),
    act: (name, action) => send(target, 'POST', pathOf(name, 'state'), { action }),
    hold: (name, count, forMs) =>
      count === null
        ? answerOf(target, { method: 'DELETE', path: pathOf(name, 'hold') })
        : send(target, 'PUT', pathOf(name, 'hold'), { count, forMs }),
    ips: (name) => get(target, pathOf(name, 'ips')),
    instances: (name) => get(target, pathOf(name, 'instances')),
    instancesDetail: (name) => get(target, `${pathOf(name, 'instances')}?detail=1`),
    sessions: (name) => get(target, `${pathOf(name, 'sessions')}?detail=1`),
    killSession: (name, client) =>
      answerOf(target, { method: 'DELETE', path: pathOf(name, `sessions/${encodeURIComponent(client)}`) }),
    log: (name, range) => get(target, `${pathOf(name, 'log')}${rangeQuery(range)}`),
    output: (name, range) => readOutput(target, pathOf(name, 'output'), range ?? {}),
    follow: (name, options) => followLog(target, pathOf(name, 'log'), options ?? {}),
    post: (name, text, level) => send(target, 'POST', `${pathOf(name, 'log')}${level ? `?level=${level}` : ''}`, text),
    decision: (name) => get(target, pathOf(name, 'decision')),
    explain: (name, atMs) => get(target, `${pathOf(name, 'explain')}${atMs === null ? '' : `?at=${atMs}`}`),
    decisions: async (name, { sinceMs, untilMs, limit } = {}) => {
      const given = Object.entries({ since: sinceMs, until: untilMs, limit }).filter(([, value]) => value !== undefined);
      const query = given.map(([key, value]) => `${key}=${value}`).join('&');
      return (await get<Decisions>(target, pathOf(name, `decisions${query === '' ? '' : `?${query}`}`))).decisions;
    },
    placement: (name) => get(target, pathOf(name, 'placement')),
    evaluate: async (lines) => {
      const body = { type: 'application/x-ndjson', text: lines };
      return (await exchange(target, { method: 'POST', path: '/v1.1/evaluate', body })).text;
    },
  };
}

function clusterCalls(target: Target): Calls<'allInstances' | 'hosts' | 'changeHost' | 'removeHost'> {
  return {
    allInstances: () => get(target, '/v1.1/instances'),
    hosts: () => get(target, '/v1.1/hosts'),
    changeHost: (id, action) => send(target, 'POST', `/v1.1/hosts/${encodeURIComponent(id)}/state`, { action }),
    removeHost: (id) => answerOf(target, { method: 'DELETE', path: `/v1.1/hosts/${encodeURIComponent(id)}` }),
  };
}

function bodyOf(configuration: Configuration): { readonly type: string; readonly text: string } {
  if (typeof configuration === 'string') return { type: 'application/x-ini', text: configuration };
  return { type: 'application/json', text: JSON.stringify(configuration) };
}

const isNotFound = (error: unknown): boolean => error instanceof ReactorError && error.code === 'not_found';
