import { type ContainerEngine, type ContainerSpec, ReactorError } from '@reactor/core';
import type { Process } from './machine.js';
import type { Oracles } from './oracles.js';
import type { World } from './world.js';

/** One daemon's connection to the Docker engine of its host: calls take time, hang, and may have happened although they failed. */

/** When the driver gives a call up. */
const DEADLINE_MS = 10_000;
/** A program that answers sooner or later. */
const SLOWEST_BOOT_MS = 1_500;

export function openEngineLink(world: World, process: Process, oracles: Oracles): ContainerEngine {
  const { chance, scheduler, weather } = world;
  const { machine } = process;
  const { engine } = machine;
  const silent = () => new ReactorError('docker_unavailable', 'Docker does not answer');

  const call = <T>(kind: string, takesMs: number, apply: () => Promise<T>, mutates = false): Promise<T> =>
    new Promise((resolve, reject) => {
      const fail = (afterMs: number): void => void process.after(afterMs, 'docker silent', () => reject(silent()));
      if (machine.engineHungUntilMs > world.nowMs) {
        world.cover('a call to Docker hangs');
        return fail(DEADLINE_MS);
      }
      const ambiguous = mutates && chance.happens(weather.ambiguityRate);
      if (ambiguous && kind === 'start' && chance.happens(0.4)) startHalf();
      scheduler.after(takesMs * machine.slowness, kind, () => {
        if (!machine.powered) return;
        if (machine.engineDownUntilMs > world.nowMs) return fail(REFUSED_MS);
        apply().then(
          (value) => {
            if (!ambiguous) return process.now(kind, () => resolve(value));
            world.cover(`the answer to a ${kind} is lost`);
            fail(chance.whole(1, 3_000));
          },
          (error) => process.now(kind, () => reject(error)),
        );
      });
    });

  /** What stops a start half way often keeps Docker from answering for a while, too. */
  const startHalf = (): void => {
    world.cover('a start stops half way');
    engine.startHalf();
    if (chance.happens(0.5)) machine.engineHungUntilMs = world.nowMs + chance.whole(1_000, 2 * DEADLINE_MS);
  };

  const start = async (spec: ContainerSpec) => {
    oracles.starting(process, spec);
    const before = new Set(
      engine
        .containers()
        .filter(({ status }) => status === 'running')
        .map(({ id }) => id),
    );
    const container = await engine.start(spec);
    if (!before.has(container.id)) {
      const broken = spec.container.image.startsWith('bad');
      machine.answersAtMs.set(container.id, broken ? Number.POSITIVE_INFINITY : world.nowMs + chance.whole(20, SLOWEST_BOOT_MS));
      oracles.started(machine, container);
    }
    return container;
  };
  const remove = async (id: string, graceMs: number) => {
    oracles.removing(process, id);
    await engine.remove(id, graceMs);
    oracles.removed(machine, id);
  };

  async function* events(signal: AbortSignal): AsyncGenerator<string | null> {
    const inner = new AbortController();
    const end = (): void => inner.abort();
    signal.addEventListener('abort', end, { once: true });
    process.ended.signal.addEventListener('abort', end, { once: true });
    for await (const id of engine.events(inner.signal)) {
      await new Promise<void>((resolve) => process.after(chance.whole(1, 10), 'docker event', resolve));
      if (signal.aborted) return;
      if (chance.happens(weather.eventLossRate)) continue;
      yield id;
      if (chance.happens(weather.eventLossRate)) yield id;
    }
  }

  return {
    facts: () => call('facts', 10, () => engine.facts()),
    list: () => call('list', chance.whole(3, 20), () => engine.list()),
    prepare: (image, progress, signal) => call('prepare', 5, () => engine.prepare(image, progress, signal)),
    start: (spec) => call('start', chance.whole(100, 600), () => start(spec), true),
    remove: (id, graceMs) => call('remove', chance.whole(20, graceMs), () => remove(id, graceMs), true),
    events,
    output: engine.output,
  };
}

const REFUSED_MS = 5;
