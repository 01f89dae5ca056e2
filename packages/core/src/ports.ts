import type { HaproxyConfig, NginxConfig, TcpConfig } from './balancer-config.js';
import type { ContainerConfig, EndpointUrl, EpochMark, Json } from './model.js';
import type { Session } from './session.js';
import type { TrafficReport } from './traffic.js';

/**
 * What the loops need from the outside world. Each port has a real implementation and a fake one in the testkit, held to
 * the same conformance suite.
 */

// ------------------------------------------------------------------------------------------------------- cluster state

export interface StateEntry {
  readonly value: Json;
  /** Revision of the commit that last wrote it. */
  readonly revision: number;
}

/** All entries below a prefix, of one moment. */
export interface StateView {
  /** Identity of the store's contents; another id means another (or emptied) store. */
  readonly clusterId: string;
  /** Revision of the whole store at that moment; grows by one with every commit, and when a lease ends. */
  readonly revision: number;
  readonly entries: ReadonlyMap<string, StateEntry>;
}

export interface Commit {
  /** Each key must be at that revision; 0 means it must be absent. */
  readonly expect: readonly { readonly key: string; readonly revision: number }[];
  /** All written or none. A null value deletes. A lease id ties the key's life to that lease. */
  readonly write: readonly { readonly key: string; readonly value: Json; readonly lease?: string }[];
}

export type CommitResult =
  | { readonly kind: 'committed'; readonly revision: number }
  | { readonly kind: 'conflict'; readonly key: string };

export interface StateChange {
  readonly key: string;
  /** Null: deleted. */
  readonly value: Json;
  readonly revision: number;
}

/** `resync`: changes may have been missed, read again. */
export type WatchEvent = { readonly kind: 'changes'; readonly changes: readonly StateChange[] } | { readonly kind: 'resync' };

export interface Lease {
  readonly id: string;
  /** Extends the lease by its time to live; false when it had already ended (its keys are gone, take a new one). */
  keep(): Promise<boolean>;
  /** Ends it now; its keys vanish. */
  release(): Promise<void>;
}

export interface LogEntry {
  /** Grows by one per entry of that log, never reused. */
  readonly seq: number;
  readonly atMs: number;
  readonly level: LogLevel;
  /** Stable name of what happened, e.g. `SCALE_UPDATE`. */
  readonly event: string;
  readonly message: string;
}

export type LogLevel = 'info' | 'warning' | 'error';

/**
 * The cluster state. Calls fail with `state_unavailable` (nobody knows whether it happened: read again),
 * `state_limit` (a key, a value or a commit is too large) or `state_foreign`.
 */
export interface StateStore {
  /** `known`, an earlier view of the same prefix, may be returned as it is when nothing moved since. */
  read(prefix: string, known?: StateView): Promise<StateView>;
  commit(change: Commit): Promise<CommitResult>;
  /** Changes after `from` in order; ends when the signal aborts. Reconnects by itself and then says `resync`. */
  watch(prefix: string, from: number, signal: AbortSignal): AsyncIterable<WatchEvent>;
  lease(ttlMs: number): Promise<Lease>;
  append(log: string, entries: readonly Omit<LogEntry, 'seq'>[]): Promise<void>;
  /** Entries with seq > since, oldest first, at most the newest `limit`. */
  tail(log: string, since: number, limit: number): Promise<readonly LogEntry[]>;
  /** Lossy and expiring; never part of a revision. */
  publish(values: Readonly<Record<string, Json>>, ttlMs: number): Promise<void>;
  /** Newest unexpired value of every topic that starts with the prefix. */
  latest(prefix: string): Promise<ReadonlyMap<string, Json>>;
  /**
   * Whether what this daemon committed so far is on a majority of the replicas, so that a failover keeps it; waits up to
   * `timeoutMs` for them. True at once where there are none.
   */
  settled(timeoutMs: number): Promise<boolean>;
  close(): Promise<void>;
}

// ------------------------------------------------------------------------------------------------- what a host remembers

/** One value on the host's disk, remembered beyond restarts and whatever becomes of the cluster state. */
export interface Keeper<T> {
  /** Null when none was ever written. Throws `mark_unreadable` when what is there cannot be trusted: that is not "none". */
  read(): T | null;
  /** Returns when it would survive a power cut. */
  write(value: T): void;
}

/** Of the newest term of leadership a host has obeyed. */
export type MarkKeeper = Keeper<EpochMark>;

/** Of the port that a host hands out next. */
export type PortKeeper = Keeper<number>;

// --------------------------------------------------------------------------------------------------------- containers

export interface ContainerSpec {
  /** Deterministic, so that a start repeated after an ambiguous answer finds the first one. */
  readonly name: string;
  readonly instance: string;
  readonly endpoint: string;
  readonly slots: number;
  readonly hash: string;
  /** Of the token in its environment, by which the API knows it; see instance-token.ts. */
  readonly tokenHash: string;
  readonly container: ContainerConfig;
  /** Added after the operator's environment, which cannot override it. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** What its links bring; the operator's own variables go before these. */
  readonly linked: LinkedAddresses;
  /** Null publishes nothing. */
  readonly publish: { readonly containerPort: number; readonly hostAddress: string; readonly hostPort: number } | null;
}

export interface LinkedAddresses {
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** Names that mean, in the container, the host it runs on: every host's load balancer serves every endpoint. */
  readonly hostNames: readonly string[];
}

export interface Container {
  readonly id: string;
  readonly name: string;
  readonly instance: string;
  readonly endpoint: string;
  readonly slots: number;
  readonly hash: string;
  /** Null when it was started without a token. */
  readonly tokenHash: string | null;
  readonly status: 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'dead';
  readonly startedAtMs: number | null;
  readonly exitCode: number | null;
  readonly oomKilled: boolean;
  /** Where the host's load balancers reach it; null when nothing is published or it does not run. */
  readonly address: { readonly host: string; readonly port: number } | null;
}

export interface EngineFacts {
  readonly version: string;
  readonly apiVersion: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Engine labels and the built-in ones of placement: storagedriver, kernelversion, operatingsystem, ostype, architecture. */
  readonly labels: Readonly<Record<string, string>>;
  readonly liveRestore: boolean;
  readonly images: readonly { readonly id: string; readonly tags: readonly string[] }[];
  /** Containers without this cluster's label. */
  readonly foreign: readonly {
    readonly id: string;
    readonly names: readonly string[];
    readonly labels: Readonly<Record<string, string>>;
    readonly hostPorts: readonly number[];
  }[];
}

/** One line a container wrote. */
export interface OutputLine {
  readonly atMs: number;
  readonly stream: 'stdout' | 'stderr';
  /** Without its line end; longer ones come in pieces. */
  readonly text: string;
}

export interface OutputRange {
  /** At most the newest so many of what was written so far. */
  readonly tail: number;
  /** Only from this moment on; null is all. */
  readonly sinceMs: number | null;
  /** Go on with what is written from now on, until the container is gone. */
  readonly follow: boolean;
}

/** One Docker engine, seen as the containers of one cluster. Every call has a deadline; see `docker_*` and `image_unavailable` in errors.ts. */
export interface ContainerEngine {
  facts(): Promise<EngineFacts>;
  /** This cluster's containers, running or not. */
  list(): Promise<readonly Container[]>;
  /** Makes sure the image is here: a local one first, else pulled, one pull at a time per image. */
  prepare(image: string, progress: (line: string) => void, signal: AbortSignal): Promise<void>;
  /** Creates and starts; a container of that name and hash that is already there is started or taken as it is. `port_taken` asks for another port. */
  start(spec: ContainerSpec): Promise<Container>;
  /** SIGTERM, `graceMs`, SIGKILL, remove. Succeeds when it is already gone. */
  remove(containerId: string, graceMs: number): Promise<void>;
  /** Yields whenever a container of this cluster may have changed (`null`: which one is unknown, look at all). Ends when the signal aborts; reconnects by itself. */
  events(signal: AbortSignal): AsyncIterable<string | null>;
  /** What a container wrote, oldest first; nothing when it is gone. Ends when the signal aborts. The reader's pace is the engine's. */
  output(containerId: string, range: OutputRange, signal: AbortSignal): AsyncIterable<OutputLine>;
}

// ------------------------------------------------------------------------------------------------------- load balancer

export interface Backend {
  /** Instance id, or `static:host:port`. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly weight: number;
}

/** One endpoint as its load balancer serves it, with the settings of that load balancer. */
export type Service = NginxService | HaproxyService | DnsmasqService | TcpService;

export interface NginxService extends AnyService {
  readonly kind: 'nginx';
  readonly nginx: NginxConfig;
}

export interface HaproxyService extends AnyService {
  readonly kind: 'haproxy';
  readonly haproxy: HaproxyConfig;
}

export interface DnsmasqService extends AnyService {
  readonly kind: 'dnsmasq';
}

export interface TcpService extends AnyService {
  readonly kind: 'tcp';
  readonly tcp: TcpConfig;
}

interface AnyService {
  readonly endpoint: string;
  readonly url: EndpointUrl;
  readonly backends: readonly Backend[];
  /** No longer sent requests, but its open connections are still counted. */
  readonly draining?: readonly Backend[];
  /** Its endpoint was removed: the url is not its own any more, only what drains is still counted. */
  readonly removed?: true;
  /** Where requests go while there is no backend; null answers 503. */
  readonly redirect: string | null;
  /** How far back its traffic is reported; does not shape the configuration. */
  readonly windowMs: number;
}

export interface ApplyReport {
  /** False when the running configuration already was this one, byte for byte: nothing was written or reloaded. */
  readonly changed: boolean;
  readonly setAside: Readonly<Record<string, string>>;
  /** Of several load balancers on one host, those that failed; absent when none did. */
  readonly failed?: BalancerFailure;
}

/** Why nobody could listen on a port of this machine now, in plain words; null when it is free. */
export type PortProblem = (port: number, ipv6: boolean) => Promise<string | null>;

export interface BalancerFailure {
  /** In plain words. */
  readonly problem: string;
  /** What was served for these may still be served. */
  readonly endpoints: readonly string[];
}

export interface LoadBalancer<S extends Service = Service> {
  /** Starts it, or takes over the one a former daemon left running. */
  open(): Promise<void>;
  /** Returns once every worker runs the new configuration. On failure the last good one stays and `balancer_*` is thrown. */
  apply(services: readonly S[]): Promise<ApplyReport>;
  /** What it saw since `open`; safe to call often. */
  traffic(nowMs: number): Promise<TrafficReport>;
  /** Of its clients, one by one; absent where it does not know them. */
  readonly sessions?: Sessions | undefined;
  /** Stops watching; the load balancer itself goes on serving. */
  close(): Promise<void>;
}

export interface Sessions {
  list(): Promise<readonly Session[]>;
  /** Whether there was such a session; it is cut off at both ends. */
  kill(endpoint: string, client: string): Promise<boolean>;
}
