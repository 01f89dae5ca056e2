import type { DecisionReport, EndpointState, Hold, HostRecord, LogEntry, ScalingConfig } from '@reactor/core';
import type { EndpointStatus, InstanceRow } from './wire.js';

/** What `GET /v1.1/live` sends: boards of rows, first whole and then as they change. */

export interface LiveEvent {
  /** The endpoint that was asked for; null is the cluster's board. */
  readonly name: string | null;
  /** These rows are all there are; otherwise they replace those of the same key. */
  readonly whole: boolean;
  readonly rows: Readonly<Record<string, unknown>>;
  readonly gone: readonly string[];
}

/** Row `cluster`. */
export interface LiveCluster {
  /** Absent while nothing was ever seen. */
  readonly id?: string;
  readonly leader?: string | null;
  /** Of the daemon that answers, and its host. */
  readonly version?: string;
  readonly host?: string;
  readonly alarms?: readonly string[];
  /** Since when all rows are old: the cluster state is out of reach. */
  readonly staleSinceMs?: number | null;
  /** Why nothing new is known; null while it is. */
  readonly problem: string | null;
}

/** Rows `endpoint/NAME`. */
export interface LiveEndpointRow {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly state: EndpointState;
  readonly url: string | null;
  readonly target: number | null;
  readonly instances: number;
  readonly ready: number;
  readonly draining: number;
  /** Requests per second of all instances; null while no load balancer tells. */
  readonly rate: number | null;
  /** The last decision in words. */
  readonly sentence: string | null;
  /** What somebody should look at. */
  readonly trouble: string | null;
}

/** Rows `host/ID`. */
export interface LiveHostRow extends Omit<HostRecord, 'images' | 'containers'> {
  readonly state: 'ready' | 'draining' | 'lost' | 'removing';
  readonly leader: boolean;
  readonly usedSlots: number;
  readonly usedCpus: number;
  readonly usedMemoryBytes: number;
  readonly instances: number;
  /** Of a lost one: when it was last heard. */
  readonly heartbeatMs: number | null;
}

/** Row `status` of an endpoint; one that is not there is `{"missing": true}`. */
export interface LiveStatus extends EndpointStatus {
  readonly missing?: boolean;
  readonly name: string;
  readonly url: string | null;
  readonly revision: number;
  readonly state: EndpointState;
  readonly hold: Hold | null;
  /** Null where the stored configuration cannot be used. */
  readonly scaling: ScalingConfig | null;
}

/** Row `metrics` of an endpoint: loads per instance, everything else as it is. */
export interface LiveMetrics {
  readonly atMs: number;
  readonly values: Readonly<Record<string, number>>;
  readonly ready: number;
  readonly target: number | null;
  /** Of the candidate in shadow_rules; null without one. */
  readonly shadowTarget: number | null;
}

/** Row `decision`, rows `instance/ID` and `log/SEQ` of an endpoint. */
export type LiveDecision = DecisionReport;
export type LiveInstance = InstanceRow;
export type LiveLogEntry = LogEntry;

/** `GET /v1.1/schema/endpoint` and `/manager`. */
export interface Schema {
  readonly keys: readonly SchemaEntry[];
}

export interface SchemaEntry {
  readonly section: string;
  readonly key: string;
  /** What it accepts, in words. */
  readonly type: string;
  readonly default: string;
  readonly description: string;
  /** The values it takes; empty where there is no list of them. */
  readonly words: readonly string[];
  /** Whether the value may span lines. */
  readonly lines: boolean;
  readonly secret: boolean;
}
