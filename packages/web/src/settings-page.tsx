import { useEffect, useState } from 'preact/hooks';
import { asJson, ask, wordsOf } from './exchange.js';
import { useAnswer, useTask } from './page-state.js';

/** What belongs to the cluster as a whole: its key, and where people reach it. */
export function SettingsPage({ keyNeeded, onStanding }: { keyNeeded: boolean; onStanding: () => void }) {
  useEffect(() => {
    document.title = 'Settings · Reactor';
  }, []);
  return (
    <>
      <h1>Settings</h1>
      <KeyForm keyNeeded={keyNeeded} onStanding={onStanding} />
      <UrlForm />
    </>
  );
}

function KeyForm({ keyNeeded, onStanding }: { keyNeeded: boolean; onStanding: () => void }) {
  const [key, setKey] = useState('');
  const [again, setAgain] = useState('');
  const [done, setDone] = useState(false);
  const task = useTask();
  const differs = again !== '' && again !== key;
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setDone(false);
    const changed = await task.run(async () => {
      await ask('POST', '/auth_key', asJson({ auth_key: key }));
      // The login was for the former key.
      await ask('POST', '/login', asJson({ auth_key: key }));
    });
    if (!changed) return;
    setKey('');
    setAgain('');
    setDone(true);
    onStanding();
  };
  return (
    <section aria-labelledby="key-form">
      <h2 id="key-form">Key of the API</h2>
      <p class="quiet">
        {keyNeeded
          ? 'Whoever has it may change everything. A new one ends every other login, and the commands have to be told.'
          : 'None is set: whoever reaches this port on this machine may change everything.'}
      </p>
      <form class="narrow" onSubmit={submit}>
        <label for="new-key">New key</label>
        <input
          id="new-key"
          type="password"
          autocomplete="new-password"
          required
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
        <label for="new-key-again">The same again</label>
        <input
          id="new-key-again"
          type="password"
          autocomplete="new-password"
          required
          value={again}
          aria-invalid={differs}
          onInput={(event) => setAgain(event.currentTarget.value)}
        />
        <div role="status">
          {differs && <p class="mistake">The two are not the same.</p>}
          {task.mistake !== null && <p class="mistake">{wordsOf(task.mistake)}</p>}
          {done && <p class="done">The key is changed.</p>}
        </div>
        <button type="submit" class="main" disabled={task.busy || key === '' || again !== key}>
          {keyNeeded ? 'Change the key' : 'Set a key'}
        </button>
      </form>
    </section>
  );
}

function UrlForm() {
  const { answer } = useAnswer<{ readonly url: string | null }>('/url');
  const [url, setUrl] = useState<string | null>(null);
  const [done, setDone] = useState(false);
  const task = useTask();
  const stored = answer?.value.url ?? '';
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setDone(await task.run(() => ask('POST', '/url', asJson({ url: url ?? stored }))));
  };
  return (
    <section aria-labelledby="url-form">
      <h2 id="url-form">Public address</h2>
      <p class="quiet">Where people reach the API; its host name is let in while no key is set.</p>
      <form class="narrow" onSubmit={submit}>
        <label for="url">URL</label>
        <input
          id="url"
          type="url"
          placeholder="https://reactor.example"
          value={url ?? stored}
          onInput={(event) => setUrl(event.currentTarget.value)}
        />
        <div role="status">
          {task.mistake !== null && <p class="mistake">{wordsOf(task.mistake)}</p>}
          {done && <p class="done">Saved.</p>}
        </div>
        <button type="submit" class="main" disabled={task.busy || url === null || url === stored}>
          Save
        </button>
      </form>
    </section>
  );
}
