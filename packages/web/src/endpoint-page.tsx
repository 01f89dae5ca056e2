import { useEffect } from 'preact/hooks';
import { decisionOf, instancesOf, logOf, statusOf } from './board.js';
import { Charts } from './charts.js';
import { Configuration } from './configuration.js';
import { Decisions } from './decisions.js';
import { EndpointActions } from './endpoint-actions.js';
import { moment } from './figures.js';
import { InstanceTable } from './instance-table.js';
import { LogList } from './log-list.js';
import { ENDPOINT_TABS, type EndpointTab, hashOf } from './page-route.js';
import { StateBadge } from './state-badge.js';
import type { LiveState } from './stream.js';

const TAB_WORDS: Readonly<Record<EndpointTab, string>> = {
  live: 'Live',
  decisions: 'Decisions',
  configuration: 'Configuration',
  log: 'Log',
};

export function EndpointPage({ name, tab, live }: { name: string; tab: EndpointTab; live: LiveState }) {
  useEffect(() => {
    document.title = `${name} · Reactor`;
  }, [name]);
  const board = live.endpoint;
  const status = statusOf(board);
  if (status?.missing) {
    return (
      <>
        <h1>{name}</h1>
        <p class="empty">
          There is no endpoint of this name. <a href="#/">Back to the overview</a>
        </p>
      </>
    );
  }
  const decision = decisionOf(board);
  return (
    <>
      <div class="head">
        <div>
          <h1>
            {name} {status !== null && <StateBadge state={status.state} />}
          </h1>
          <p class="quiet">{status?.url ?? ''}</p>
        </div>
        {status !== null && <EndpointActions name={name} status={status} />}
      </div>
      {status !== null && (
        <p class="verdict">
          {decision?.record.sentence ?? 'No decision yet.'}
          {status.hold !== null && (
            <span class="badge is-warning">
              held at {status.hold.count}
              {status.hold.untilMs === null ? '' : ` until ${moment(status.hold.untilMs, Date.now())}`}
            </span>
          )}
        </p>
      )}
      {status?.shadow != null && (
        <p class="quiet">
          The candidate in shadow_rules would want {status.shadow.target}: {decision?.shadow?.sentence}
        </p>
      )}
      {status !== null && status.scaling === null && (
        <p class="mistake">Its stored configuration cannot be used by this version: nothing is done about it.</p>
      )}
      {Object.entries(status?.setAside ?? {}).map(([host, why]) => (
        <p class="mistake" key={host}>
          {host} does not serve it: {why}
        </p>
      ))}
      <nav class="tabs" aria-label={`Parts of ${name}`}>
        {ENDPOINT_TABS.map((each) => (
          <a key={each} href={hashOf({ page: 'endpoint', name, tab: each })} aria-current={each === tab ? 'page' : undefined}>
            {TAB_WORDS[each]}
          </a>
        ))}
      </nav>
      {tab === 'live' && (
        <>
          <Charts name={name} live={live} scaling={status?.scaling ?? null} />
          <InstanceTable instances={instancesOf(board)} />
        </>
      )}
      {tab === 'decisions' && <Decisions name={name} newest={decision} newestEvent={logOf(board)[0]?.seq ?? 0} />}
      {tab === 'configuration' && <Configuration name={name} />}
      {tab === 'log' && <LogList entries={logOf(board)} />}
    </>
  );
}
