import type { LiveStatus } from '@reactor/client';
import { useState } from 'preact/hooks';
import { Dialog } from './dialog.js';
import { asJson, ask, endpointPath, wordsOf } from './exchange.js';
import { duration } from './figures.js';
import { useTask } from './page-state.js';

/** What an operator may do to an endpoint as a whole. What cannot be taken back asks first. */
export function EndpointActions({ name, status }: { name: string; status: LiveStatus }) {
  const [open, setOpen] = useState<'hold' | 'remove' | null>(null);
  const task = useTask();
  const act = (action: 'start' | 'stop' | 'pause') => () =>
    void task.run(() => ask('POST', endpointPath(name, '/state'), asJson({ action })));
  const release = () => void task.run(() => ask('DELETE', endpointPath(name, '/hold')));
  const close = (): void => setOpen(null);
  const { state, hold } = status;
  return (
    <div class="actions">
      {state !== 'RUNNING' && (
        <button type="button" class="main" onClick={act('start')} disabled={task.busy}>
          Start
        </button>
      )}
      {state === 'RUNNING' && (
        <button type="button" onClick={act('pause')} disabled={task.busy}>
          Pause
        </button>
      )}
      {state !== 'STOPPED' && (
        <button type="button" onClick={act('stop')} disabled={task.busy}>
          Stop
        </button>
      )}
      {hold === null ? (
        <button type="button" onClick={() => setOpen('hold')}>
          Hold count …
        </button>
      ) : (
        <button type="button" onClick={release} disabled={task.busy}>
          Let rules decide
        </button>
      )}
      <button type="button" class="danger" onClick={() => setOpen('remove')}>
        Remove …
      </button>
      <p role="alert" class="mistake">
        {task.mistake === null ? '' : wordsOf(task.mistake)}
      </p>
      {open === 'hold' && <HoldDialog name={name} count={status.target ?? 1} onClose={close} />}
      {open === 'remove' && <RemoveDialog name={name} onClose={close} />}
    </div>
  );
}

function HoldDialog({ name, count, onClose }: { name: string; count: number; onClose: () => void }) {
  const [wanted, setWanted] = useState(String(count));
  const [time, setTime] = useState('30m');
  const task = useTask();
  const forMs = time.trim() === '' ? null : duration(time);
  const isTime = time.trim() === '' || forMs !== null;
  const submit = async (): Promise<void> => {
    const body = asJson({ count: Number(wanted), forMs });
    if (await task.run(() => ask('PUT', endpointPath(name, '/hold'), body))) onClose();
  };
  return (
    <Dialog title={`Hold the count of ${name}`} onClose={onClose}>
      <form method="dialog" onSubmit={submit}>
        <p>The rules do not decide while it lasts; max_instances still caps it.</p>
        <label for="hold-count">Instances</label>
        <input
          id="hold-count"
          type="number"
          min="0"
          max="10000"
          required
          value={wanted}
          onInput={(event) => setWanted(event.currentTarget.value)}
        />
        <label for="hold-time">For (30m, 2h; empty: until it is handed back)</label>
        <input id="hold-time" value={time} aria-invalid={!isTime} onInput={(event) => setTime(event.currentTarget.value)} />
        <p role="alert" class="mistake">
          {task.mistake === null ? '' : wordsOf(task.mistake)}
        </p>
        <p class="actions">
          <button type="submit" class="main" disabled={task.busy || !isTime}>
            Hold
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
        </p>
      </form>
    </Dialog>
  );
}

function RemoveDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const [typed, setTyped] = useState('');
  const task = useTask();
  const submit = async (): Promise<void> => {
    if (typed !== name) return;
    if (await task.run(() => ask('DELETE', endpointPath(name)))) location.hash = '#/';
  };
  return (
    <Dialog title={`Remove ${name}`} onClose={onClose}>
      <form method="dialog" onSubmit={submit}>
        <p>Its instances are drained and stopped, its address is free, and its configuration is gone.</p>
        <label for="remove-name">
          Type <b>{name}</b> to remove it
        </label>
        <input
          id="remove-name"
          value={typed}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <p role="alert" class="mistake">
          {task.mistake === null ? '' : wordsOf(task.mistake)}
        </p>
        <p class="actions">
          <button type="submit" class="danger" disabled={task.busy || typed !== name}>
            Remove
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
        </p>
      </form>
    </Dialog>
  );
}
