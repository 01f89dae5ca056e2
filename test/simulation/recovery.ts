import type { StateView } from '@reactor/core';
import type { StoreDump } from '../../packages/testkit/src/fake-store.js';
import type { Process } from './machine.js';
import type { World } from './world.js';

/**
 * What a daemon does about a store that is not the one it knew, as packages/state/src/recovery.ts does it on Redis: it holds,
 * offers its copy when the store went back, and takes a store that went on without the writes it had seen after a while.
 */
const LOOK_EVERY_MS = 1_000;
const OFFERS_WAIT_MS = 5_000;
const SPLIT_HOLD_MS = 30_000;

export function recover(world: World, process: Process, exchanged: (before: StateView) => void): void {
  if (process.recovering) return;
  process.recovering = true;
  const { machine } = process;
  let since = { kind: '', revision: -1, atMs: 0 };
  const look = (): void => {
    const { guard } = process;
    if (guard === null) return;
    const there = machine.powered && machine.storeRequests && machine.storeAnswers && !world.weather.storeDown;
    if (there && !world.weather.storeForeign) {
      const kind = world.history.kindFor(guard.known);
      if (kind === null) {
        known();
        return;
      }
      const { revision } = world.store;
      if (kind !== since.kind || (kind === 'behind' && revision !== since.revision))
        since = { kind, revision, atMs: world.nowMs };
      const heldMs = world.nowMs - since.atMs;
      if (kind === 'split' && heldMs >= SPLIT_HOLD_MS) {
        world.cover('a state without known writes is taken in the end');
        known();
        return;
      }
      if (kind === 'behind' && heldMs >= OFFERS_WAIT_MS) goOn(world, exchanged);
    }
    process.after(LOOK_EVERY_MS, 'look at the store', look);
  };
  const known = (): void => {
    process.guard?.rebase(world.history.now());
    machine.known = world.history.now();
    process.recovering = false;
    world.write(process.name, `follows the store again at revision ${world.store.revision}`);
  };
  look();
}

/** The best copy of those who know of more becomes the state, or that goes on as it is. */
function goOn(world: World, exchanged: (before: StateView) => void): void {
  const offers = world.machines.flatMap(({ process }) => (process?.recovering && process.guard ? [process.guard.known] : []));
  const known = Math.max(...offers.map(({ revision }) => revision));
  // Copies are at most about a second behind.
  const copies = world.history.copies.filter(({ revision }) => revision <= known && revision > world.store.revision);
  const copy: StoreDump | null = copies[copies.length - 1 - world.chance.whole(0, 4)] ?? null;
  world.write('store', copy === null ? 'goes on as it is' : `goes on as the copy of revision ${copy.revision} had it`);
  world.cover(copy === null ? 'a store goes on without its last writes' : 'a copy of the store is restored');
  const before = world.store.view('');
  world.history.goOn(known, copy);
  exchanged(before);
}
