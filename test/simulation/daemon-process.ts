import { startAgent } from '@reactor/agent';
import { fingerprint, resolveEndpoint } from '@reactor/config';
import { startController } from '@reactor/controller';
import { type At, describeError, type EndpointConfig, type EndpointRecord, type Meter, type PlanInput } from '@reactor/core';
import { openBalancer } from './balancer.js';
import { openEngineLink } from './engine-link.js';
import { type Machine, Process } from './machine.js';
import type { Oracles } from './oracles.js';
import { openStoreLink } from './store-link.js';
import type { World } from './world.js';

/** What the daemon's composition root does: the production loops of one host, on simulated ports. */

const SILENT: Meter = { add: () => undefined, set: () => undefined, observe: () => undefined };
const INTERVAL_MS = 1_000;
/** As by default: so many that a freed one is handed out again only when all have forgotten it. */
const PORTS = { first: 20_000, last: 29_999 };
const START_RETRY_MS = 1_000;
const PROBE_MS = 1;

export function startDaemonProcess(world: World, machine: Machine, oracles: Oracles): void {
  const process = new Process(machine, world.scheduler.events);
  machine.process = process;
  world.write(process.name, 'daemon starts');
  run(world, process, oracles).catch((error) => bug(world, process, error));
}

async function run(world: World, process: Process, oracles: Oracles): Promise<void> {
  const { machine, clock } = process;
  const chance = world.chance.fork();
  const store = openStoreLink(world, process, oracles, 'agent');
  const engine = openEngineLink(world, process, oracles);
  const log = (level: string, message: string): void => {
    // A reason that is no operational error comes with its stack, or is one of those that JavaScript itself words.
    if (
      level === 'error' &&
      /\n? {4}at |is not a function|Cannot read|undefined|is no count|every key at most once/.test(message)
    )
      world.violate('no loop meets a bug', `${process.name}: ${message}`);
  };
  const parts: { controller: ReturnType<typeof startController> | null } = { controller: null };
  const common = { store, clock, random: chance.next, meter: SILENT, log, host: machine.id };
  const agentOptions = {
    ...common,
    engine,
    balancer: openBalancer(world, process, oracles),
    probe: probeFrom(world, process, oracles),
    resolve: (record: At<EndpointRecord>) => {
      const resolved = resolve(record);
      return 'error' in resolved ? null : resolved.config;
    },
    name: machine.id,
    address: machine.address,
    apiUrl: `http://${machine.address}:8080`,
    advertisedUrl: null,
    slots: machine.slots,
    overcommit: 0,
    labels: {},
    newToken: () => `token-${world.newId()}`,
    portRange: { ...PORTS, last: world.profile?.portsEach ? PORTS.first + world.profile.portsEach - 1 : PORTS.last },
    startLimit: 2,
    surge: () => parts.controller?.wake(),
    version: 'simulated',
    marks: machine.marks,
    portsHandedOut: machine.portsHandedOut,
  };
  const agent = await patiently(process, () => startAgent(agentOptions));
  const own = openStoreLink(world, process, oracles, 'controller');
  parts.controller = startController({ ...common, store: own, intervalMs: INTERVAL_MS, resolve, newId: () => world.newId() });
  const { controller } = parts;
  process.commandsSinceMs = world.nowMs;
  process.stop = async () => {
    await controller.stop();
    await agent.stop();
  };
}

/** The daemon waits for its cluster state as long as it takes. */
async function patiently<T>(process: Process, start: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await start();
    } catch {
      await process.clock.sleep(START_RETRY_MS);
    }
  }
}

function bug(world: World, process: Process, error: unknown): void {
  world.violate('no loop meets a bug', `${process.name}: ${error instanceof Error ? error.stack : String(error)}`);
}

function probeFrom(world: World, process: Process, oracles: Oracles) {
  return (target: { host: string; port: number }, _path: string | null, timeoutMs: number): Promise<string | null> =>
    new Promise((settle) => {
      const there = world.machines.find(({ address }) => address === target.host);
      if (there === undefined || !process.machine.reaches(there)) {
        process.after(timeoutMs, 'probe', () => settle('no connection'));
        return;
      }
      process.after(PROBE_MS, 'probe', () => {
        const found = there.engine.containers().find(({ address }) => address?.port === target.port);
        const answers = found !== undefined && (there.answersAtMs.get(found.id) ?? 0) <= world.nowMs;
        if (answers) oracles.answered(found);
        settle(answers ? null : 'connection refused');
      });
    });
}

// --------------------------------------------------------------------------------------------------------- configurations

/** Resolving is pure and documents are shared, so each is resolved once for all daemons. */
const resolved = new WeakMap<object, ReturnType<PlanInput['resolve']>>();

const resolve: PlanInput['resolve'] = (record) => {
  const { document } = record.value;
  let known = resolved.get(document);
  if (known === undefined) {
    try {
      const { config } = resolveEndpoint(document);
      known = { config, hash: fingerprint(config) };
    } catch (error) {
      known = { error: describeError(error) };
    }
    resolved.set(document, known);
  }
  return known;
};

export function configOf(endpoint: EndpointRecord): EndpointConfig | null {
  const known = resolve({ value: endpoint, revision: 0 });
  return 'error' in known ? null : known.config;
}
