import { changedManagerKeys, type DaemonConfig } from '@reactor/config';
import {
  type Clock,
  type ConfigDocument,
  createClusterReader,
  describeError,
  KEYS,
  LOGS,
  type LogLevel,
  type StateStore,
} from '@reactor/core';

/** The configuration that the cluster gives to this daemon, over what its file says, and over both the environment. */
export interface PushedConfig {
  /** As of now: what can change while the daemon runs does. */
  current(): DaemonConfig;
  close(): Promise<void>;
}

const NOTHING: ConfigDocument = {};
const RETRY_MS = 1_000;

export async function openPushed(options: {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly manager: string;
  readonly resolve: (pushed: ConfigDocument) => DaemonConfig;
  readonly log: (level: LogLevel, message: string) => void;
  readonly changed: () => void;
}): Promise<PushedConfig> {
  const { store, clock, manager, resolve, log } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const group = createClusterReader();
  // What cannot be read changes nothing.
  const readPushed = async (): Promise<ConfigDocument> =>
    group(await store.read(KEYS.managerConfig(manager))).managerConfigs.get(manager)?.value.document ?? NOTHING;
  let known = await readPushed();
  let config = resolve(known);

  const tell = async (level: LogLevel, message: string): Promise<void> => {
    log(level, message);
    await store.append(LOGS.manager(manager), [{ atMs: clock.now(), level, event: 'CONFIG_UPDATED', message }]);
  };

  const look = async (): Promise<void> => {
    const pushed = await readPushed();
    const { atOnce, atStart } = changedManagerKeys(known, pushed);
    if (atOnce.length + atStart.length === 0) return;
    try {
      config = resolve(pushed);
    } catch (error) {
      known = pushed;
      await tell('error', `the configuration given to ${manager} cannot be used: ${describeError(error)}`);
      return;
    }
    known = pushed;
    options.changed();
    if (atOnce.length > 0) await tell('info', `taken up: ${atOnce.join(', ')}`);
    if (atStart.length > 0) await tell('warning', `in force after a restart: ${atStart.join(', ')}`);
  };

  const follow = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        // The revision first, so that what is written between the two reads is a change that is heard of.
        const { revision } = await store.read(KEYS.managerConfig(manager));
        await look();
        for await (const _event of store.watch(KEYS.managerConfig(manager), revision, signal)) await look();
      } catch {
        // The loops say that the state is away; here it is enough to try again.
        await clock.sleep(RETRY_MS, signal);
      }
    }
  };
  const done = follow();
  return {
    current: () => config,
    close: () => {
      stopping.abort();
      return done;
    },
  };
}
