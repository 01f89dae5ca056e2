/** One owner per thing: who may import whom, and the one home of each library. A new package or library is added here first. */
export const PACKAGES: Readonly<Record<string, { readonly packages: readonly string[]; readonly libraries: readonly string[] }>> =
  {
    core: { packages: [], libraries: ['re2js'] },
    config: { packages: ['core'], libraries: ['zod'] },
    compose: { packages: ['core', 'config'], libraries: ['yaml'] },
    state: { packages: ['core'], libraries: ['lmdb', 'ioredis'] },
    docker: { packages: ['core'], libraries: ['dockerode'] },
    nginx: { packages: ['core'], libraries: [] },
    haproxy: { packages: ['core'], libraries: [] },
    tcp: { packages: ['core'], libraries: [] },
    dnsmasq: { packages: ['core'], libraries: [] },
    agent: { packages: ['core'], libraries: [] },
    controller: { packages: ['core'], libraries: [] },
    api: { packages: ['core', 'config'], libraries: ['express', 'prom-client'] },
    client: { packages: ['core'], libraries: [] },
    cli: { packages: ['client', 'core', 'config', 'compose'], libraries: ['yargs'] },
    daemon: {
      packages: ['core', 'config', 'state', 'docker', 'nginx', 'haproxy', 'tcp', 'dnsmasq', 'agent', 'controller', 'api'],
      libraries: ['pino'],
    },
    web: { packages: ['client', 'core'], libraries: ['preact', 'uplot'] },
    testkit: { packages: ['core'], libraries: ['playwright-core'] },
  };
