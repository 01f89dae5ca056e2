import { useEffect, useState } from 'preact/hooks';
import { ask, asText, endpointPath, wordsOf } from './exchange.js';
import { IniField } from './ini-field.js';
import { hashOf } from './page-route.js';
import { useTask } from './page-state.js';

const EXAMPLE = `[endpoint]
url = http://
cloud = docker
loadbalancer = nginx
port = 5000

[scaling]
min_instances = 1
max_instances = 5
rules = 5 < rate < 10

[cloud:docker]
image =
`;

/** A new endpoint from a name and its text; it is created paused. */
export function NewEndpointPage() {
  const [name, setName] = useState('');
  const [text, setText] = useState(EXAMPLE);
  const task = useTask();
  useEffect(() => {
    document.title = 'New endpoint · Reactor';
  }, []);
  const create = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (await task.run(() => ask('PUT', endpointPath(name), asText(text))))
      location.hash = hashOf({ page: 'endpoint', name, tab: 'live' });
  };
  return (
    <form class="ini" onSubmit={create}>
      <h1>New endpoint</h1>
      <label for="name">Name</label>
      <input
        id="name"
        required
        maxLength={64}
        spellcheck={false}
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
      />
      <label for="ini">Configuration</label>
      <IniField id="ini" endpoint={null} text={text} onText={setText} outcome="new-outcome" />
      <p id="new-outcome" role="alert" class="mistake">
        {task.mistake === null ? '' : wordsOf(task.mistake)}
      </p>
      <p class="actions">
        <button type="submit" class="main" disabled={task.busy}>
          Create, paused
        </button>
        <a class="button" href="#/">
          Cancel
        </a>
      </p>
    </form>
  );
}
