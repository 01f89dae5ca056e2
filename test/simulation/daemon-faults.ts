import { KEYS, type LeaderRecord } from '@reactor/core';
import { startDaemonProcess } from './daemon-process.js';
import { daemonFault, type FaultContext, type FaultKind, last, SECOND } from './fault.js';
import type { Machine } from './machine.js';

/** What goes wrong with a host, its daemon or its network. */

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

export const DAEMON_FAULTS: readonly FaultKind[] = [
  daemonFault('daemon crash', 40 * SECOND, (machine, context, chance) => {
    context.world.write(machine.id, 'daemon is killed');
    machine.process?.kill();
    last(context, chance, 200, 8 * SECOND, () => back(context, machine));
  }),
  {
    name: 'leader crash',
    everyMs: 60 * SECOND,
    strike(context, chance) {
      const leader = context.world.store.view('').entries.get(KEYS.leader)?.value as LeaderRecord | undefined;
      const machine = context.world.machines.find(({ id }) => id === leader?.host);
      if (machine?.process == null) return;
      context.world.write(machine.id, 'daemon is killed');
      machine.process.kill();
      last(context, chance, 200, 20 * SECOND, () => back(context, machine));
    },
  },
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
    machine.standStill(forMs);
  }),
  daemonFault('daemon hiccup', 45 * SECOND, (machine, { world }, chance) => {
    const forMs = chance.whole(1_500, 9_000);
    world.write(machine.id, `daemon pauses for ${forMs} ms`);
    machine.standStill(forMs);
  }),
  daemonFault('clock step', 50 * SECOND, (machine, { world }, chance) => {
    machine.setClock(machine.skewMs + chance.whole(-1, 1) * chance.pick([300, 2_000, 9_000, 30_000]));
    world.write(machine.id, `clock is off by ${machine.skewMs} ms`);
  }),
  daemonFault('clock drifts', 80 * SECOND, (machine, context, chance) => {
    const { world } = context;
    const byMs = chance.pick([-1_900, -1_500, 900]);
    let left = chance.whole(5, 20);
    world.write(machine.id, `clock is set by ${byMs} ms every 2 s, ${left} times`);
    const drift = (): void => {
      left -= 1;
      // Everything is repaired by now, or the machine was set right.
      if (left < 0 || world.weather.calm) return;
      machine.setClock(machine.skewMs + byMs);
      world.scheduler.after(2 * SECOND, 'drift', drift);
    };
    drift();
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

function networkFault(name: string, cut: (machine: Machine, cut: boolean) => void): FaultKind {
  return daemonFault(name, 60 * SECOND, (machine, context, chance) => {
    context.world.write(machine.id, `${name} begins`);
    cut(machine, true);
    last(context, chance, 500, 45 * SECOND, () => {
      context.world.write(machine.id, `${name} ends`);
      cut(machine, false);
    });
  });
}

export const NETWORK_FAULTS: readonly FaultKind[] = [
  {
    name: 'most hosts lost',
    everyMs: 120 * SECOND,
    strike(context, chance) {
      const spared = chance.pick(context.world.machines);
      const cut = context.world.machines.filter((machine) => machine !== spared && !machine.isolated);
      if (cut.length < context.world.machines.length - 1) return;
      context.world.write('network', `all but ${spared.id} are cut off`);
      const set = (away: boolean): void => {
        for (const machine of cut) {
          machine.storeRequests = !away;
          machine.storeAnswers = !away;
          machine.isolated = away;
        }
      };
      set(true);
      last(context, chance, 20 * SECOND, 70 * SECOND, () => set(false));
    },
  },
  daemonFault('traffic unheard', 60 * SECOND, (machine, { world }, chance) => {
    machine.mutedUntilMs = world.nowMs + chance.whole(10 * SECOND, 50 * SECOND);
    world.write(machine.id, `publishes nothing until ${machine.mutedUntilMs}`);
  }),
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
