import { useState } from 'preact/hooks';
import { Outcome } from './configuration.js';
import { ask, asText } from './exchange.js';
import { useAnswer, useTask } from './page-state.js';

/** What the cluster gives to the daemon of a host over its own reactor.conf. */
export function ManagerConfiguration({ manager }: { manager: string }) {
  const place = `/managers/configs/${encodeURIComponent(manager)}`;
  const known = useAnswer<readonly string[]>('/managers/configs');
  const isSet = known.answer?.value.includes(manager) === true;
  const stored = useAnswer<string>(isSet ? `${place}?format=ini` : null);
  const [text, setText] = useState<string | null>(null);
  const [warnings, setWarnings] = useState<readonly string[] | null>(null);
  const task = useTask();
  const before = isSet ? (stored.answer?.value ?? '') : '';
  const shown = text ?? before;
  const reload = (): void => {
    setText(null);
    known.again();
    stored.again();
  };
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    setWarnings(null);
    const done = await task.run(async () => {
      if (shown.trim() === '') await ask('DELETE', place);
      else {
        const written = await ask<{ readonly warnings: readonly string[] }>('PUT', place, asText(shown));
        setWarnings(written.value.warnings);
      }
    });
    if (done) reload();
  };
  return (
    <section aria-labelledby="manager-configuration">
      <h2 id="manager-configuration">Configuration of its daemon</h2>
      <form class="ini" onSubmit={save}>
        <label for="manager-ini">
          What the cluster gives to it over its own reactor.conf: interval, slots, overcommit and labels count within seconds,
          other keys from its next start on. Empty: its own file alone.
        </label>
        <textarea
          id="manager-ini"
          rows={Math.max(5, shown.split('\n').length + 1)}
          spellcheck={false}
          placeholder={'[cloud:docker]\nslots = 200'}
          value={shown}
          onInput={(event) => setText(event.currentTarget.value)}
          aria-describedby="manager-outcome"
        />
        <Outcome id="manager-outcome" mistake={task.mistake} warnings={warnings} />
        <button type="submit" class="main" disabled={task.busy || shown === before}>
          Save
        </button>
      </form>
    </section>
  );
}
