import { type DecisionReport, type Explanation, explainDecision, type RangeRecord, shownQuantity } from '@reactor/core';
import { span } from './figures.js';

/** One decision from what was measured to what was done, a step after the other; `reactor explain` tells the same. */
export function DecisionChain({ decision }: { decision: DecisionReport }) {
  const { record, steps, placement, shadow } = decision;
  const explanation = explainDecision(record);
  const { whyNotMore, whyNotFewer, nearest } = explanation;
  return (
    <ol>
      <li>
        <h3>Measured over {span(record.scaling.windowMs)}</h3>
        <Measured record={record} />
      </li>
      <li>
        <h3>Rules</h3>
        <RuleTable rules={explanation.rules} />
      </li>
      <li>
        <h3>Limits</h3>
        <LimitTable record={record} limits={explanation.limits} />
      </li>
      <li>
        <h3>Why not</h3>
        <dl>
          <dt>more</dt>
          <dd>{whyNotMore}</dd>
          <dt>fewer</dt>
          <dd>{whyNotFewer}</dd>
        </dl>
      </li>
      {nearest.length > 0 && (
        <li>
          <h3>It would be</h3>
          <Lines lines={nearest.map(({ text }) => text)} />
        </li>
      )}
      {shadow !== undefined && (
        <li>
          <h3>The candidate in shadow_rules</h3>
          <p>{shadow.sentence}</p>
        </li>
      )}
      {placement != null && (
        <li>
          <h3>Place of the newest start</h3>
          <p>{placement.reason}</p>
          <Lines lines={placement.hosts.map(({ host, verdict, reason }) => `${host} ${verdict}: ${reason}`)} />
        </li>
      )}
      <li>
        <h3>Steps</h3>
        <Lines lines={steps.length === 0 ? ['none'] : steps.map(stepWords)} />
      </li>
    </ol>
  );
}

type DecisionRecord = DecisionReport['record'];

function Measured({ record }: { record: DecisionRecord }) {
  const { metrics, dropped = {} } = record.inputs.stable;
  const readings = Object.entries(metrics).sort(([a], [b]) => (a < b ? -1 : 1));
  if (readings.length === 0) return <p>Nothing: no source has reported.</p>;
  return (
    <table>
      <Head columns={['Metric', 'Value', 'Age', 'Told by']} />
      <tbody>
        {readings.map(([name, { kind, value, ageMs, sources }]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td class="number">
              {shownQuantity(name, value)}
              {kind === 'total' ? ' in all' : ''}
            </td>
            <td class="number">{span(ageMs)}</td>
            <td class="number">{`${sources.reported} of ${sources.expected}`}</td>
          </tr>
        ))}
        {Object.entries(dropped).map(([name, why]) => (
          <tr key={name} class="counts">
            <th scope="row">{name}</th>
            <td colSpan={3}>does not count: {why}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function RuleTable({ rules }: { rules: Explanation['rules'] }) {
  if (rules.length === 0) return <p>None: the count stays within its bounds.</p>;
  return (
    <table>
      <Head columns={['Rule', 'Reading', 'Each now', 'Allows']} />
      <tbody>
        {rules.map(({ text, metric, value, each, range, window }) => (
          <tr key={`${window} ${text}`}>
            <th scope="row">
              <code>{text}</code>
              {window === 'burst' && <span class="quiet"> in the last two seconds</span>}
            </th>
            <td class="number">{value === null ? 'no data' : shownQuantity(metric, value)}</td>
            <td class="number">{each === null ? '' : shownQuantity(metric, each)}</td>
            <td class="number">{range === null ? 'skipped' : rangeWords(range)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Each in turn with what it was given and what it left; those that changed something stand out. */
function LimitTable({ record, limits }: { record: DecisionRecord; limits: Explanation['limits'] }) {
  const { scaling, instances, state } = record;
  const names: Readonly<Record<Explanation['limits'][number]['limit'], string>> = {
    rules: 'all rules together',
    bounds: `min_instances ${scaling.minInstances}, max_instances ${scaling.maxInstances}`,
    state: state.toLowerCase(),
    hold: 'held by the operator',
    picked: `picked, with ${instances} now`,
    burst: 'the last two seconds',
    delay: `scale_down_delay ${span(scaling.scaleDownDelayMs)}`,
    ramp: `ramp_limit ${scaling.rampLimit} a round`,
    missing: 'missing data takes nothing away',
  };
  return (
    <table>
      <Head columns={['Limit', 'Before', 'After']} />
      <tbody>
        {limits.map(({ limit, before, after }) => {
          const [was, is] = [before === null ? 'any' : rangeWords(before), rangeWords(after)];
          return (
            <tr key={limit} class={before === null || was === is ? '' : 'counts'}>
              <th scope="row">{names[limit]}</th>
              <td class="number">{was}</td>
              <td class="number">{is}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Head({ columns }: { columns: readonly string[] }) {
  return (
    <thead>
      <tr>
        {columns.map((column, index) => (
          <th key={column} scope="col" class={index === 0 ? '' : 'number'}>
            {column}
          </th>
        ))}
      </tr>
    </thead>
  );
}

function Lines({ lines }: { lines: readonly string[] }) {
  return (
    <ul>
      {lines.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}

const rangeWords = ([lo, hi]: RangeRecord): string =>
  hi === null ? (lo === 0 ? 'any' : `${lo} or more`) : lo === hi ? `${lo}` : `${lo} to ${hi}`;

function stepWords(step: DecisionReport['steps'][number]): string {
  const where = 'host' in step ? ` on ${step.host}` : '';
  const why = 'why' in step ? `: ${step.why}` : 'on' in step ? ` for ${step.on}` : '';
  return `${step.kind} ${step.instance ?? ''}${where}${why}`;
}
