import type { LiveEndpointRow, LiveHostRow } from '@reactor/client';
import { useEffect } from 'preact/hooks';
import { endpointsOf, hostsOf } from './board.js';
import { bytes, rate, span } from './figures.js';
import { recordedRates } from './history.js';
import { hashOf } from './page-route.js';
import { useNow } from './page-state.js';
import { SlotBar } from './slot-bar.js';
import { Sparkline } from './sparkline.js';
import { StateBadge } from './state-badge.js';
import type { LiveState, Stream } from './stream.js';

/** Everything at once: what is served, how much of it, and what carries it. */
export function Overview({ live, stream }: { live: LiveState; stream: Stream }) {
  useEffect(() => {
    document.title = 'Overview · Reactor';
  }, []);
  const endpoints = endpointsOf(live.overview);
  const hosts = hostsOf(live.overview);
  usePastRates(stream, endpoints);
  return (
    <>
      <h1 class="hidden">Overview</h1>
      <section aria-labelledby="endpoints">
        <div class="head">
          <h2 id="endpoints">Endpoints</h2>
          <a class="button" href={hashOf({ page: 'new' })}>
            New endpoint
          </a>
        </div>
        {endpoints.length === 0 && live.overview.size > 0 && <p class="empty">There is none yet.</p>}
        {endpoints.length > 0 && (
          <table class="endpoints">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">State</th>
                <th scope="col" class="number">
                  Ready / wanted
                </th>
                <th scope="col" class="number">
                  Requests
                </th>
                <th scope="col" aria-label="Requests over the last minutes" />
                <th scope="col">Last decision</th>
              </tr>
            </thead>
            <tbody>
              {endpoints.map((row) => (
                <EndpointRow key={row.name} row={row} rates={live.rates.get(row.name) ?? []} />
              ))}
            </tbody>
          </table>
        )}
      </section>
      <section aria-labelledby="hosts">
        <div class="head">
          <h2 id="hosts">Hosts</h2>
        </div>
        <ul class="hosts">
          {hosts.map((host) => (
            <HostCard key={host.id} host={host} />
          ))}
        </ul>
      </section>
    </>
  );
}

/** Of more nobody sees the lines without scrolling, and they fill by themselves. */
const REMEMBERED_MAX = 30;

function usePastRates(stream: Stream, endpoints: readonly LiveEndpointRow[]): void {
  useEffect(() => {
    for (const { name } of endpoints.slice(0, REMEMBERED_MAX)) stream.remember(name, () => recordedRates(name));
  }, [stream, endpoints]);
}

function EndpointRow({ row, rates }: { row: LiveEndpointRow; rates: readonly number[] }) {
  return (
    <tr>
      <th scope="row">
        <a href={hashOf({ page: 'endpoint', name: row.name, tab: 'live' })}>{row.name}</a>
        <span class="quiet below">{row.url ?? 'no url'}</span>
      </th>
      <td>
        <StateBadge state={row.state} />
      </td>
      <td class="number count">
        <b class={row.state === 'RUNNING' && row.ready < (row.target ?? 0) ? 'trouble' : ''}>{row.ready}</b>
        <span class="quiet"> / {row.target ?? '–'}</span>
        {row.draining > 0 && <span class="quiet below">{row.draining} draining</span>}
      </td>
      <td class="number">{rate(row.rate)}</td>
      <td class="spark">{row.rate !== null && <Sparkline values={rates} />}</td>
      <td class="sentence">
        {row.sentence ?? 'No decision yet.'}
        {row.trouble !== null && <span class="trouble below">{row.trouble}</span>}
      </td>
    </tr>
  );
}

function HostCard({ host }: { host: LiveHostRow }) {
  const now = useNow(5_000);
  // Of one that is away nobody knows what it has, only what was given to it.
  const isAway = host.state === 'lost' || host.state === 'removing';
  return (
    <li>
      <p class="host-head">
        <a href={hashOf({ page: 'host', id: host.id })}>{host.id}</a>
        <StateBadge state={host.state} />
        {host.leader && <span class="badge is-active">leader</span>}
      </p>
      {isAway ? null : <SlotBar used={host.usedSlots} slots={host.slots} />}
      <p class="host-foot quiet">
        <span>{isAway ? `${host.usedSlots} slots taken` : `${host.usedSlots} / ${host.slots} slots`}</span>
        <span>
          {host.instances} {host.instances === 1 ? 'instance' : 'instances'}
        </span>
        {host.state === 'lost' ? (
          <span class="trouble">silent{host.heartbeatMs === null ? '' : ` for ${span(now - host.heartbeatMs)}`}</span>
        ) : (
          <span>{`${host.cpus} cores, ${bytes(host.memoryBytes)}`}</span>
        )}
      </p>
      {host.dockerError !== null && <p class="trouble">Docker: {host.dockerError}</p>}
    </li>
  );
}
