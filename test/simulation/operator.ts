import { ReactorError } from '@reactor/core';
import type { ApiContext } from '../../packages/api/src/context.js';
import { momentReader } from '../../packages/api/src/context.js';
import type { Method, RouteRequest } from '../../packages/api/src/route.js';
import { PATHS } from '../../packages/api/src/route-table.js';
import { createClaimChecker } from '../../packages/api/src/url-claim.js';
import type { Process } from './machine.js';
import type { Oracles } from './oracles.js';
import { openStoreLink } from './store-link.js';
import type { World } from './world.js';

/** What operators do, through the handlers of the API of some daemon; only the HTTP around them is left out. */
export interface Operator {
  /** Asks the daemon of a machine that has one; a refusal is an answer, not a failure. */
  ask(method: Method, path: string, params: Readonly<Record<string, string>>, body?: object | string): Promise<boolean>;
}

export function createOperator(world: World, oracles: Oracles): Operator {
  const ask: Operator['ask'] = async (method, path, params, body) => {
    const processes = world.machines.flatMap(({ process, powered }) => (process !== null && powered ? [process] : []));
    if (processes.length === 0) return false;
    const process = world.chance.pick(processes);
    const route = PATHS.get(`/v1.1${path}`)?.get(method);
    if (route === undefined) throw new Error(`the API has no ${method} ${path}`);
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
    world.write('operator', `${method} ${path} ${Object.values(params).join(' ')} ${typeof body === 'object' ? text : ''}`);
    try {
      await route.answer(
        {
          params,
          query: new Map(),
          body: { bytes: Buffer.from(text), type: typeof body === 'string' ? 'text/plain' : 'application/json' },
          ifMatch: null,
          keyHeaders: {},
          caller: null,
          browser: NO_BROWSER,
          signal: process.ended.signal,
        },
        contextOf(world, process, oracles),
      );
      return true;
    } catch (error) {
      if (!(error instanceof ReactorError))
        world.violate('no handler meets a bug', error instanceof Error ? `${error.stack}` : String(error));
      else world.cover(`the API refuses: ${error.code}`);
      return false;
    }
  };
  return { ask };
}

/** Operators of the simulation use the command. */
const NO_BROWSER: RouteRequest['browser'] = {
  logIn: async () => null,
  logOut: () => '',
  standing: async () => ({ keyNeeded: false, loggedIn: false }),
};

function contextOf(world: World, process: Process, oracles: Oracles): ApiContext {
  const store = openStoreLink(world, process, oracles, 'api');
  const nothing = () => undefined;
  return {
    store,
    now: process.clock.now,
    newId: () => world.newId(),
    version: 'simulated',
    host: process.machine.id,
    health: () => ({ ok: true, problems: [] }),
    log: nothing,
    telemetry: { meter: { add: nothing, set: nothing, observe: nothing } } as unknown as ApiContext['telemetry'],
    moment: momentReader(store),
    engine: null,
    claims: createClaimChecker(() => null),
    history: null,
    keyNeeded: () => null,
    follow: () => null,
    live: { follow: async function* () {} },
  };
}
