import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type BalancerDriver, whyUnavailable } from '@reactor/agent';
import type { DaemonConfig } from '@reactor/config';
import type { LogLevel, Meter } from '@reactor/core';
import { createDnsmasq, type DnsmasqOptions } from '@reactor/dnsmasq';
import { createHaproxy } from '@reactor/haproxy';
import { createNginx, type NginxOptions } from '@reactor/nginx';
import { createTcp } from '@reactor/tcp';
import { findProgram, lookForProgram } from './program.js';

export interface BalancerSurroundings {
  readonly meter: Meter;
  readonly log: (level: LogLevel, message: string) => void;
}

/** The load balancers this host can run, each made when it is first needed; see `combineDrivers`. */
export function balancerDrivers(config: DaemonConfig, surroundings: BalancerSurroundings): readonly BalancerDriver[] {
  const makers = [nginxDriver, haproxyDriver, tcpDriver, dnsmasqDriver];
  return makers.map((make) => make(config, surroundings));
}

function tcpDriver(config: DaemonConfig, { log }: BalancerSurroundings): BalancerDriver {
  const directory = join(config.manager.dataDir, 'tcp');
  return {
    kind: 'tcp',
    ranBefore: existsSync(directory),
    missing: () => null,
    create: () => createTcp({ directory, log }),
  };
}

function dnsmasqDriver(config: DaemonConfig, { log }: BalancerSurroundings): BalancerDriver {
  const { binary, port, pidFile, configPath, hostsPath } = config.dnsmasq;
  const directory = join(config.manager.dataDir, 'dnsmasq');
  const find = programOf('dnsmasq', binary, 'dnsmasq');
  const mode: DnsmasqOptions['mode'] =
    pidFile !== null && configPath !== null && hostsPath !== null
      ? { kind: 'system', pidFile, configPath, hostsPath }
      : { kind: 'own', directory };
  return {
    kind: 'dnsmasq',
    ranBefore: existsSync(mode.kind === 'own' ? directory : mode.hostsPath),
    missing: find.missing,
    create: () => createDnsmasq({ mode, binary: find.path(), port, log }),
  };
}

function nginxDriver(config: DaemonConfig, surroundings: BalancerSurroundings): BalancerDriver {
  const { binary } = config.nginx;
  const find = programOf('nginx', binary, 'nginx');
  return {
    kind: 'nginx',
    // It reads its log from the first line on, so it always runs where it is installed.
    ranBefore: find.missing() === null,
    missing: find.missing,
    create: () => createNginx({ ...nginxOptions(config, find.path()), portProblem: whyUnavailable, ...surroundings }),
  };
}

function haproxyDriver(config: DaemonConfig, surroundings: BalancerSurroundings): BalancerDriver {
  const { binary, ...settings } = config.haproxy;
  const find = programOf('haproxy', binary, 'haproxy');
  const directory = join(config.manager.dataDir, 'haproxy');
  return {
    kind: 'haproxy',
    ranBefore: existsSync(join(directory, 'haproxy.cfg')),
    missing: find.missing,
    create: () => createHaproxy({ ...settings, directory, binary: find.path(), portProblem: whyUnavailable, ...surroundings }),
  };
}

/** A program that the configuration names must be there; one that is only the default may be missing until it is needed. */
function programOf(kind: string, name: string, usual: string) {
  const key = `loadbalancer:${kind}.binary`;
  if (name !== usual) findProgram(key, name);
  const missing = (): string | null =>
    lookForProgram(name) === null
      ? `not installed: no program '${name}' on this host; install it, or name its path in ${key}`
      : null;
  return { missing, path: () => findProgram(key, name) };
}

function nginxOptions(
  config: DaemonConfig,
  binary: string,
): Pick<NginxOptions, 'mode' | 'certificates' | 'binary' | 'logLimitBytes'> {
  const { user, workers, logLimitBytes, configPath, sitePath, pidFile } = config.nginx;
  const system = configPath !== null && sitePath !== null && pidFile !== null;
  const mode: NginxOptions['mode'] = system
    ? { kind: 'system', configPath, sitePath, pidFile, logPath: '/var/log/nginx/reactor.log', mainFile: null }
    : { kind: 'own', directory: join(config.manager.dataDir, 'nginx'), user, workers };
  return { mode, certificates: join(config.manager.dataDir, 'certificates'), binary, logLimitBytes };
}
