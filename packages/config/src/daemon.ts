import { type ConfigDocument, ReactorError } from '@reactor/core';
import { type ListenAddress, parseListenHost } from './address.js';
import { DAEMON_KEYS as KEY, type PortRange } from './daemon-schema.js';
import { NO_PLACES, type Places, type Warning } from './document.js';
import { parsePort } from './key-type.js';
import type { SchemaKey } from './schema-key.js';
import { type Override, openValues, type Values } from './values.js';

/** What one daemon needs to know before it knows the cluster: /etc/reactor/reactor.conf and the environment over it. */

export interface DaemonConfig {
  readonly manager: {
    readonly name: string;
    /** Null is to be discovered. */
    readonly address: string | null;
    /** `embedded`, or the URL of a Redis. May hold a password: not for logs. */
    readonly state: string;
    readonly dataDir: string;
    readonly intervalMs: number;
    /** Null creates none. */
    readonly defaultEndpoints: string | null;
    readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  };
  readonly api: ListenAddress & {
    /** Answer as then, also to a key in the URL. */
    readonly compat: '2013' | null;
  };
  readonly history: {
    readonly retentionMs: number;
    /** 0 keeps none. */
    readonly limitBytes: number;
  };
  /** Null tells nobody. */
  readonly notify: { readonly urls: readonly string[]; readonly secret: string } | null;
  readonly docker: {
    readonly socket: string;
    readonly slots: number;
    readonly overcommit: number;
    readonly labels: Readonly<Record<string, string>>;
    readonly portRange: PortRange;
    /** 0 is one per processor. */
    readonly startLimit: number;
  };
  readonly nginx: {
    readonly binary: string;
    /** The system's nginx, all three; or null, all three, for an own one. */
    readonly configPath: string | null;
    readonly sitePath: string | null;
    readonly pidFile: string | null;
    readonly user: string | null;
    readonly logLimitBytes: number;
    /** 0 is one per processor. */
    readonly workers: number;
  };
  readonly haproxy: {
    readonly binary: string;
    /** A socket that others may read from; null offers none. */
    readonly statsPath: string | null;
    /** Octal. */
    readonly statsMode: string;
    readonly globalOptions: readonly string[];
    readonly maxConnections: number;
    readonly clientTimeoutMs: number;
  };
  readonly dnsmasq: {
    readonly binary: string;
    readonly port: number;
    /** All three, or none for an own dnsmasq. */
    readonly pidFile: string | null;
    readonly configPath: string | null;
    readonly hostsPath: string | null;
  };
}

export interface ResolvedDaemon {
  readonly config: DaemonConfig;
  readonly warnings: readonly Warning[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that win over the document. Set but empty is not set. */
export const DAEMON_VARIABLES: Readonly<Record<string, SchemaKey>> = {
  REACTOR_STATE: KEY.state,
  REACTOR_NAME: KEY.name,
  REACTOR_DATA_DIR: KEY.dataDir,
  REACTOR_DOCKER_SOCKET: KEY.socket,
  REACTOR_LISTEN: KEY.listen,
};

/**
 * Fails with `config_invalid`, naming the first mistake of the document or the variable. `hostName` is the machine's, for
 * a daemon that is not given a name.
 */
export function resolveDaemon(
  document: ConfigDocument,
  environment: Environment = {},
  hostName = 'localhost',
  places: Places = NO_PLACES,
): ResolvedDaemon {
  const overrides = new Map<SchemaKey, Override>();
  for (const [variable, key] of Object.entries(DAEMON_VARIABLES)) {
    const text = environment[variable]?.trim();
    if (text) overrides.set(key, { variable, text });
  }
  const values = openValues('daemon', document, places, overrides);
  const listen = values.read(KEY.listen);
  const config: DaemonConfig = {
    manager: {
      name: values.read(KEY.name) ?? hostName,
      address: values.read(KEY.address),
      state: values.read(KEY.state),
      dataDir: values.read(KEY.dataDir),
      intervalMs: values.read(KEY.interval),
      defaultEndpoints: values.read(KEY.defaultEndpoints),
      logLevel: values.read(KEY.logLevel),
    },
    api: {
      ...(overrides.has(KEY.listen) ? listen : listenFrom(environment, listen)),
      compat: values.read(KEY.compat),
    },
    history: { retentionMs: values.read(KEY.retention), limitBytes: values.read(KEY.historyLimit) },
    notify: notifyFrom(values),
    docker: {
      socket: values.read(KEY.socket),
      slots: values.read(KEY.slots),
      overcommit: values.read(KEY.overcommit),
      labels: Object.fromEntries(values.read(KEY.labels)),
      portRange: values.read(KEY.portRange),
      startLimit: values.read(KEY.startLimit),
    },
    nginx: {
      binary: values.read(KEY.binary),
      configPath: values.read(KEY.configPath),
      sitePath: values.read(KEY.sitePath),
      pidFile: values.read(KEY.pidFile),
      user: values.read(KEY.user),
      logLimitBytes: values.read(KEY.logLimit),
      workers: values.read(KEY.workers),
    },
    haproxy: {
      binary: values.read(KEY.haproxyBinary),
      statsPath: values.read(KEY.statsPath),
      statsMode: values.read(KEY.statsMode),
      globalOptions: values.read(KEY.globalOptions),
      maxConnections: values.read(KEY.maxConnections),
      clientTimeoutMs: values.read(KEY.clientTimeout),
    },
    dnsmasq: {
      binary: values.read(KEY.dnsmasqBinary),
      port: values.read(KEY.dnsmasqPort),
      pidFile: values.read(KEY.dnsmasqPidFile),
      configPath: values.read(KEY.dnsmasqConfigPath),
      hostsPath: values.read(KEY.dnsmasqHostsPath),
    },
  };
  for (const [program, ...keys] of [
    ['nginx', KEY.configPath, KEY.sitePath, KEY.pidFile],
    ['dnsmasq', KEY.dnsmasqConfigPath, KEY.dnsmasqHostsPath, KEY.dnsmasqPidFile],
  ] as const) {
    const set = keys.filter((key) => values.read(key) !== null);
    if (set.length !== 1 && set.length !== 2) continue;
    const [first, second, third] = keys.map(({ key }) => key);
    values.mistake(set[0]!, `${first}, ${second} and ${third} drive the system's ${program} together; set all three or none`);
  }
  for (const kept of [KEY.haproxyConfigFile, KEY.haproxyPidFile]) {
    if (values.read(kept) !== null) values.warn(kept, "has no effect: haproxy's files lie below data_dir");
  }
  values.check();
  return { config, warnings: values.warnings };
}

function notifyFrom(values: Values): DaemonConfig['notify'] {
  const urls = values.read(KEY.notifyUrls);
  const secret = values.read(KEY.notifySecret);
  if (urls.length > 0 && secret === null)
    values.mistake(KEY.notifySecret, 'missing: what is told is signed with it', KEY.notifyUrls);
  return urls.length === 0 ? null : { urls, secret: secret ?? '' };
}

/** The two variables of 2013, where an empty host was all interfaces; here empty is not set, so only `REACTOR_LISTEN` can say that. */
function listenFrom(environment: Environment, written: ListenAddress): ListenAddress {
  const refuse = (variable: string, message: string): never => {
    throw new ReactorError('config_invalid', `${variable}: ${message}`, { details: { variable } });
  };
  const hostText = environment['REACTOR_HOST']?.trim() ?? '';
  const portText = environment['REACTOR_PORT']?.trim() ?? '';
  const host = hostText === '' ? null : parseListenHost(hostText);
  const port = portText === '' ? null : parsePort(portText);
  if (host !== null && !host.ok) return refuse('REACTOR_HOST', host.fault.message);
  if (port !== null && !port.ok) return refuse('REACTOR_PORT', port.fault.message);
  return { host: host?.value ?? written.host, port: port?.value ?? written.port };
}
