import type { LiveDecision } from '@reactor/client';
import type { KeptDecision } from '@reactor/core';
import { useEffect, useRef, useState } from 'preact/hooks';
import { DecisionChain } from './decision-chain.js';
import { endpointPath } from './exchange.js';
import { moment } from './figures.js';
import { useAnswer } from './page-state.js';

/** The decisions that changed something, newest first; one of them at a time in full. */

const SHOWN = 200;

interface Row extends Omit<KeptDecision, 'seq' | 'endpoint' | 'moreSteps'> {
  /** Null is the last one, whether it changed something or not. */
  readonly seq: number | null;
}

/** `newestEvent` is another one whenever something has happened. */
export function Decisions(props: { name: string; newest: LiveDecision | null; newestEvent: number }) {
  const { name, newest, newestEvent } = props;
  const { answer, mistake, again } = useAnswer<{ readonly decisions: readonly KeptDecision[] }>(
    endpointPath(name, `/decisions?limit=${SHOWN}`),
  );
  const [chosen, setChosen] = useState<number | null>(null);
  const chain = useRef<HTMLElement>(null);
  const choose = (seq: number | null): void => {
    setChosen(seq);
    // On a phone it lies below the list.
    chain.current?.scrollIntoView({ block: 'nearest' });
  };
  // Something happened, so there may be another decision.
  useEffect(again, [newestEvent]);
  const rows: readonly Row[] = [...(newest === null ? [] : [lastRow(newest)]), ...(answer?.value.decisions ?? [])];
  const shown = rows.find(({ seq }) => seq === chosen) ?? rows[0];
  if (shown === undefined) return <p class="empty">{mistake ?? 'No decision yet.'}</p>;
  return (
    <div class="decisions">
      <section aria-labelledby="history">
        <h2 id="history">Decisions</h2>
        <ol class="history">
          {rows.map((row) => (
            <li key={row.seq}>
              <button type="button" aria-pressed={row === shown} onClick={() => choose(row.seq)}>
                <time dateTime={new Date(row.atMs).toISOString()}>{row.seq === null ? 'now' : moment(row.atMs, Date.now())}</time>
                <b>
                  {row.instances} → {row.target}
                </b>
                <span>{row.sentence}</span>
              </button>
            </li>
          ))}
        </ol>
      </section>
      <section aria-labelledby="chain" class="chain" ref={chain}>
        <h2 id="chain">{shown.seq === null ? 'In force now' : moment(shown.atMs, Date.now())}</h2>
        <p class="verdict">{shown.sentence}</p>
        {shown.reproduced === false && <p class="trouble">Decided again on the same inputs, this version decides otherwise.</p>}
        {shown.report === null ? (
          <p class="quiet">What it was decided on was too long to be kept.</p>
        ) : (
          <DecisionChain decision={shown.report} />
        )}
      </section>
    </div>
  );
}

function lastRow(decision: LiveDecision): Row {
  const { sentence, instances, target } = decision.record;
  return { seq: null, atMs: decision.atMs, sentence, instances, target, report: decision, reproduced: null };
}
