import type { LiveCluster, LiveHostRow } from '@reactor/client';
import { clockTime } from './figures.js';
import type { LiveState } from './stream.js';

/** What an operator has to know before believing anything else on the page. Read out when it appears. */
export function StateBanner(props: {
  connection: LiveState['connection'];
  heardMs: number | null;
  cluster: LiveCluster | null;
  hosts: readonly LiveHostRow[];
}) {
  const { cluster } = props;
  const old = oldWords(props);
  // Without the seconds, which would be read out again and again.
  const lost = props.hosts.filter(({ state }) => state === 'lost').map(({ id }) => `Host ${id} is lost: nothing is heard of it.`);
  const alarms = [...(cluster?.alarms ?? []), ...lost];
  return (
    <>
      <div role="alert" class="banners">
        {old !== null && <p class="banner is-bad">{old}</p>}
      </div>
      <div role="status" class="banners">
        {alarms.map((alarm) => (
          <p class="banner is-warning" key={alarm}>
            {alarm}
          </p>
        ))}
      </div>
    </>
  );
}

function oldWords({ connection, heardMs, cluster }: Parameters<typeof StateBanner>[0]): string | null {
  if (connection === 'silent') {
    const since = heardMs === null ? '' : ` since ${clockTime(heardMs)}`;
    return `The daemon has not been heard${since}. What is shown is from then; asking again.`;
  }
  const staleMs = cluster?.staleSinceMs ?? null;
  if (staleMs !== null) {
    return `The cluster state is out of reach. What is shown is as of ${clockTime(staleMs)}; traffic goes on, changes have to wait.`;
  }
  return cluster?.problem ? `Nothing is known of the cluster now: ${cluster.problem}` : null;
}
