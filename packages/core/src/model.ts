/**
 * The records of the cluster state and the configuration they carry. Times are wall-clock milliseconds since the epoch
 * (`...AtMs`) or durations in milliseconds (`...Ms`); sizes are bytes (`...Bytes`). Long, but one thing: a list to read.
 */

import type { BalancerKind, HaproxyConfig, NginxConfig, TcpConfig } from './balancer-config.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A configuration as the operator wrote it: section, key, value. Values are strings; nothing is interpreted yet. */
export type ConfigDocument = Readonly<Record<string, Readonly<Record<string, string>>>>;

// ---------------------------------------------------------------------------------------------- configuration, resolved

export type UrlScheme = 'http' | 'https' | 'tcp' | 'dns';

export interface EndpointUrl {
  readonly scheme: UrlScheme;
  /** Lower-cased host name or address; null answers for every host on that port. Always null for tcp, never for dns. */
  readonly host: string | null;
  /** 0 for dns, which takes none. */
  readonly port: number;
  /** Starts and, for a prefix, ends with `/`, which is all there is for tcp and dns. */
  readonly path: string;
}

export type Comparison = '<' | '<=';

/** `lower op metric op upper`; `text` is the rule as the operator wrote it, trimmed. */
export interface Rule {
  readonly text: string;
  readonly metric: string;
  readonly lower: { readonly value: number; readonly op: Comparison } | null;
  readonly upper: { readonly value: number; readonly op: Comparison } | null;
}

export interface ScalingConfig {
  readonly minInstances: number;
  readonly maxInstances: number;
  readonly rules: readonly Rule[];
  readonly rampLimit: number;
  readonly windowMs: number;
  readonly scaleDownDelayMs: number;
}

export interface ContainerConfig {
  readonly image: string;
  /** Null runs the image's own command. */
  readonly command: readonly string[] | null;
  /** Null runs the image's own; with one, the image's own command is not added to it. */
  readonly entrypoint: readonly string[] | null;
  readonly user: string | null;
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly memLimitBytes: number;
  readonly memReservationBytes: number;
  /** Cores; 0 is unlimited. */
  readonly cpus: number;
  readonly dns: readonly string[];
  readonly hostname: string | null;
  readonly volumes: readonly string[];
  readonly volumesFrom: readonly string[];
  /** A Docker network name, `host`, `none`, `container:NAME`, or null for the engine's default bridge. */
  readonly network: string | null;
  /** A fixed port on the host instead of one from the agent's pool; null is the pool. */
  readonly hostPort: number | null;
  readonly pidsLimit: number;
  /** Endpoints whose addresses its containers are told when they start. */
  readonly links: readonly Link[];
}

/** An endpoint, and the name by which a container knows it. */
export interface Link {
  readonly endpoint: string;
  readonly alias: string;
}

export type Strategy = 'spread' | 'binpack' | 'random';

/** `gradual`: instances move, one at a time, to hosts that are much emptier. */
export type Rebalance = 'off' | 'gradual';

export interface PlacementConfig {
  readonly slots: number;
  readonly strategy: Strategy;
  readonly constraints: readonly Expression[];
  readonly affinity: readonly Expression[];
  readonly rebalance: Rebalance;
}

/** `key OP value`, `soft` with a `~`; see placement-expression.ts for how a value matches. */
export interface Expression {
  readonly text: string;
  readonly key: string;
  readonly op: '==' | '!=';
  readonly soft: boolean;
  readonly value: string;
}

export interface HealthCheckConfig {
  /** Null checks that the port accepts a connection; a path must answer 2xx or 3xx. */
  readonly path: string | null;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export interface StaticInstance {
  readonly host: string;
  readonly port: number;
}

/** The salted hash of an endpoint's own key: hex(algo(salt + key)) as in 2013, or scrypt of the key with that salt. */
export interface EndpointKey {
  readonly algo: 'scrypt' | 'sha512' | 'sha384' | 'sha256' | 'sha224' | 'sha1' | 'md5';
  readonly salt: string;
  /** Hexadecimal. */
  readonly hash: string;
}

export interface EndpointConfig {
  readonly url: EndpointUrl | null;
  /** The port the instances listen on, in the container. 0 publishes nothing. */
  readonly port: number;
  readonly cloud: 'docker' | null;
  readonly loadBalancer: BalancerKind | null;
  readonly weight: number;
  readonly staticInstances: readonly StaticInstance[];
  /** The endpoint whose backends are served here, and the one whose metrics decide here; null is its own. */
  readonly instancesSource: string | null;
  readonly metricsSource: string | null;
  readonly key: EndpointKey | null;
  readonly redirect: string | null;
  readonly errorMarks: number;
  readonly unregisteredTimeoutMs: number;
  readonly decommissionedTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly unknownTimeoutMs: number;
  readonly healthCheck: HealthCheckConfig;
  readonly scaling: ScalingConfig;
  /** A candidate, decided beside the rules and never carried out; none is no candidate. */
  readonly shadowRules: readonly Rule[];
  /** Null when `cloud` is unset: such an endpoint serves its static instances only. */
  readonly container: ContainerConfig | null;
  readonly placement: PlacementConfig;
  /** The settings of every load balancer there is; those of `loadBalancer` count. */
  readonly nginx: NginxConfig;
  readonly haproxy: HaproxyConfig;
  readonly tcp: TcpConfig;
}

// ------------------------------------------------------------------------------------------------------ records by writer

/** REMOVED is a tombstone: absence never means deletion, so a removed endpoint stays until nothing of it runs. */
export type EndpointState = 'RUNNING' | 'STOPPED' | 'PAUSED' | 'REMOVED';

/** A count the operator asked for; while it lasts the rules do not decide. */
export interface Hold {
  readonly count: number;
  /** Null holds until it is handed back. */
  readonly untilMs: number | null;
}

/** Written by the API under `endpoints/<name>`. */
export interface EndpointRecord {
  readonly name: string;
  /** New at every creation, so that instances of a removed namesake are never taken for this one's. */
  readonly uid: string;
  readonly document: ConfigDocument;
  readonly state: EndpointState;
  readonly changedAtMs: number;
  /** Absent when nothing is held; one that has run out means nothing any more. */
  readonly hold?: Hold;
}

export type InstancePhase = 'run' | 'drain' | 'remove';

/** What the controller means to be; written by it alone under `instances/<id>`. */
export interface InstanceRecord {
  readonly id: string;
  readonly endpoint: string;
  readonly endpointUid: string;
  readonly host: string;
  readonly slots: number;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly hostPort: number | null;
  /** Fingerprint of what shapes the container; another hash means it is to be replaced. */
  readonly hash: string;
  readonly container: ContainerConfig;
  readonly port: number;
  readonly healthCheck: HealthCheckConfig;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly errorMarks: number;
  readonly phase: InstancePhase;
  readonly createdAtMs: number;
  /** When the phase last became `drain`; null before. */
  readonly drainedAtMs: number | null;
  /** Retired because it failed: it is never taken back. */
  readonly errored: boolean;
  /** The instance whose seat this one takes over; both count as one while the other still runs. */
  readonly replaces: string | null;
  readonly epoch: number;
}

export type ReportState = 'pulling' | 'starting' | 'ready' | 'unhealthy' | 'exited' | 'gone';

/** What is; written by the host's agent alone under `reports/<host>/<instance>`. `exited` holds nothing but a dead container, `gone` nothing at all. */
export interface InstanceReport {
  readonly id: string;
  readonly endpoint: string;
  readonly host: string;
  readonly state: ReportState;
  readonly containerId: string | null;
  readonly startedAtMs: number | null;
  readonly readyAtMs: number | null;
  readonly address: { readonly host: string; readonly port: number } | null;
  /** Consecutive failed health checks or upstream connect errors. */
  readonly marks: number;
  readonly wasReady: boolean;
  /** Of the token its container was given; absent without a container, or one of before there were tokens. */
  readonly tokenHash?: string;
  /** In plain words, null when all is well. */
  readonly error: string | null;
  /** Disposable, and used up by a session; absent otherwise. */
  readonly spent?: true;
}

/** Written by the host's agent under its lease at `hosts/<id>`. */
export interface HostRecord {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  /** Where the other hosts' daemons reach this one's API; null when it listens on loopback only. */
  readonly apiUrl: string | null;
  readonly slots: number;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly overcommit: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly images: readonly { readonly id: string; readonly tags: readonly string[] }[];
  /** Containers that are not Reactor's, for affinity, fixed ports and dependencies. */
  readonly containers: readonly {
    readonly id: string;
    readonly names: readonly string[];
    readonly labels: Readonly<Record<string, string>>;
    readonly hostPorts: readonly number[];
  }[];
  readonly dockerVersion: string | null;
  /** Load balancers whose programs are there; absent in the record of a daemon before it said so. */
  readonly balancers?: readonly BalancerKind[];
  /** Null while Docker answers; otherwise why it does not. */
  readonly dockerError: string | null;
  readonly startedAtMs: number;
  readonly version: string;
  /** The newest term of leadership its agent has obeyed, as it stands on its disk; null when it has obeyed none. */
  readonly epochSeen: EpochMark | null;
}

/** A term of leadership: its number, and the host whose daemon holds it. */
export interface EpochMark {
  readonly epoch: number;
  readonly host: string;
}

/** The newest term, at `controller/epoch`; written by whoever takes it. */
export interface EpochRecord extends EpochMark {
  /** Given back in order: nothing its holder meant is under way any more. */
  readonly released: boolean;
  /** Until then its holder takes nothing away; absent when it may at once. */
  readonly quietUntilMs?: number;
}

/** What the operator wishes for a host, written by the API under `hosts-config/<host>`; absent when nothing is wished. */
export interface HostConfig {
  /** Nothing new is placed there, and what is there moves away. */
  readonly draining: boolean;
  /** It is gone for good: its instances are replaced at once and then the controller strikes out all that is known of it. */
  readonly removed: boolean;
}

/**
 * What somebody wishes for an instance, written by the API under `wishes/<instance>`; struck out with the instance's record.
 * `drop`: no requests until it is registered again, and replaced when that takes longer than `unregistered_timeout`.
 * `disassociate`: it is to leave, replaced first.
 */
export interface InstanceWish {
  readonly kind: 'drop' | 'disassociate';
  readonly atMs: number;
}

/** Written by the host's agent at `balancers/<host>`: what its load balancer serves and has taken up. */
export interface BalancerRecord {
  readonly host: string;
  /** State revision of the view whose configuration every worker now runs. */
  readonly revision: number;
  /**
   * Instances no longer meant to run that some worker may still send requests to. Those meant to run are not listed, there may
   * be ten thousand: one retired since `revision` counts as still served until a newer record says otherwise.
   */
  readonly serving: readonly string[];
  /** Endpoints left out because their configuration was refused, and why. */
  readonly setAside: Readonly<Record<string, string>>;
  /** Null while the load balancer runs and takes changes up. */
  readonly error: string | null;
}

/** Held under a lease at `controller/leader`. */
export interface LeaderRecord {
  readonly host: string;
  readonly epoch: number;
}
