import type { Chance } from './chance.js';
import type { Load } from './endpoints.js';
import type { Machine } from './machine.js';
import type { Operator } from './operator.js';
import type { Oracles } from './oracles.js';
import type { World } from './world.js';

/** One kind of what goes wrong or is done, and what several kinds need. */
export interface FaultContext {
  readonly world: World;
  readonly oracles: Oracles;
  readonly operator: Operator;
  readonly loads: readonly Load[];
}

export interface FaultKind {
  readonly name: string;
  /** How far apart on average when it is turned on, over the whole cluster. */
  readonly everyMs: number;
  readonly strike: (context: FaultContext, chance: Chance) => void;
}

export const SECOND = 1_000;

/** From when on a program answers that hangs; unlike a broken one, it may answer again. */
export const SILENT = Number.MAX_SAFE_INTEGER;

export const some = ({ world }: FaultContext, chance: Chance): Machine => chance.pick(world.machines);

/** Until it is over, or all faults are. */
export function last({ world }: FaultContext, chance: Chance, fromMs: number, toMs: number, end: () => void): void {
  world.scheduler.after(chance.whole(fromMs, toMs), 'end of a fault', end);
}

export function daemonFault(
  name: string,
  everyMs: number,
  act: (machine: Machine, context: FaultContext, chance: Chance) => void,
): FaultKind {
  return {
    name,
    everyMs,
    strike(context, chance) {
      const machine = some(context, chance);
      if (machine.process !== null) act(machine, context, chance);
    },
  };
}
