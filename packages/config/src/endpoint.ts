import type {
  BalancerKind,
  ConfigDocument,
  ContainerConfig,
  EndpointConfig,
  EndpointKey,
  HaproxyConfig,
  NginxConfig,
  TcpConfig,
  UrlScheme,
} from '@reactor/core';
import { wouldLoop } from './address.js';
import { adviseTogether } from './advice.js';
import { pairFault } from './certificate.js';
import { NO_PLACES, type Places, type Warning } from './document.js';
import { HASH_DIGITS, ENDPOINT_KEYS as KEY } from './endpoint-schema.js';
import { openValues, type Values } from './values.js';

/** From an endpoint's document to the configuration everything else works with. */

export interface ResolvedEndpoint {
  readonly config: EndpointConfig;
  readonly warnings: readonly Warning[];
}

/**
 * Checks every key, then what keys mean together. Fails with `config_invalid`, naming the first mistake in the file
 * (details: section, key, line, column). `places` are those of `readDocument`; without them messages name no line.
 */
export function resolveEndpoint(document: ConfigDocument, places: Places = NO_PLACES): ResolvedEndpoint {
  const values = openValues('endpoint', document, places);
  const config = readEndpoint(values);
  values.check();
  checkTogether(values, config);
  values.check();
  adviseTogether(values, config);
  return { config: freezeAll(config), warnings: values.warnings };
}

function readEndpoint(values: Values): EndpointConfig {
  const port = values.read(KEY.port);
  const cloud = values.read(KEY.cloud);
  const container = readContainer(values);
  const nginx = readNginx(values);
  const loadBalancer = values.read(KEY.loadBalancer);
  const endpointRedirect = values.read(KEY.redirect);
  return {
    url: values.read(KEY.url),
    port,
    cloud,
    loadBalancer,
    weight: values.read(KEY.weight),
    staticInstances: values.read(KEY.staticInstances).map((each) => ({ host: each.host, port: each.port ?? port })),
    instancesSource: values.read(KEY.instancesSource),
    metricsSource: values.read(KEY.metricsSource),
    key: readKey(values),
    redirect: (loadBalancer === 'nginx' ? nginx.redirect : null) ?? endpointRedirect,
    errorMarks: values.read(KEY.errorMarks),
    unregisteredTimeoutMs: values.read(KEY.unregisteredTimeout),
    decommissionedTimeoutMs: values.read(KEY.decommissionedTimeout),
    drainTimeoutMs: values.read(KEY.drainTimeout),
    stopTimeoutMs: values.read(KEY.stopTimeout),
    unknownTimeoutMs: values.read(KEY.unknownTimeout),
    healthCheck: {
      // What haproxy finds failing has to be found failing by whoever can replace it, too.
      path: values.read(KEY.healthCheck) ?? (loadBalancer === 'haproxy' ? values.read(KEY.checkUrl) : null),
      intervalMs: values.read(KEY.healthInterval),
      timeoutMs: values.read(KEY.healthTimeout),
    },
    scaling: {
      minInstances: values.read(KEY.minInstances),
      maxInstances: values.read(KEY.maxInstances),
      rules: values.read(KEY.rules),
      rampLimit: values.read(KEY.rampLimit),
      windowMs: values.read(KEY.window),
      scaleDownDelayMs: values.read(KEY.scaleDownDelay),
    },
    shadowRules: values.read(KEY.shadowRules),
    container: cloud === null ? null : container,
    placement: {
      slots: values.read(KEY.slots),
      strategy: values.read(KEY.strategy),
      constraints: values.read(KEY.constraints),
      affinity: values.read(KEY.affinity),
      rebalance: values.read(KEY.rebalance),
    },
    nginx,
    haproxy: readHaproxy(values),
    tcp: readTcp(values),
  };
}

function readKey(values: Values): EndpointKey | null {
  const [hash, salt, algo] = [values.read(KEY.authHash), values.read(KEY.authSalt), values.read(KEY.authAlgo)];
  if (hash === '') return null;
  const digits = HASH_DIGITS[algo];
  if (hash.length !== digits) values.mistake(KEY.authHash, `expected ${digits} hexadecimal digits, as ${algo} makes them`);
  return { algo, salt, hash };
}

/** Read also without a cloud: a mistake is one whether or not it matters today. */
function readContainer(values: Values): ContainerConfig {
  return {
    image: values.read(KEY.image) ?? '',
    command: values.read(KEY.command),
    entrypoint: values.read(KEY.entrypoint),
    user: values.read(KEY.user),
    environment: values.read(KEY.environment),
    memLimitBytes: values.read(KEY.memLimit),
    memReservationBytes: values.read(KEY.memReservation),
    cpus: values.read(KEY.cpus),
    dns: values.read(KEY.dns),
    hostname: values.read(KEY.hostname),
    volumes: values.read(KEY.volumes),
    volumesFrom: values.read(KEY.volumesFrom),
    network: values.read(KEY.network),
    hostPort: values.read(KEY.hostPort),
    pidsLimit: values.read(KEY.pidsLimit),
    links: values.read(KEY.links),
  };
}

function readNginx(values: Values): NginxConfig {
  return {
    keepalive: values.read(KEY.keepalive),
    stickySessions: values.read(KEY.stickySessions),
    stickyBy: values.read(KEY.stickyBy),
    ssl: values.read(KEY.ssl),
    sslCertificate: values.read(KEY.sslCertificate),
    sslKey: values.read(KEY.sslKey),
    http2: values.read(KEY.http2),
    redirectHttp: values.read(KEY.redirectHttp),
    redirect: values.read(KEY.balancerRedirect),
    maxBodyBytes: values.read(KEY.maxBody),
    connectTimeoutMs: values.read(KEY.nginxConnectTimeout),
    sendTimeoutMs: values.read(KEY.sendTimeout),
    readTimeoutMs: values.read(KEY.readTimeout),
    clientKeepaliveMs: values.read(KEY.clientKeepalive),
    buffering: values.read(KEY.buffering),
    requestBuffering: values.read(KEY.requestBuffering),
    requestHeaders: values.read(KEY.requestHeaders),
    responseHeaders: values.read(KEY.responseHeaders),
  };
}

function readHaproxy(values: Values): HaproxyConfig {
  return {
    balance: values.read(KEY.balance),
    sticky: values.read(KEY.sticky),
    checkUrl: values.read(KEY.checkUrl),
    errorLocation: values.read(KEY.errorLocation),
    connectTimeoutMs: values.read(KEY.connectTimeout),
    serverTimeoutMs: values.read(KEY.serverTimeout),
    ssl: values.read(KEY.haproxySsl),
    sslCertificate: values.read(KEY.haproxySslCertificate),
    sslKey: values.read(KEY.haproxySslKey),
  };
}

function readTcp(values: Values): TcpConfig {
  return {
    exclusive: values.read(KEY.exclusive),
    disposable: values.read(KEY.disposable),
    disposeMinMs: values.read(KEY.disposeMin),
    reconnectMs: values.read(KEY.reconnect),
    clientSubnets: values.read(KEY.clientSubnets),
    balance: values.read(KEY.tcpBalance),
  };
}

// ---------------------------------------------------------------------------------------------- what keys mean together

/** The url schemes that each load balancer serves. */
const SCHEMES: Readonly<Record<BalancerKind, readonly UrlScheme[]>> = {
  nginx: ['http', 'https'],
  haproxy: ['http', 'https', 'tcp'],
  dnsmasq: ['dns'],
  tcp: ['tcp'],
};

function checkTogether(values: Values, config: EndpointConfig): void {
  const { minInstances, maxInstances } = config.scaling;
  if (minInstances > maxInstances) {
    values.mistake(KEY.minInstances, `min_instances (${minInstances}) exceeds max_instances (${maxInstances})`, KEY.maxInstances);
  }
  const { url, loadBalancer } = config;
  if (config.port === 0 && loadBalancer !== null && loadBalancer !== 'dnsmasq' && config.cloud !== null) {
    values.mistake(KEY.port, `port required for ${loadBalancer}; expected port 1-65535`, KEY.loadBalancer);
  }
  if (url !== null && loadBalancer !== null && !SCHEMES[loadBalancer].includes(url.scheme)) {
    const forms = SCHEMES[loadBalancer].map((scheme) => `${scheme}://`).join(', ');
    values.mistake(KEY.url, `${loadBalancer} does not serve ${url.scheme}://; expected ${forms}`, KEY.loadBalancer);
  }
  if (loadBalancer === 'haproxy' && url?.scheme === 'tcp' && config.haproxy.balance === 'uri') {
    values.mistake(KEY.balance, 'uri needs requests to look at; tcp:// has none', KEY.url);
  }
  if (config.tcp.disposable && !config.tcp.exclusive) values.mistake(KEY.disposable, 'needs exclusive = true', KEY.exclusive);
  if (loadBalancer !== 'dnsmasq' && config.staticInstances.some(({ port }) => port === 0)) {
    values.mistake(KEY.port, 'port required for static_instances without one; expected port 1-65535', KEY.staticInstances);
  }
  if (config.container !== null) checkContainer(values, config.container, config.port);
  checkTls(values, config);
  if (config.nginx.requestBuffering && config.nginx.maxBodyBytes === 0) {
    values.mistake(KEY.maxBody, 'required with request_buffering: bodies are kept on disk', KEY.requestBuffering);
  }
  for (const key of [KEY.redirect, KEY.balancerRedirect]) {
    const redirect = values.read(key);
    if (redirect !== null && config.url !== null && wouldLoop(redirect, config.url)) {
      values.mistake(key, "would loop: it leads back to this endpoint's own url");
    }
  }
}

function checkContainer(values: Values, container: ContainerConfig, port: number): void {
  const { image, network, hostPort, memLimitBytes, memReservationBytes } = container;
  if (image === '') values.mistake(KEY.image, 'required with cloud = docker', KEY.cloud);
  if (memLimitBytes > 0 && memReservationBytes > memLimitBytes) values.mistake(KEY.memReservation, 'exceeds mem_limit');
  const unpublished = network === 'none' || network?.startsWith('container:') === true;
  if (unpublished && port > 0) values.mistake(KEY.network, `${network} cannot publish port ${port}; set port = 0`);
  if (hostPort !== null && port === 0) values.mistake(KEY.hostPort, 'needs the port of the container; set port in [endpoint]');
  if (hostPort !== null && network === 'host' && hostPort !== port) {
    values.mistake(KEY.hostPort, `with network = host the port on the host is the container's own, ${port}`);
  }
}

function checkTls(values: Values, config: EndpointConfig): void {
  if (config.nginx.redirectHttp && !config.nginx.ssl) {
    values.mistake(KEY.redirectHttp, 'needs ssl = true and a url that starts with https://');
  }
  for (const kind of ['nginx', 'haproxy'] as const) {
    const key = TLS_KEYS[kind];
    const { ssl, sslCertificate, sslKey } = config[kind];
    const { url } = config;
    const served = url !== null && config.loadBalancer === kind && SCHEMES[kind].includes(url.scheme);
    if (served && ssl !== (url.scheme === 'https')) {
      const wanted = ssl ? 'true needs a url that starts with https://' : 'must be true for a url that starts with https://';
      values.mistake(key.ssl, wanted, KEY.url);
    }
    if (sslCertificate !== null && sslKey === null) values.mistake(key.key, 'required with ssl_certificate', key.certificate);
    if (sslCertificate === null && sslKey !== null) values.mistake(key.certificate, 'required with ssl_key', key.key);
    if (sslCertificate === null || sslKey === null) continue;
    const fault = pairFault(sslCertificate, sslKey);
    if (fault !== null) values.mistake(fault.of === 'key' ? key.key : key.certificate, fault.message);
  }
}

const TLS_KEYS = {
  nginx: { ssl: KEY.ssl, certificate: KEY.sslCertificate, key: KEY.sslKey },
  haproxy: { ssl: KEY.haproxySsl, certificate: KEY.haproxySslCertificate, key: KEY.haproxySslKey },
} as const;

function freezeAll<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) freezeAll(part);
  return Object.freeze(value);
}
