import { KEYS } from '@reactor/core';
import type { StoreDump } from '../../packages/testkit/src/fake-store.js';
import type { Chance } from './chance.js';
import { type FaultContext, type FaultKind, last, SECOND } from './fault.js';

/** What goes wrong with the store that all share. */

/** In revisions. */
const LEAST_AGE = 30;
const LOOK_MS = 250;

export const STORE_FAULTS: readonly FaultKind[] = [
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
    name: 'store fails over',
    everyMs: 60 * SECOND,
    /** A replica takes over that lacks the newest writes; of all moments for that the worst is soon after a term was taken. */
    strike(context, chance) {
      if (!chance.happens(0.7)) failOver(context, chance);
      else onceTermIsNew(context, () => last(context, chance, 200, 4 * SECOND, () => failOver(context, chance)));
    },
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

const termOf = (moment: StoreDump | undefined): number | undefined => moment?.values.get(KEYS.epoch)?.entry.revision;

function onceTermIsNew({ world }: FaultContext, act: () => void): void {
  const before = termOf(world.store.dump());
  const look = (): void => {
    if (world.weather.calm) return;
    if (termOf(world.store.dump()) === before) world.scheduler.after(LOOK_MS, 'look for a term', look);
    else act();
  };
  look();
}

function failOver({ world, oracles, ...context }: FaultContext, chance: Chance): void {
  const { history, weather, store } = world;
  if (weather.storeDown || weather.storeForeign || weather.calm) return;
  world.write('store', 'is down');
  weather.storeDown = true;
  last({ world, oracles, ...context }, chance, 200, 3 * SECOND, () => {
    weather.storeDown = false;
    if (weather.storeForeign || weather.calm) return;
    const { moments } = history;
    const terms = moments.filter(
      (_, index) => index + 1 < moments.length && termOf(moments[index + 1]) !== termOf(moments[index]),
    );
    const to = terms.at(-1) ?? moments.at(-chance.whole(1, Math.min(8, moments.length)));
    if (to === undefined || to.revision >= store.revision) return;
    const before = store.view('');
    world.write('store', `fails over and is at revision ${to.revision} again, it was at ${store.revision}`);
    history.fallBack(to, chance.happens(0.4));
    world.cover('a failover loses writes');
    oracles.storeFellBack(before);
  });
}
