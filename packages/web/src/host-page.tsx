import type { LogRow } from '@reactor/client';
import { useEffect, useState } from 'preact/hooks';
import { hostsOf } from './board.js';
import { Dialog } from './dialog.js';
import { asJson, ask, wordsOf } from './exchange.js';
import { bytes, moment } from './figures.js';
import { ManagerConfiguration } from './manager-configuration.js';
import { useAnswer, useTask } from './page-state.js';
import { SlotBar } from './slot-bar.js';
import { StateBadge } from './state-badge.js';
import type { LiveState } from './stream.js';

/** A host: what it has, taking it out of service, and the configuration that the cluster gives to its daemon. */
export function HostPage({ id, live }: { id: string; live: LiveState }) {
  useEffect(() => {
    document.title = `${id} · Reactor`;
  }, [id]);
  const host = hostsOf(live.overview).find((each) => each.id === id);
  if (host === undefined) {
    return (
      <>
        <h1>{id}</h1>
        {live.overview.size > 0 && <p class="empty">There is no host of this name.</p>}
      </>
    );
  }
  const facts: readonly (readonly [string, string])[] = [
    ['Address', host.address || '–'],
    ['Cores used', `${host.usedCpus} of ${host.cpus}`],
    ['Memory promised', `${bytes(host.usedMemoryBytes)} of ${bytes(host.memoryBytes)}`],
    ['Instances', String(host.instances)],
    ['Docker', host.dockerError ?? host.dockerVersion ?? '–'],
    ['Reactor', host.version || '–'],
    ['Up since', host.startedAtMs === 0 ? '–' : moment(host.startedAtMs, Date.now())],
    [
      'Labels',
      Object.entries(host.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(', ') || 'none',
    ],
  ];
  return (
    <>
      <div class="head">
        <h1>
          {id} <StateBadge state={host.state} /> {host.leader && <span class="badge is-active">leader</span>}
        </h1>
        <HostActions id={id} state={host.state} />
      </div>
      <p class="host-slots">
        <SlotBar used={host.usedSlots} slots={host.slots} />
        <span class="quiet">
          {host.usedSlots} / {host.slots} slots
        </span>
      </p>
      <dl class="facts">
        {facts.map(([what, value]) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <ManagerConfiguration manager={id} />
      <ManagerLog manager={id} />
    </>
  );
}

function HostActions({ id, state }: { id: string; state: string }) {
  const [asks, setAsks] = useState(false);
  const [warnings, setWarnings] = useState<readonly string[]>([]);
  const task = useTask();
  const act = (action: 'drain' | 'activate') => async () => {
    setAsks(false);
    await task.run(async () => {
      const path = `/hosts/${encodeURIComponent(id)}/state`;
      setWarnings((await ask<{ readonly warnings: readonly string[] }>('POST', path, asJson({ action }))).value.warnings);
    });
  };
  return (
    <div class="actions">
      {state === 'draining' ? (
        <button type="button" class="main" onClick={act('activate')} disabled={task.busy}>
          Activate
        </button>
      ) : (
        <button type="button" onClick={() => setAsks(true)} disabled={task.busy || state !== 'ready'}>
          Drain …
        </button>
      )}
      <div role="status">
        {task.mistake !== null && <p class="mistake">{wordsOf(task.mistake)}</p>}
        {warnings.map((warning) => (
          <p class="trouble" key={warning}>
            {warning}
          </p>
        ))}
      </div>
      {asks && (
        <Dialog title={`Drain ${id}`} onClose={() => setAsks(false)}>
          <p>Its instances move to other hosts, each replaced before it goes, and nothing new is placed here.</p>
          <p class="actions">
            <button type="button" class="main" onClick={act('drain')}>
              Drain
            </button>
            <button type="button" onClick={() => setAsks(false)}>
              Cancel
            </button>
          </p>
        </Dialog>
      )}
    </div>
  );
}

function ManagerLog({ manager }: { manager: string }) {
  const { answer, again } = useAnswer<readonly LogRow[]>(`/managers/log/${encodeURIComponent(manager)}?limit=200`);
  const rows = [...(answer?.value ?? [])].reverse();
  return (
    <section aria-labelledby="manager-log">
      <div class="head">
        <h2 id="manager-log">Log of its daemon</h2>
        <button type="button" class="plain" onClick={again}>
          Refresh
        </button>
      </div>
      {rows.length === 0 ? (
        <p class="empty">Nothing happened yet.</p>
      ) : (
        <ol class="log">
          {rows.map(([seconds, severity, message, seq]) => (
            <li key={seq} class={`is-${severity.toLowerCase()}`}>
              <time dateTime={new Date(seconds * 1000).toISOString()}>{moment(seconds * 1000, Date.now())}</time>
              <span>
                {severity !== 'INFO' && <b class="level">{severity.toLowerCase()}: </b>}
                {message}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
