import type { ContainerConfig, EndpointConfig, HostRecord, NginxConfig, Rule, ScalingConfig } from '@reactor/core';

/** Records as tests need them: complete, unremarkable, changed only where the test says so. */

export function aContainerConfig(change: Partial<ContainerConfig> = {}): ContainerConfig {
  return {
    image: 'pyex:latest',
    command: null,
    entrypoint: null,
    user: null,
    environment: [],
    memLimitBytes: 0,
    memReservationBytes: 0,
    cpus: 0,
    dns: [],
    hostname: null,
    volumes: [],
    volumesFrom: [],
    network: null,
    hostPort: null,
    pidsLimit: 4096,
    links: [],
    ...change,
  };
}

export function aNginxConfig(change: Partial<NginxConfig> = {}): NginxConfig {
  return {
    keepalive: 0,
    stickySessions: false,
    stickyBy: 'cookie',
    ssl: false,
    sslCertificate: null,
    sslKey: null,
    http2: true,
    redirectHttp: false,
    redirect: null,
    maxBodyBytes: 0,
    connectTimeoutMs: 2_000,
    sendTimeoutMs: 60_000,
    readTimeoutMs: 60_000,
    clientKeepaliveMs: 75_000,
    buffering: false,
    requestBuffering: false,
    requestHeaders: [],
    responseHeaders: [],
    ...change,
  };
}

export type ConfigChange = Partial<Omit<EndpointConfig, 'scaling'>> & { readonly scaling?: Partial<ScalingConfig> };

export function anEndpointConfig(change: ConfigChange = {}): EndpointConfig {
  return {
    url: { scheme: 'http', host: null, port: 80, path: '/' },
    port: 5000,
    cloud: 'docker',
    loadBalancer: 'nginx',
    weight: 1,
    staticInstances: [],
    instancesSource: null,
    metricsSource: null,
    key: null,
    redirect: null,
    errorMarks: 1,
    unregisteredTimeoutMs: 60_000,
    decommissionedTimeoutMs: 60_000,
    drainTimeoutMs: 300_000,
    stopTimeoutMs: 10_000,
    unknownTimeoutMs: 60_000,
    healthCheck: { path: null, intervalMs: 2_000, timeoutMs: 1_000 },
    shadowRules: [],
    container: aContainerConfig(),
    placement: { slots: 10, strategy: 'spread', constraints: [], affinity: [], rebalance: 'off' },
    nginx: aNginxConfig(),
    haproxy: {
      balance: 'roundrobin',
      sticky: true,
      checkUrl: null,
      errorLocation: null,
      connectTimeoutMs: 5_000,
      serverTimeoutMs: 50_000,
      ssl: false,
      sslCertificate: null,
      sslKey: null,
    },
    tcp: { exclusive: true, disposable: false, disposeMinMs: 30_000, reconnectMs: 60_000, clientSubnets: [], balance: 'random' },
    ...change,
    scaling: {
      minInstances: 1,
      maxInstances: 5,
      rules: [aRule('rate', { above: 0, below: 1 })],
      rampLimit: 5,
      windowMs: 10_000,
      scaleDownDelayMs: 30_000,
      ...change.scaling,
    },
  };
}

/** `above < metric < below`; a missing bound is absent. */
export function aRule(metric: string, bounds: { readonly above?: number; readonly below?: number }): Rule {
  const lower = bounds.above === undefined ? null : ({ value: bounds.above, op: '<' } as const);
  const upper = bounds.below === undefined ? null : ({ value: bounds.below, op: '<' } as const);
  const text = `${lower ? `${lower.value} < ` : ''}${metric}${upper ? ` < ${upper.value}` : ''}`;
  return { text, metric, lower, upper };
}

export function aHost(id: string, change: Partial<HostRecord> = {}): HostRecord {
  return {
    id,
    name: id,
    address: '10.77.0.11',
    apiUrl: null,
    slots: 1000,
    cpus: 4,
    memoryBytes: 8_000_000_000,
    overcommit: 0,
    labels: {},
    images: [],
    containers: [],
    dockerVersion: '20.10.24',
    dockerError: null,
    startedAtMs: 0,
    version: '0.0.0',
    epochSeen: null,
    ...change,
  };
}
