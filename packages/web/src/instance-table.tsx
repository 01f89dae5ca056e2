import type { LiveInstance } from '@reactor/client';
import { span } from './figures.js';
import { hashOf } from './page-route.js';
import { useNow } from './page-state.js';
import { StateBadge } from './state-badge.js';

/** Every instance, by host. */
export function InstanceTable({ instances }: { instances: readonly LiveInstance[] }) {
  const now = useNow(1_000);
  const sorted = [...instances].sort((a, b) => (a.host === b.host ? a.createdAtMs - b.createdAtMs : a.host < b.host ? -1 : 1));
  return (
    <section aria-labelledby="instances">
      <div class="head">
        <h2 id="instances">Instances</h2>
      </div>
      {sorted.length === 0 ? (
        <p class="empty">None runs.</p>
      ) : (
        <table class="instances">
          <thead>
            <tr>
              <th scope="col">Host</th>
              <th scope="col">Instance</th>
              <th scope="col">State</th>
              <th scope="col" class="number">
                Open
              </th>
              <th scope="col" class="number">
                Age
              </th>
              <th scope="col">Address</th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((row, index) => (
              <tr key={row.id} class={row.host === sorted[index - 1]?.host ? 'same-host' : ''}>
                <td>
                  <a href={hashOf({ page: 'host', id: row.host })}>{row.host}</a>
                </td>
                <th scope="row">
                  <code>{row.id}</code>
                  {row.error !== null && <span class="trouble below">{row.error}</span>}
                </th>
                <td>
                  <StateBadge state={row.state} />
                </td>
                <td class="number">{row.active ?? '–'}</td>
                <td class="number">{span(now - row.createdAtMs)}</td>
                <td>
                  <code>{row.address ?? '–'}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
