import type { LiveDecision } from '@reactor/client';
import { useState } from 'preact/hooks';
import { DecisionChain } from './decision-chain.js';
import { endpointPath } from './exchange.js';
import { moment } from './figures.js';
import { useAnswer } from './page-state.js';

/** The decisions that changed something, newest first; one of them at a time in full. */

const SHOWN = 200;

export function Decisions({ name, newest }: { name: string; newest: LiveDecision | null }) {
  const path = endpointPath(name, `/decisions?limit=${SHOWN}`);
  const { answer, again } = useAnswer<{ readonly decisions: readonly LiveDecision[] }>(path);
  const [chosen, setChosen] = useState<number | null>(null);
  const stored = answer?.value.decisions ?? [];
  const now = Date.now();
  const isNew = newest !== null && !stored.some(({ atMs }) => atMs === newest.atMs);
  const all = isNew && newest !== null ? [newest, ...stored] : stored;
  const shown = all.find(({ atMs }) => atMs === chosen) ?? all[0];
  if (shown === undefined) return <p class="empty">No decision yet.</p>;
  return (
    <div class="decisions">
      <section aria-labelledby="history">
        <div class="head">
          <h2 id="history">Decisions</h2>
          <button type="button" class="plain" onClick={again}>
            Refresh
          </button>
        </div>
        <ol class="history">
          {all.map((decision) => (
            <li key={decision.atMs}>
              <button
                type="button"
                aria-pressed={decision === shown}
                onClick={() => setChosen(decision === newest ? null : decision.atMs)}
              >
                <time dateTime={new Date(decision.atMs).toISOString()}>
                  {decision === newest ? 'now' : moment(decision.atMs, now)}
                </time>
                <b>
                  {decision.record.instances} → {decision.record.target}
                </b>
                <span>{decision.record.sentence}</span>
              </button>
            </li>
          ))}
        </ol>
      </section>
      <DecisionChain decision={shown} />
    </div>
  );
}
