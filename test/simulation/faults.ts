import type { Chance } from './chance.js';
import { CONTAINER_FAULTS } from './container-faults.js';
import { DAEMON_FAULTS, NETWORK_FAULTS } from './daemon-faults.js';
import { startDaemonProcess } from './daemon-process.js';
import { type FaultContext, type FaultKind, SILENT } from './fault.js';
import type { Machine } from './machine.js';
import { OPERATORS } from './operator-faults.js';
import { STORE_FAULTS } from './store-faults.js';
import { FAIR_WEATHER, type Weather } from './world.js';

/**
 * Everything that goes wrong, and everything that people do meanwhile. Each seed turns a part of it on, at rates of its own
 * ("swarm testing": with all of it always on, rare meetings of two would drown in the others). All of it ends with `heal`.
 */
export interface Faults {
  begin(): void;
  /** Ends every fault that lasts and starts what is down. */
  heal(): void;
}

const KINDS: readonly FaultKind[] = [...DAEMON_FAULTS, ...NETWORK_FAULTS, ...STORE_FAULTS, ...CONTAINER_FAULTS, ...OPERATORS];
/** Of a kind that the seed's profile, if it has one, does not ask for. */
const USUALLY = 0.35;
const REMEMBER_EVERY_MS = 250;

interface Enabled {
  readonly kind: FaultKind;
  readonly everyMs: number;
}

export function createFaults(context: FaultContext): Faults {
  const { world } = context;
  const chance = world.chance.fork();
  const enabled = KINDS.flatMap((kind) => enable(kind, context, chance));
  let over = false;

  const next = (kind: FaultKind, everyMs: number): void => {
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
  /** What a failover may bring back. */
  const remember = (): void => {
    if (over) return;
    if (!world.weather.storeForeign) world.history.remember();
    world.scheduler.after(REMEMBER_EVERY_MS, 'remember', remember);
  };

  return {
    begin() {
      const names = enabled.map(({ kind }) => kind.name);
      world.write('faults', `${world.profile === null ? '' : `${world.profile.name}: `}${names.join(', ')}`);
      Object.assign(world.weather, weatherOf(chance), world.profile?.weather);
      for (const { kind, everyMs } of enabled) next(kind, everyMs);
      if (names.includes('store fails over')) remember();
    },
    heal() {
      over = true;
      world.write('faults', 'all end');
      const { storeForeign } = world.weather;
      Object.assign(world.weather, FAIR_WEATHER, { storeForeign, calm: true });
      for (const machine of world.machines) repair(context, machine);
    },
  };
}

function enable(kind: FaultKind, { world: { profile } }: FaultContext, chance: Chance): readonly Enabled[] {
  const everyMs = profile?.everyMs[kind.name];
  if (everyMs !== undefined) return [{ kind, everyMs }];
  const [happens, rate] = [chance.happens(profile?.others ?? USUALLY), 0.25 + 0.75 * chance.next()];
  return happens ? [{ kind, everyMs: kind.everyMs * rate }] : [];
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
    ...(chance.happens(0.2) ? { straggleRate: chance.pick([0.01, 0.1]) } : {}),
  };
}

function repair({ world, oracles }: FaultContext, machine: Machine): void {
  machine.storeRequests = true;
  machine.storeAnswers = true;
  machine.isolated = false;
  machine.slowness = 1;
  machine.setClock(0);
  machine.goOn();
  machine.mutedUntilMs = 0;
  machine.engineHungUntilMs = 0;
  machine.diskBrokenUntilMs = 0;
  machine.engineDownUntilMs = 0;
  for (const [id, atMs] of machine.answersAtMs) if (atMs === SILENT) machine.answersAtMs.set(id, 0);
  machine.powered = true;
  if (machine.process === null) startDaemonProcess(world, machine, oracles);
}
