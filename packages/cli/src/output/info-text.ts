import type { ClusterInfo } from '@reactor/client';
import { duration } from './age.js';
import { printable } from './printable.js';

/** The cluster at a glance, host by host, as `docker info` of a Swarm told it. */
export function infoText(info: ClusterInfo, nowMs: number): readonly string[] {
  const states = Object.entries(info.endpoints).sort(([a], [b]) => (a < b ? -1 : 1));
  const endpoints = states.reduce((sum, [, count]) => sum + count, 0);
  const byState = states.length === 0 ? '' : ` (${states.map(([state, count]) => `${count} ${state}`).join(', ')})`;
  const total = info.hosts.reduce((sum, host) => sum + host.slots, 0);
  const used = info.hosts.reduce((sum, host) => sum + host.usedSlots, 0);
  return [
    `Endpoints: ${endpoints}${byState}`,
    `Instances: ${info.instances} serving`,
    `Connections: ${info.active} open`,
    `Slots: ${used} / ${total}`,
    `CPUs: ${sum(info, ({ cpus }) => cpus)}`,
    `Memory: ${size(sum(info, ({ memoryBytes }) => memoryBytes))}`,
    `Leader: ${info.leader ?? 'none'}`,
    ...(info.brake === null ? [] : [`Brake: ${info.brake}; nothing is replaced or retired`]),
    `Cluster: ${info.cluster}`,
    `Version: ${info.version}`,
    `Hosts: ${info.hosts.length}`,
    ...info.hosts.flatMap((host) => hostLines(host, nowMs)),
  ].map(printable);
}

const sum = (info: ClusterInfo, amount: (host: Host) => number): number =>
  info.hosts.reduce((total, host) => total + amount(host), 0);

/** Every engine has these; what tells hosts apart are the labels that somebody gave them. */
const BUILT_IN = ['storagedriver', 'kernelversion', 'operatingsystem', 'ostype', 'architecture'];

/** `key=value` each, without those every engine has. */
export const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .filter(([name]) => !BUILT_IN.includes(name))
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(', ');

type Host = ClusterInfo['hosts'][number];

function hostLines(host: Host, nowMs: number): readonly string[] {
  const heard = host.heartbeatMs === null ? '' : `, heard ${duration(nowMs - host.heartbeatMs)} ago`;
  const head = [` ${host.name}${host.address === '' ? '' : `: ${host.address}`}`, `  └ State: ${host.state}${heard}`];
  const instances = `  └ Instances: ${host.instances}`;
  // Of a host that is away nothing else is known.
  if (host.state === 'lost' || host.state === 'removing') return [...head, instances];
  const labels = labelsText(host.labels);
  const { operatingsystem: system, kernelversion: kernel } = host.labels;
  return [
    ...head,
    instances,
    `  └ Slots: ${host.usedSlots} / ${host.slots}`,
    `  └ Reserved CPUs: ${Number(host.usedCpus.toFixed(3))} / ${host.cpus}`,
    `  └ Reserved Memory: ${size(host.usedMemoryBytes)} / ${size(host.memoryBytes)}`,
    ...(labels === '' ? [] : [`  └ Labels: ${labels}`]),
    ...(system === undefined ? [] : [`  └ System: ${system}${kernel === undefined ? '' : `, kernel ${kernel}`}`]),
    `  └ Docker: ${host.dockerError ?? host.dockerVersion ?? 'unknown'}`,
    `  └ API: ${host.apiUrl ?? 'on loopback only'}`,
    `  └ Reactor: ${host.version}`,
  ];
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Four digits at most, as Docker writes sizes: `512 MiB`, `7.451 GiB`. */
function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toPrecision(4))} ${UNITS[unit]}`;
}
