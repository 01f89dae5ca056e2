import type {
  ConfigDocument,
  EndpointState,
  Finding,
  Hold,
  HostRecord,
  InstancePhase,
  Json,
  KeptDecision,
  LogLevel,
  Session,
  Strategy,
  Verdicts,
} from '@reactor/core';

/** What travels between the API and its clients. Times are wall-clock milliseconds unless a name says otherwise. */

export interface VersionInfo {
  /** Of the HTTP interface. */
  readonly version: string;
  /** Of the daemon. */
  readonly reactor: string;
}

export interface ClusterInfo {
  /** Open connections over all endpoints. */
  readonly active: number;
  /** Instances that requests go to. */
  readonly instances: number;
  readonly managers: number;
  readonly endpoints: Readonly<Record<string, number>>;
  /** Id of the cluster state. */
  readonly cluster: string;
  /** Host whose daemon leads; null while none does. */
  readonly leader: string | null;
  /** Why no instance is replaced or retired now, e.g. `3 of 4 hosts were lost within 60 s`; null while all goes its way. */
  readonly brake: string | null;
  /** Of the daemon that answers. */
  readonly version: string;
  readonly hosts: readonly Omit<HostRow, 'images' | 'containers'>[];
}

export interface Written {
  readonly warnings: readonly string[];
  readonly revision: number;
}

/** Times are included. */
export interface DecisionRange {
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** At most the newest so many; default 100. */
  readonly limit?: number;
}

export interface Decisions {
  readonly decisions: readonly KeptDecision[];
}

export interface Findings {
  readonly findings: readonly Finding[];
}

export interface InstanceWished {
  readonly instance: string;
  readonly endpoint: string;
  /** As in InstanceRow. */
  readonly state: string;
}

export interface PostedWritten {
  /** Whom it is about; null is the endpoint as a whole. */
  readonly backend: string | null;
  /** Without a newer report the metrics are missing after this. */
  readonly countsForMs: number;
}

export interface NamesWritten extends Written {
  /** All of them now, the one to show first. */
  readonly names: readonly string[];
}

export interface HoldWritten extends Written {
  readonly hold: Hold | null;
}

export interface EndpointRow {
  readonly name: string;
  readonly state: EndpointState;
  readonly url: string | null;
  /** Meant to run: neither draining nor stopping. */
  readonly instances: number;
  readonly ready: number;
  /** Of the last decision; null before the first. */
  readonly target: number | null;
  readonly revision: number;
  readonly changedAtMs: number;
}

export interface EndpointStatus {
  readonly state: EndpointState;
  /** Backends requests go to, static ones included, as `ip:port`. */
  readonly active: readonly string[];
  /** The host whose daemon leads; null while none does. */
  readonly manager: string | null;
  readonly target: number | null;
  /** What the candidate in shadow_rules would do, of the count it would have by now; null without one. */
  readonly shadow: { readonly rules: readonly string[]; readonly instances: number; readonly target: number } | null;
  /** The count the operator holds it at; null while its rules decide. */
  readonly hold: Hold | null;
  /** Count per state word: starting, ready, unhealthy, dead, unknown, draining, errored, stopping. */
  readonly instances: Readonly<Record<string, number>>;
  /** Why its configuration is not served, by host; empty when all is well. */
  readonly setAside: Readonly<Record<string, string>>;
}

/** Points to draw, a step apart; none where nothing was recorded. */
export interface HistoryAnswer {
  readonly stepMs: number;
  readonly points: readonly {
    readonly atMs: number;
    readonly state: EndpointState;
    /** Loads of each instance, as rules compare them; null where a rule asked for what nobody reported. */
    readonly metrics: Readonly<Record<string, number | null>>;
    readonly instances: number;
    readonly ready: number;
    readonly target: number;
    /** Of the candidate in shadow_rules. */
    readonly shadowTarget: number | null;
  }[];
}

export type Action = 'start' | 'stop' | 'pause';

/** Instance ids by state, in the words of 2013. */
export interface InstanceLists {
  readonly active: readonly string[];
  readonly decommissioned: readonly string[];
  readonly errored: readonly string[];
  readonly discarded: readonly string[];
}

export interface InstanceRow {
  readonly id: string;
  readonly endpoint: string;
  readonly host: string;
  /** starting, ready, dropped, unhealthy, dead, unknown, draining, errored or stopping. */
  readonly state: string;
  readonly phase: InstancePhase;
  readonly address: string | null;
  readonly createdAtMs: number;
  readonly readyAtMs: number | null;
  /** Open connections; null while no load balancer is heard. */
  readonly active: number | null;
  readonly slots: number;
  readonly error: string | null;
}

/** A client and what it is connected to. */
export interface SessionRow extends Session {
  /** Whose load balancer holds it. */
  readonly host: string;
}

/** Where the next instance would go now. */
export interface PlacementAnswer extends Verdicts {
  readonly endpoint: string;
  readonly strategy: Strategy;
}

/** `seconds` since the epoch with fractions; `seq` grows by one per entry of a log. */
export type LogRow = readonly [seconds: number, severity: string, message: string, seq: number, event: string];

/** A note has no instance and no host, and says what is to be known about the rest. */
export type OutputRow = readonly [
  seconds: number,
  instance: string,
  stream: 'stdout' | 'stderr' | 'note',
  text: string,
  host: string,
];

export interface OutputRange {
  /** At most the newest so many lines of what is there already. */
  readonly tail?: number;
  /** Unix seconds: only what was written from then on. */
  readonly since?: number;
  readonly follow?: boolean;
  /** Ends the following. */
  readonly signal?: AbortSignal;
}

export interface LogRange {
  /** Unix seconds: only later entries. */
  readonly since?: number;
  /** Only entries with a higher number. */
  readonly after?: number;
  /** At most the newest so many. */
  readonly limit?: number;
}

/** Of a host that is away only the id, the state, the heartbeat and what is placed there are known. */
export interface HostRow extends HostRecord {
  readonly state: 'ready' | 'draining' | 'lost' | 'removing';
  readonly leader: boolean;
  readonly usedSlots: number;
  readonly usedCpus: number;
  readonly usedMemoryBytes: number;
  readonly instances: number;
  /** When it was last heard, at the latest. */
  readonly heartbeatMs: number | null;
}

export type HostAction = 'drain' | 'activate';

export interface HostChange {
  readonly host: string;
  /** Null when nothing is left of it. */
  readonly state: HostRow['state'] | null;
  readonly instances: number;
  /** What keeps the wish from coming true. */
  readonly warnings: readonly string[];
}

/** One live daemon. */
export interface ManagerInfo {
  readonly name: string;
  readonly keys: readonly string[];
  readonly loadbalancers: readonly string[];
  readonly clouds: readonly string[];
  readonly leader: boolean;
}

export interface Readiness {
  readonly ok: boolean;
  readonly problems: readonly string[];
}

export type { ConfigDocument, Json, LogLevel };
