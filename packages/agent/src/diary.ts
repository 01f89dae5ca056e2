import { type Clock, describeError, LOGS, type LogEntry, type LogLevel, type StateStore } from '@reactor/core';

/** Lines for the endpoints' logs, written in order and in the background; a state that cannot be reached loses them, not the work. */
export function createDiary(store: StateStore, clock: Clock, log: (level: LogLevel, message: string) => void) {
  let last: Promise<void> = Promise.resolve();
  const tell = (endpoint: string, level: LogLevel, event: string, message: string): void => {
    const entry: Omit<LogEntry, 'seq'> = { atMs: clock.now(), level, event, message };
    last = last
      .then(() => store.append(LOGS.endpoint(endpoint), [entry]))
      .catch((error) => log('warning', `endpoint ${endpoint}: ${message} (not in its log: ${describeError(error)})`));
  };
  return { tell, written: () => last };
}
