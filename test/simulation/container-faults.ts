import type { Chance } from './chance.js';
import { daemonFault, type FaultContext, type FaultKind, last, SECOND, SILENT } from './fault.js';
import { FOREIGN } from './oracles.js';

/** What goes wrong with containers and with Docker. */

function containerOf({ world }: FaultContext, chance: Chance) {
  const machine = chance.pick(world.machines);
  const running = machine.engine.containers().filter(({ status, hash }) => status === 'running' && hash !== FOREIGN);
  return running.length === 0 ? null : { machine, container: chance.pick(running) };
}

export const CONTAINER_FAULTS: readonly FaultKind[] = [
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
      context.oracles.vanished(found.machine, found.container.id);
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
