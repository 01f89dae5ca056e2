import { type LogLevel, ReactorError, type StateStore } from '@reactor/core';
import type { StateIdentity } from './identity.js';

export interface StateOptions {
  /** Where the embedded state is kept. */
  readonly directory: string;
  /** What the daemon last knew of its state; contents that are not it are refused with `state_foreign`. */
  readonly known?: StateIdentity;
  /** Told once per problem of a Redis state. */
  readonly onProblem?: (error: ReactorError) => void;
  /** This host's copy of a Redis state; without it such a state is taken as it is found. */
  readonly copy?: CopyOptions;
}

/** A copy of a shared state on this host's disk: the state is known by it after a restart and restored from it when it was lost. */
export interface CopyOptions {
  readonly directory: string;
  /** This host's name among those that offer their copies. */
  readonly owner: string;
  /** Forget the copy, so that whatever state is found is taken. */
  readonly forget?: boolean;
  /** Told what becomes of a lost state, a line for each step. */
  readonly tell: (level: LogLevel, message: string) => void;
}

/** Opens the state a URL names: `embedded`, or one of Redis. Throws `config_invalid`, `state_unavailable` or `state_foreign`. */
export async function openState(url: string, options: StateOptions): Promise<StateStore> {
  const { directory, ...others } = options;
  // Loaded when used: each driver is a dozen megabytes that a daemon with the other one never needs.
  if (url === 'embedded') {
    const { openEmbedded } = await import('./embedded-store.js');
    return openEmbedded({ directory, ...(others.known === undefined ? {} : { known: others.known }) });
  }
  if (/^(rediss?|rediss?\+cluster|redis\+sentinel):/.test(url)) {
    const { openRedis } = await import('./open-redis.js');
    return openRedis({ url, ...others });
  }
  throw new ReactorError(
    'config_invalid',
    `the state URL ${JSON.stringify(url.replace(/\/\/.*@/, '//***@'))} is unknown; expected embedded, redis://, rediss://, redis+cluster://, rediss+cluster:// or redis+sentinel://`,
  );
}
