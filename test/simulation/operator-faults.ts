import type { Chance } from './chance.js';
import { newRate } from './endpoints.js';
import { type FaultContext, type FaultKind, SECOND, some } from './fault.js';

/** What people do meanwhile, and what users ask for. */

const endpointOf = ({ loads }: FaultContext, chance: Chance) => ({ endpoint: chance.pick(loads).name });

function command(name: string, everyMs: number, act: (context: FaultContext, chance: Chance) => Promise<boolean>): FaultKind {
  return { name, everyMs, strike: (context, chance) => void act(context, chance) };
}

export const OPERATORS: readonly FaultKind[] = [
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
