/** States in colour and in words: nobody has to see colours. */

const TONES: Readonly<Record<string, string>> = {
  RUNNING: 'good',
  ready: 'good',
  PAUSED: 'warning',
  STOPPED: 'quiet',
  draining: 'warning',
  starting: 'active',
  pulling: 'active',
  dropped: 'warning',
  stopping: 'quiet',
  removing: 'quiet',
  unhealthy: 'bad',
  unknown: 'bad',
  dead: 'bad',
  errored: 'bad',
  lost: 'bad',
};

export function StateBadge({ state }: { state: string }) {
  return <span class={`badge is-${TONES[state] ?? 'quiet'}`}>{state.toLowerCase()}</span>;
}
