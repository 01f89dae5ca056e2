import type { Clock } from './clock.js';
import { describeError } from './errors.js';
import { LOGS } from './keys.js';
import type { LogEntry, LogLevel, StateStore } from './ports.js';

/** Lines for the logs of the cluster state, written in order and in the background; a state that cannot be reached loses them, not the work. */
export interface Diary {
  /** `log` as LOGS names it. */
  tell(log: string, level: LogLevel, event: string, message: string): void;
  /** Until what was told so far is written, or lost. */
  written(): Promise<void>;
}

export function createDiary(
  store: Pick<StateStore, 'append'>,
  clock: Pick<Clock, 'now'>,
  complain: (level: LogLevel, message: string) => void,
): Diary {
  let last: Promise<void> = Promise.resolve();
  const tell: Diary['tell'] = (log, level, event, message) => {
    const entry: Omit<LogEntry, 'seq'> = { atMs: clock.now(), level, event, message };
    last = last
      .then(() => store.append(log, [entry]))
      .catch((error) => complain('warning', `${message} (not in the log ${log}: ${describeError(error)})`));
  };
  return { tell, written: () => last };
}

/** Lines for the logs of endpoints, by the name they are stored under. */
export const endpointTeller =
  ({ tell }: Pick<Diary, 'tell'>) =>
  (endpoint: string, level: LogLevel, event: string, message: string): void =>
    tell(LOGS.endpoint(endpoint), level, event, message);
