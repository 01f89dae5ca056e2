/**
 * What a running daemon counts about itself, by name. Loops report through `Meter`; the API server turns the table into
 * Prometheus metrics. Units last in names; counters end in `_total`, as Prometheus asks.
 */
export const TELEMETRY = {
  reactor_rounds_total: {
    type: 'counter',
    labels: ['result'],
    help: 'Controller rounds, by result: planned, idle, conflict, failed, standby, abandoned, outranked',
  },
  reactor_round_seconds: { type: 'histogram', labels: [], help: 'Time one controller round took' },
  reactor_decisions_total: {
    type: 'counter',
    labels: ['endpoint', 'direction'],
    help: 'Decisions that changed the count: up or down',
  },
  reactor_target_instances: { type: 'gauge', labels: ['endpoint'], help: 'Instances the last decision wants' },
  reactor_endpoint_shadow_target: {
    type: 'gauge',
    labels: ['endpoint'],
    help: 'Instances that the candidate in shadow_rules wants; NaN when there is none any more',
  },
  reactor_metrics_dropped: {
    type: 'gauge',
    labels: ['endpoint'],
    help: 'Posted metrics that do not count: too old, or ahead of the clock',
  },
  reactor_limited: {
    type: 'gauge',
    labels: ['endpoint', 'by'],
    help: '1 while rules cannot have their way: max (they ask for more than max_instances), no_data (a metric is missing)',
  },
  reactor_instances: { type: 'gauge', labels: ['endpoint', 'state'], help: 'Instances by state' },
  reactor_hosts: { type: 'gauge', labels: ['state'], help: 'Hosts by state: ready, draining, removing, lost' },
  reactor_scale_events_total: {
    type: 'counter',
    labels: ['endpoint', 'step'],
    help: 'Steps taken: start, recommission, retire, remove, replace',
  },
  reactor_start_seconds: {
    type: 'histogram',
    labels: ['endpoint'],
    help: 'From the start of a container to the first passed health check',
  },
  reactor_start_failures_total: {
    type: 'counter',
    labels: ['endpoint'],
    help: 'Containers that could not be started or never became ready',
  },
  reactor_drain_seconds: { type: 'histogram', labels: ['endpoint'], help: 'From the start of draining to the removal' },
  reactor_reloads_total: {
    type: 'counter',
    labels: ['result'],
    help: 'Load balancer reloads: acknowledged, refused, unacknowledged',
  },
  reactor_reload_seconds: { type: 'histogram', labels: [], help: 'From a reload to its acknowledgement' },
  reactor_log_lag_bytes: { type: 'gauge', labels: [], help: 'How far the access log reader is behind' },
  reactor_log_bad_lines_total: { type: 'counter', labels: [], help: 'Access log lines that could not be read' },
  reactor_leader: { type: 'gauge', labels: [], help: '1 while this daemon leads' },
  reactor_notices_total: {
    type: 'counter',
    labels: ['result'],
    help: 'Notices to webhooks: delivered, failed (and tried again), dropped',
  },
  reactor_tilt_total: {
    type: 'counter',
    labels: [],
    help: 'Times this daemon stood still or saw its clock jump, and kept still for a while',
  },
  reactor_alarm: { type: 'gauge', labels: ['kind'], help: '1 while the leader raises it: brake, retirements, unreadable' },
  reactor_state_away: {
    type: 'gauge',
    labels: [],
    help: '1 while the cluster state is out of reach, or not the known one; instances and hosts are not told then',
  },
  reactor_state_errors_total: { type: 'counter', labels: ['code'], help: 'Failed calls to the cluster state' },
  reactor_docker_errors_total: { type: 'counter', labels: ['code'], help: 'Failed calls to Docker' },
} as const satisfies Readonly<
  Record<string, { type: 'counter' | 'gauge' | 'histogram'; labels: readonly string[]; help: string }>
>;

export type TelemetryName = keyof typeof TELEMETRY;
export type Labels = Readonly<Record<string, string>>;

export interface Meter {
  add(name: TelemetryName, labels: Labels, by?: number): void;
  set(name: TelemetryName, labels: Labels, value: number): void;
  observe(name: TelemetryName, labels: Labels, seconds: number): void;
}
