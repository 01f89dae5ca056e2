import { useState } from 'preact/hooks';
import { ConfigurationForm } from './configuration-form.js';
import { ask, asText, endpointPath, wordsOf } from './exchange.js';
import { IniField } from './ini-field.js';
import { useAnswer, useTask } from './page-state.js';

/** An endpoint's configuration, key by key or as the text it is. */
export function Configuration({ name }: { name: string }) {
  const [asIni, setAsIni] = useState(false);
  return (
    <section aria-labelledby="configuration">
      <div class="head">
        <h2 id="configuration">Configuration</h2>
        <fieldset class="choice">
          <legend class="hidden">Shown as</legend>
          <label>
            <input type="radio" name="form" checked={!asIni} onChange={() => setAsIni(false)} />
            <span>Form</span>
          </label>
          <label>
            <input type="radio" name="form" checked={asIni} onChange={() => setAsIni(true)} />
            <span>INI</span>
          </label>
        </fieldset>
      </div>
      {asIni ? <IniText name={name} /> : <ConfigurationForm name={name} />}
    </section>
  );
}

function IniText({ name }: { name: string }) {
  const { answer, mistake, again } = useAnswer<string>(endpointPath(name, '?format=ini'));
  const [text, setText] = useState<string | null>(null);
  const [warnings, setWarnings] = useState<readonly string[] | null>(null);
  const task = useTask();
  if (answer === null) return <p class="mistake">{mistake ?? ''}</p>;
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    setWarnings(null);
    const done = await task.run(async () => {
      const written = await ask<{ readonly warnings: readonly string[] }>(
        'POST',
        endpointPath(name),
        asText(text ?? answer.value),
        answer.revision ?? undefined,
      );
      setWarnings(written.value.warnings);
    });
    if (done) again();
  };
  return (
    <form onSubmit={save} class="ini">
      <label for="ini" class="hidden">
        Configuration as INI
      </label>
      <IniField id="ini" endpoint={name} text={text ?? answer.value} onText={setText} outcome="ini-outcome" />
      <Outcome id="ini-outcome" mistake={task.mistake} warnings={warnings} />
      <button type="submit" class="main" disabled={task.busy || text === null || text === answer.value}>
        Save
      </button>
    </form>
  );
}

/** What came of saving. */
export function Outcome(props: { id: string; mistake: unknown; warnings: readonly string[] | null }) {
  const { id, mistake, warnings } = props;
  return (
    <div id={id} role="status">
      {mistake !== null && <p class="mistake">{wordsOf(mistake)}</p>}
      {warnings?.length === 0 && <p class="done">Saved.</p>}
      {warnings?.map((warning) => (
        <p class="trouble" key={warning}>
          Saved, but: {warning}
        </p>
      ))}
    </div>
  );
}
