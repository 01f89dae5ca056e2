import { describeError, type LogLevel, ReactorError } from '@reactor/core';

/** What the loops of the agent fail with. */
export interface Complaints {
  raise(name: string, error: unknown): void;
  settle(name: string): void;
  /** Those that last, in words. */
  open(): readonly string[];
}

/** One line when a loop begins to fail, one for each new reason, one when it works again; never one per round. */
export function createComplaints(log: (level: LogLevel, message: string) => void): Complaints {
  const reasons = new Map<string, string>();
  const raise = (name: string, error: unknown): void => {
    const reason = describeError(error);
    if (reasons.get(name) !== reason) {
      const stack = error instanceof ReactorError || !(error instanceof Error) ? '' : ` ${error.stack}`;
      log('error', `${name}: ${reason}${stack}`);
    }
    reasons.set(name, reason);
  };
  const settle = (name: string): void => {
    if (reasons.delete(name)) log('info', `${name}: works again`);
  };
  return { raise, settle, open: () => [...reasons].map(([name, reason]) => `${name}: ${reason}`) };
}
