import { answerOf, type Guard, get, ifMatch, rangeQuery } from './call.js';
import type { Target } from './exchange.js';
import { type FollowOptions, followLog } from './follow.js';
import type { ConfigDocument, LogRange, LogRow, ManagerInfo, Written } from './wire.js';

/** Managers, 2013's word for the daemons: those alive, their logs, and what is given to them through the cluster. */
export interface ManagerCalls {
  managersActive(): Promise<readonly string[]>;
  manager(id: string): Promise<ManagerInfo | null>;
  managerLog(name: string, range?: LogRange): Promise<readonly LogRow[]>;
  /** As `follow`. */
  followManager(name: string, options?: FollowOptions): AsyncIterable<LogRow>;
  managerConfigs(): Promise<readonly string[]>;
  /** Fails with `not_found`. */
  managerConfig(name: string): Promise<ConfigDocument>;
  /** INI text; creates or replaces. */
  setManagerConfig(name: string, text: string, guard?: Guard): Promise<Written>;
  /** Fine when absent. */
  removeManagerConfig(name: string): Promise<void>;
}

export function managerCalls(target: Target): ManagerCalls {
  const below = (kind: 'active' | 'log' | 'configs', name: string): string =>
    `/v1.1/managers/${kind}/${encodeURIComponent(name)}`;
  return {
    managersActive: () => get(target, '/v1.1/managers/active'),
    manager: (id) => get(target, below('active', id)),
    managerLog: (name, range) => get(target, `${below('log', name)}${rangeQuery(range)}`),
    followManager: (name, options) => followLog(target, below('log', name), options ?? {}),
    managerConfigs: () => get(target, '/v1.1/managers/configs'),
    managerConfig: (name) => get(target, below('configs', name)),
    setManagerConfig: (name, text, guard) =>
      answerOf(target, {
        method: 'POST',
        path: below('configs', name),
        body: { type: 'application/x-ini', text },
        ...ifMatch(guard),
      }),
    removeManagerConfig: (name) => answerOf(target, { method: 'DELETE', path: below('configs', name) }),
  };
}
