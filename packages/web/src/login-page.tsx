import { useEffect, useRef, useState } from 'preact/hooks';
import { asJson, ask, wordsOf } from './exchange.js';
import { useTask } from './page-state.js';

export function LoginPage({ onDone }: { onDone: () => void }) {
  const [key, setKey] = useState('');
  const field = useRef<HTMLInputElement>(null);
  const task = useTask();
  useEffect(() => {
    document.title = 'Log in · Reactor';
    field.current?.focus();
  }, []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (await task.run(() => ask('POST', '/login', asJson({ auth_key: key })))) onDone();
    else field.current?.select();
  };
  return (
    <main class="login">
      <form onSubmit={submit}>
        <h1>Reactor</h1>
        <label for="key">Key of the API</label>
        <input
          id="key"
          ref={field}
          type="password"
          autocomplete="current-password"
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
          aria-describedby="key-help key-mistake"
          required
        />
        <p id="key-help" class="quiet">
          As set with <code>reactor passwd</code>
        </p>
        <p id="key-mistake" role="alert" class="mistake">
          {task.mistake === null ? '' : refusedWords(task.mistake)}
        </p>
        <button type="submit" class="main" disabled={task.busy}>
          {task.busy ? 'Checking …' : 'Log in'}
        </button>
      </form>
    </main>
  );
}

/** The server speaks to programs about headers. */
function refusedWords(mistake: unknown): string {
  const words = wordsOf(mistake);
  return words.startsWith('the key is missing or wrong') ? 'This is not the key.' : words;
}
