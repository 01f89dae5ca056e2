import type { LiveDecision } from '@reactor/client';
import { shownQuantity } from '@reactor/core';
import { moment, span } from './figures.js';

/** One decision from what was measured to what was done, a step after the other. */
export function DecisionChain({ decision }: { decision: LiveDecision }) {
  const { record, steps, placement } = decision;
  return (
    <section aria-labelledby="chain" class="chain">
      <h2 id="chain">{moment(decision.atMs, Date.now())}</h2>
      <p class="verdict">{record.sentence}</p>
      <ol>
        <li>
          <h3>Measured</h3>
          <Measured metrics={record.inputs.stable.metrics} />
        </li>
        <li>
          <h3>Rules</h3>
          <RuleTable rules={record.rules} />
          {record.burst !== null && <p>The last two seconds alone needed {record.burst.need}.</p>}
        </li>
        <li>
          <h3>Limits</h3>
          <Limits record={record} />
        </li>
        <li>
          <h3>Count</h3>
          <p>
            {record.instances} now, {record.target} wanted
            {record.step === 0
              ? ': nothing to do'
              : `: ${Math.abs(record.step)} ${record.step > 0 ? 'to start' : 'to retire'} in this round`}
            .
          </p>
          <ul>
            {record.reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        </li>
        {placement != null && (
          <li>
            <h3>Place</h3>
            <p>{placement.reason}</p>
            <ul>
              {placement.hosts.map(({ host, verdict, reason }) => (
                <li key={host}>
                  <b>{host}</b> {verdict}: {reason}
                </li>
              ))}
            </ul>
          </li>
        )}
        <li>
          <h3>Steps</h3>
          <Steps steps={steps} />
        </li>
      </ol>
    </section>
  );
}

type DecisionRecord = LiveDecision['record'];

function Measured({ metrics }: { metrics: DecisionRecord['inputs']['stable']['metrics'] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Metric</th>
          <th scope="col" class="number">
            Value
          </th>
          <th scope="col" class="number">
            Age
          </th>
          <th scope="col" class="number">
            Told by
          </th>
        </tr>
      </thead>
      <tbody>
        {Object.entries(metrics).map(([name, { value, ageMs, sources }]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td class="number">{shownQuantity(name, value)}</td>
            <td class="number">{span(ageMs)}</td>
            <td class="number">
              {sources.reported} of {sources.expected}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function RuleTable({ rules }: { rules: DecisionRecord['rules'] }) {
  if (rules.length === 0) return <p>There are none.</p>;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Rule</th>
          <th scope="col" class="number">
            Reading
          </th>
          <th scope="col" class="number">
            Allows
          </th>
        </tr>
      </thead>
      <tbody>
        {rules.map(({ text, metric, value, range }) => (
          <tr key={text}>
            <th scope="row">
              <code>{text}</code>
            </th>
            <td class="number">{value === null ? 'no data' : shownQuantity(metric, value)}</td>
            <td class="number">{range === null ? 'says nothing' : rangeWords(range)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const rangeWords = ([lo, hi]: readonly [number, number | null]): string =>
  hi === null ? `${lo} or more` : lo === hi ? `${lo}` : `${lo} to ${hi}`;

/** Each limit in turn, and whether it changed anything. */
function Limits({ record: { ranges, scaling, recommended, target } }: { record: DecisionRecord }) {
  const rows: readonly (readonly [string, string, boolean])[] = [
    ['all rules together', rangeWords(ranges.rules), false],
    [
      `min_instances ${scaling.minInstances}, max_instances ${scaling.maxInstances}`,
      rangeWords(ranges.bounds),
      rangeWords(ranges.bounds) !== rangeWords(ranges.rules),
    ],
    ['what the readings ask for', String(recommended), false],
    [`scale_down_delay ${span(scaling.scaleDownDelayMs)}`, String(ranges.delay), ranges.delay !== recommended],
    ['missing data takes nothing away', String(ranges.missing), ranges.missing !== ranges.delay],
    ['wanted', String(target), false],
  ];
  return (
    <table>
      <tbody>
        {rows.map(([what, count, counts]) => (
          <tr key={what} class={counts ? 'counts' : ''}>
            <th scope="row">{what}</th>
            <td class="number">{count}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Steps({ steps }: { steps: LiveDecision['steps'] }) {
  if (steps.length === 0) return <p>None.</p>;
  return (
    <ul>
      {steps.map((step) => (
        <li key={`${step.kind}/${step.instance}`}>
          <b>{step.kind}</b> {step.instance ?? ''} {'host' in step ? `on ${step.host}` : ''}
          {'why' in step ? `: ${step.why}` : ''}
          {'on' in step ? `for ${step.on}` : ''}
        </li>
      ))}
    </ul>
  );
}
