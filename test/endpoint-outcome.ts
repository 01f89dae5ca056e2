import { getValue, readDocument, resolveEndpoint } from '@reactor/config';
import type { DnsmasqService, EndpointConfig, HaproxyService, NginxService, TcpService } from '@reactor/core';
import { aHost, createFakeEngine, createWorld, type World } from '@reactor/testkit';
import { launch } from '../packages/agent/src/launch.js';
import { servicesOf } from '../packages/agent/src/services.js';
import { renderHosts } from '../packages/dnsmasq/src/render.js';
import { createBody } from '../packages/docker/src/spec.js';
import { render as renderHaproxy } from '../packages/haproxy/src/render.js';
import { groupServices as groupForHaproxy } from '../packages/haproxy/src/virtual-service.js';
import { renderSites } from '../packages/nginx/src/render.js';
import { selfSigned } from '../packages/nginx/src/self-signed.js';
import { groupServices as groupForNginx } from '../packages/nginx/src/virtual-service.js';
import { renderDocument } from '../packages/tcp/src/proxy-document.js';

/** What an endpoint's configuration comes to, from its text to what Docker and the load balancers are told, on paper. */

const USUAL = `[endpoint]
url=http://
cloud=docker
loadbalancer=nginx
port=5000
[scaling]
min_instances=1
max_instances=5
[cloud:docker]
image=pyex:latest
`;

export const PAIR = selfSigned({ names: ['a.example'], fromMs: 0, untilMs: 2_000_000_000_000 });

/** The usual endpoint with these lines as well; of a key that is given twice the last one counts. */
export function configOf(lines: string): EndpointConfig {
  return resolveEndpoint(readDocument(USUAL + lines).document).config;
}

export const isGiven = (lines: string, section: string, key: string): boolean =>
  getValue(readDocument(USUAL + lines).document, section, key) !== null;

export function worldOf(config: EndpointConfig): World {
  return createWorld({ endpoints: { web: config }, hosts: [aHost('vm1'), aHost('vm2')] });
}

/** All that is told to Docker and to the load balancer of one host, as one text. */
export async function outcomeOf(lines: string): Promise<string> {
  const config = configOf(lines);
  const world = worldOf(config);
  world.run(5);
  const services = servicesOf(world.cluster(), () => config, 'vm1');
  return [...services.map(servedText), ...(await containers(world))].join('\n');
}

function servedText(service: ReturnType<typeof servicesOf>[number]): string {
  switch (service.kind) {
    case 'nginx':
      return nginxText(service);
    case 'haproxy':
      return haproxyText(service);
    case 'tcp':
      return tcpText(service);
    case 'dnsmasq':
      return dnsmasqText(service);
  }
}

/** With certificates as they are when they have been made. */
function nginxText(service: NginxService): string {
  const virtual = groupForNginx([service]).virtual.map((each) =>
    each.tls === null ? each : { ...each, tls: { ...each.tls, pair: each.tls.pair ?? PAIR } },
  );
  const files = renderSites(virtual, { logPath: '/log', certificates: 'sites/', ipv6: false });
  return [...files.values()].map(({ text }) => text).join('');
}

function haproxyText(service: HaproxyService): string {
  return renderHaproxy(groupForHaproxy([service]).virtual, {
    ...{ directory: '/h', account: null, globalOptions: [], maxConnections: 1, clientTimeoutMs: 1 },
    ...{ statsPath: null, statsMode: '600', ipv6: false },
  }).text;
}

const tcpText = (service: TcpService): string => JSON.stringify(renderDocument([service], new Set()).document);
const dnsmasqText = (service: DnsmasqService): string => renderHosts([service]).text;

/** The records of instances, and the bodies that Docker gets for them. */
async function containers(world: World): Promise<readonly string[]> {
  const bodies: string[] = [];
  const engine = createFakeEngine();
  const { start } = engine;
  engine.prepare = async () => undefined;
  engine.start = (spec) => {
    bodies.push(JSON.stringify(createBody(spec, 'cluster', '/run/docker.sock')));
    // The engine of the tests has one image, and a port once.
    return start({ ...spec, publish: null, container: { ...spec.container, image: 'pyex:latest' } });
  };
  for (const record of world.instances('web')) {
    bodies.push(JSON.stringify(record));
    await launch(record, {
      ...{ engine, ports: { take: () => 20_000 }, portsInUse: () => new Set<number>(), address: '10.0.0.1', apiUrl: 'http://a' },
      ...{ linked: async () => ({ environment: [], hostNames: [] }), newToken: () => 'token', progress: () => undefined },
      ...{ signal: new AbortController().signal, starting: async () => () => undefined },
    });
  }
  return bodies;
}
