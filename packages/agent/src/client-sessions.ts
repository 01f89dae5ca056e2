import {
  type Clock,
  type Cluster,
  KEYS,
  type LoadBalancer,
  type LogLevel,
  publishedSessions,
  type StateStore,
} from '@reactor/core';

/**
 * The sessions of this host's load balancers: published so that any daemon can list them, and ended when somebody wishes
 * so. A wish is carried out once and struck out; it says whom it means by address and port, which a later client may have
 * as well, so one that comes late is struck out alone.
 */
export interface ClientSessionsOptions {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly host: string;
  readonly balancer: LoadBalancer;
  readonly tell: (endpoint: string, level: LogLevel, event: string, message: string) => void;
}

export interface ClientSessions {
  publish(): Promise<void>;
  obey(cluster: Cluster): Promise<void>;
}

const PUBLISH_EVERY_MS = 1_000;
/** What a daemon that ended has published is soon nobody's word any more. */
const TTL_MS = 10_000;
const WISH_LIMIT_MS = 30_000;

export function createClientSessions({ store, clock, host, balancer, tell }: ClientSessionsOptions): ClientSessions {
  let published = { atMs: Number.NEGATIVE_INFINITY, any: false };

  const publish = async (): Promise<void> => {
    if (balancer.sessions === undefined || clock.monotonic() - published.atMs < PUBLISH_EVERY_MS) return;
    const sessions = await balancer.sessions.list();
    const any = sessions.length > 0;
    // That there are none is said once; after that it is what silence means.
    if (any || published.any) await store.publish(publishedSessions(host, sessions, clock.now()), TTL_MS);
    published = { atMs: clock.monotonic(), any };
  };

  const obey = async (cluster: Cluster): Promise<void> => {
    for (const { value: wish, revision } of cluster.kills.values()) {
      if (wish.host !== host) continue;
      const late = clock.now() - wish.atMs > WISH_LIMIT_MS;
      const done = !late && ((await balancer.sessions?.kill(wish.endpoint, wish.client)) ?? false);
      if (done) tell(wish.endpoint, 'info', 'SESSION_KILLED', `session of ${wish.client} on ${host} was ended by the operator`);
      else tell(wish.endpoint, 'warning', 'DROP_SESSION_ERROR', `session of ${wish.client} on ${host} was gone already`);
      const key = KEYS.kill(host, wish.id);
      await store.commit({ expect: [{ key, revision }], write: [{ key, value: null }] });
    }
  };
  return { publish, obey };
}
