import type { Chance } from './chance.js';
import { startDaemonProcess } from './daemon-process.js';
import { type Load, newRate } from './endpoints.js';
import type { Machine } from './machine.js';
import type { Operator } from './operator.js';
import { FOREIGN, type Oracles } from './oracles.js';
import { FAIR_WEATHER, type Weather, type World } from './world.js';

/**
 * Everything that goes wrong, and everything that people do meanwhile. Each seed turns a part of it on, at rates of its own
 * ("swarm testing": with all of it always on, rare meetings of two would drown in the others). All of it ends with `heal`.
 */
export interface Faults {
  begin(): void;
  /** Ends every fault that lasts and starts what is down. */
  heal(): void;
}

export interface FaultContext {
  readonly world: World;
  readonly oracles: Oracles;
  readonly operator: Operator;
  readonly loads: readonly Load[];
}

interface Kind {
  readonly name: string;
  /** How far apart on average when it is turned on, over the whole cluster. */
  readonly everyMs: number;
  readonly strike: (context: FaultContext, chance: Chance) => void;
}

const SECOND = 1_000;

export function createFaults(context: FaultContext): Faults {
  const { world } = context;
  const chance = world.chance.fork();
  const enabled = KINDS.filter(() => chance.happens(0.35)).map((kind) => ({
    kind,
    everyMs: kind.everyMs * (0.25 + 0.75 * chance.next()),
  }));
  let over = false;

  const next = (kind: Kind, everyMs: number): void => {
    world.scheduler.after(chance.wait(everyMs), kind.name, () => {
      if (over) return;
      // A store that holds something else is answered by leaving all alone; a daemon started on it would take it for its own.
      if (!world.weather.storeForeign) {
        world.cover(`fault: ${kind.name}`);
        kind.strike(context, chance);
      }
      next(kind, everyMs);
    });
  };

  return {
    begin() {
      world.write('faults', enabled.map(({ kind }) => kind.name).join(', '));
      Object.assign(world.weather, weatherOf(chance));
      for (const { kind, everyMs } of enabled) next(kind, everyMs);
    },
    heal() {
      over = true;
      world.write('faults', 'all end');
      const { storeForeign } = world.weather;
      Object.assign(world.weather, FAIR_WEATHER, { storeForeign });
      for (const machine of world.machines) repair(context, machine);
    },
  };
}

function weatherOf(chance: Chance): Partial<Weather> {
  return {
    ...(chance.happens(0.4) ? { lossRate: chance.pick([0.002, 0.01, 0.05]) } : {}),
    ...(chance.happens(0.4) ? { delayMs: chance.pick([40, 200, 800]) } : {}),
    ...(chance.happens(0.5) ? { ambiguityRate: chance.pick([0.05, 0.2]) } : {}),
    ...(chance.happens(0.5) ? { eventLossRate: chance.pick([0.1, 0.5]) } : {}),
    ...(chance.happens(0.3) ? { stallRate: chance.pick([0.0005, 0.003]) } : {}),
    ...(chance.happens(0.3) ? { laggingRate: chance.pick([0.2, 0.8]) } : {}),
    ...(chance.happens(0.4) ? { refusalRate: chance.pick([0.02, 0.2]) } : {}),
  };
}

function repair({ world, oracles }: FaultContext, machine: Machine): void {
  machine.storeRequests = true;
  machine.storeAnswers = true;
  machine.isolated = false;
  machine.slowness = 1;
  machine.skewMs = 0;
  machine.pausedUntilMs = 0;
  machine.engineHungUntilMs = 0;
  machine.diskBrokenUntilMs = 0;
  machine.engineDownUntilMs = 0;
  for (const [id, atMs] of machine.answersAtMs) if (atMs === SILENT) machine.answersAtMs.set(id, 0);
  machine.powered = true;
  if (machine.process === null) startDaemonProcess(world, machine, oracles);
}

/** A program that hangs, unlike a broken one, may answer again. */
const SILENT = Number.MAX_SAFE_INTEGER;

// ------------------------------------------------------------------------------------------------------------- the kinds

const some = ({ world }: FaultContext, chance: Chance): Machine => chance.pick(world.machines);

/** Until it is over, or all faults are. */
function last({ world }: FaultContext, chance: Chance, fromMs: number, toMs: number, end: () => void): void {
  world.scheduler.after(chance.whole(fromMs, toMs), 'end of a fault', end);
}

function daemonFault(
  name: string,
  everyMs: number,
  act: (machine: Machine, context: FaultContext, chance: Chance) => void,
): Kind {
  return {
    name,
    everyMs,
    strike(context, chance) {
      const machine = some(context, chance);
      if (machine.process !== null) act(machine, context, chance);
    },
  };
}

function back(context: FaultContext, machine: Machine): void {
  if (machine.powered && machine.process === null) startDaemonProcess(context.world, machine, context.oracles);
}

function powerOff(machine: Machine): void {
  machine.process?.kill();
  machine.powered = false;
  machine.engine.restart(137);
  machine.balancer.running = null;
  machine.balancer.old = [];
}

const DAEMON_FAULTS: readonly Kind[] = [
  daemonFault('daemon crash', 40 * SECOND, (machine, context, chance) => {
    context.world.write(machine.id, 'daemon is killed');
    machine.process?.kill();
    last(context, chance, 200, 8 * SECOND, () => back(context, machine));
  }),
  daemonFault('daemon restart', 60 * SECOND, (machine, context, chance) => {
    const process = machine.process;
    const stop = process?.stop;
    if (!process || !stop) return;
    process.stop = null;
    context.world.write(machine.id, 'daemon is stopped');
    const gone = (): void => {
      if (!process.alive) return;
      process.kill();
      last(context, chance, 200, 3 * SECOND, () => back(context, machine));
    };
    stop().then(gone, gone);
  }),
  daemonFault('daemon pause', 50 * SECOND, (machine, { world }, chance) => {
    const forMs = chance.whole(500, 40 * SECOND);
    world.write(machine.id, `daemon pauses for ${forMs} ms`);
    machine.pausedUntilMs = world.nowMs + forMs;
  }),
  daemonFault('clock step', 50 * SECOND, (machine, { world }, chance) => {
    machine.skewMs += chance.whole(-1, 1) * chance.pick([300, 2_000, 9_000, 30_000]);
    world.write(machine.id, `clock is off by ${machine.skewMs} ms`);
  }),
  daemonFault('power cut', 90 * SECOND, (machine, context, chance) => {
    context.world.write(machine.id, 'power is cut');
    powerOff(machine);
    last(context, chance, 3 * SECOND, 60 * SECOND, () => {
      if (machine.powered) return;
      machine.powered = true;
      back(context, machine);
    });
  }),
  daemonFault('disk fails', 60 * SECOND, (machine, { world }, chance) => {
    machine.diskBrokenUntilMs = world.nowMs + chance.whole(SECOND, 30 * SECOND);
    world.write(machine.id, 'disk fails');
  }),
  daemonFault('slow host', 60 * SECOND, (machine, context, chance) => {
    machine.slowness = chance.pick([3, 15]);
    context.world.write(machine.id, `is ${machine.slowness} times slower`);
    last(context, chance, 5 * SECOND, 40 * SECOND, () => {
      machine.slowness = 1;
    });
  }),
];

function networkFault(name: string, cut: (machine: Machine, cut: boolean) => void): Kind {
  return daemonFault(name, 60 * SECOND, (machine, context, chance) => {
    context.world.write(machine.id, `${name} begins`);
    cut(machine, true);
    last(context, chance, 500, 45 * SECOND, () => {
      context.world.write(machine.id, `${name} ends`);
      cut(machine, false);
    });
  });
}

const NETWORK_FAULTS: readonly Kind[] = [
  networkFault('cut from the store', (machine, cut) => {
    machine.storeRequests = !cut;
    machine.storeAnswers = !cut;
  }),
  networkFault('requests to the store lost', (machine, cut) => {
    machine.storeRequests = !cut;
  }),
  networkFault('answers of the store lost', (machine, cut) => {
    machine.storeAnswers = !cut;
  }),
  networkFault('cut from everything', (machine, cut) => {
    machine.storeRequests = !cut;
    machine.storeAnswers = !cut;
    machine.isolated = cut;
  }),
];

/** In revisions. */
const LEAST_AGE = 30;

const STORE_FAULTS: readonly Kind[] = [
  {
    name: 'store outage',
    everyMs: 70 * SECOND,
    strike(context, chance) {
      context.world.write('store', 'is down');
      context.world.weather.storeDown = true;
      last(context, chance, 500, 40 * SECOND, () => {
        context.world.weather.storeDown = false;
      });
    },
  },
  {
    name: 'store forgets its past',
    everyMs: 60 * SECOND,
    strike: ({ world }) => world.store.forgetChanges(),
  },
  {
    name: 'store exchanged',
    everyMs: 150 * SECOND,
    /** Another store, or an old copy, answers in the place of the one that was; later that one is back. */
    strike(context, chance) {
      const { world } = context;
      if (world.machines.some(({ process, powered }) => process?.stop == null || !powered)) return;
      world.write('store', 'holds something else');
      const { weather, store } = world;
      const now = store.dump();
      // Older than what any daemon knows, for the one that was cut off for long has no way to tell; and by more than the
      // leases that end meanwhile make up for.
      const known = Math.min(...world.machines.map(({ process }) => process?.guard?.known.revision ?? 0));
      const older =
        chance.happens(0.5) && known > LEAST_AGE ? { ...now, revision: known - chance.whole(LEAST_AGE, known) } : null;
      weather.storeForeign = true;
      store.load(older ?? { clusterId: 'another' });
      last(context, chance, 2 * SECOND, 25 * SECOND, () => {
        store.load(now);
        weather.storeForeign = false;
        world.write('store', 'is the former one again');
      });
    },
  },
];

function containerOf({ world }: FaultContext, chance: Chance) {
  const machine = chance.pick(world.machines);
  const running = machine.engine.containers().filter(({ status, hash }) => status === 'running' && hash !== FOREIGN);
  return running.length === 0 ? null : { machine, container: chance.pick(running) };
}

const CONTAINER_FAULTS: readonly Kind[] = [
  {
    name: 'container exits',
    everyMs: 15 * SECOND,
    strike(context, chance) {
      const found = containerOf(context, chance);
      if (found === null) return;
      context.world.write(found.machine.id, `container of ${found.container.instance} exits`);
      found.machine.engine.exit(found.container.instance, chance.pick([0, 1, 137]), chance.happens(0.2));
    },
  },
  {
    name: 'container removed by hand',
    everyMs: 40 * SECOND,
    strike(context, chance) {
      const found = containerOf(context, chance);
      if (found === null) return;
      context.world.write(found.machine.id, `container of ${found.container.instance} is removed by hand`);
      context.oracles.vanished(found.container.id);
      found.machine.engine.vanish(found.container.instance);
    },
  },
  {
    name: 'container silent',
    everyMs: 30 * SECOND,
    strike(context, chance) {
      const found = containerOf(context, chance);
      if (found === null) return;
      const { answersAtMs } = found.machine;
      const { id, instance } = found.container;
      if (answersAtMs.get(id) === Number.POSITIVE_INFINITY) return;
      context.world.write(found.machine.id, `container of ${instance} does not answer`);
      answersAtMs.set(id, SILENT);
      last(context, chance, SECOND, 20 * SECOND, () => {
        if (answersAtMs.get(id) === SILENT) answersAtMs.set(id, 0);
      });
    },
  },
  daemonFault('Docker hangs', 60 * SECOND, (machine, { world }, chance) => {
    machine.engineHungUntilMs = world.nowMs + chance.whole(500, 30 * SECOND);
    world.write(machine.id, `Docker hangs until ${machine.engineHungUntilMs}`);
  }),
  daemonFault('Docker restarts', 70 * SECOND, (machine, { world }, chance) => {
    world.write(machine.id, 'Docker restarts');
    machine.engineDownUntilMs = world.nowMs + chance.whole(200, 6 * SECOND);
    machine.engine.restart(137);
  }),
];

const endpointOf = ({ loads }: FaultContext, chance: Chance) => ({ endpoint: chance.pick(loads).name });

function command(name: string, everyMs: number, act: (context: FaultContext, chance: Chance) => Promise<boolean>): Kind {
  return { name, everyMs, strike: (context, chance) => void act(context, chance) };
}

const OPERATORS: readonly Kind[] = [
  command('operator changes the state', 40 * SECOND, ({ operator, ...rest }, chance) => {
    const action = chance.pick(['start', 'start', 'start', 'stop', 'pause']);
    return operator.ask('POST', '/endpoints/:endpoint/state', endpointOf({ operator, ...rest }, chance), { action });
  }),
  command('operator holds a count', 60 * SECOND, (context, chance) => {
    const { operator } = context;
    if (chance.happens(0.4)) return operator.ask('DELETE', '/endpoints/:endpoint/hold', endpointOf(context, chance));
    const body = { count: chance.whole(0, 6), forMs: chance.pick([5_000, 30_000]) };
    return operator.ask('PUT', '/endpoints/:endpoint/hold', endpointOf(context, chance), body);
  }),
  command('operator edits a configuration', 30 * SECOND, (context, chance) => {
    const [section, key, value] = chance.pick([
      ['scaling', 'max_instances', String(chance.whole(2, 5))],
      ['scaling', 'min_instances', String(chance.whole(1, 2))],
      ['scaling', 'rules', chance.pick(['rate < 4', '1 < rate < 5', 'nonesuch < 3, rate < 4'])],
      ['cloud:docker', 'image', chance.pick(['good:1', 'good:2', 'good:2', 'bad:1'])],
      ['endpoint', 'drain_timeout', String(chance.whole(6, 12))],
    ] as const);
    return context.operator.ask('PATCH', '/endpoints/:endpoint', endpointOf(context, chance), { section, key, value });
  }),
  command('operator removes an endpoint', 120 * SECOND, async (context, chance) => {
    const { operator, world } = context;
    const params = endpointOf(context, chance);
    const stored = world.store.view('').entries.get(`endpoints/${params.endpoint}`)?.value;
    const document = (stored as { document?: object } | undefined)?.document;
    if (document === undefined || !(await operator.ask('DELETE', '/endpoints/:endpoint', params))) return false;
    await operator.ask('PUT', '/endpoints/:endpoint', params, document);
    return operator.ask('POST', '/endpoints/:endpoint/state', params, { action: 'start' });
  }),
  command('operator drains a host', 60 * SECOND, (context, chance) => {
    const action = chance.pick(['drain', 'activate', 'activate']);
    return context.operator.ask('POST', '/hosts/:host/state', { host: some(context, chance).id }, { action });
  }),
  command('operator removes a host', 90 * SECOND, (context, chance) => {
    const away = context.world.machines.filter(({ process }) => process === null);
    const { id } = chance.pick(away.length > 0 ? away : context.world.machines);
    return context.operator.ask('DELETE', '/hosts/:host', { host: id });
  }),
  {
    name: 'load changes',
    everyMs: 20 * SECOND,
    strike({ loads, world }, chance) {
      const load = chance.pick(loads);
      load.rate = newRate(chance);
      world.write('load', `${load.name} gets ${load.rate} requests/s`);
    },
  },
];

export const KINDS: readonly Kind[] = [...DAEMON_FAULTS, ...NETWORK_FAULTS, ...STORE_FAULTS, ...CONTAINER_FAULTS, ...OPERATORS];
