import type { LogLevel } from '@reactor/core';
import { destination, pino } from 'pino';

/** The daemon's own log: structured, one JSON object a line, secrets masked. */
export interface Journal {
  log(level: LogLevel, message: string): void;
  /** Opens the file anew, after it was rotated. */
  reopen(): void;
  flush(): void;
}

/** The parts of URLs and settings that must not be read in a log. */
const SECRET =
  /(\/\/[^\s:@/]*:)[^\s@/]+(@)|((?:password|passwd|auth_key|x-auth-key|ssl_key|secret|token)["']?\s*[=:]\s*["']?)[^\s"',;]+/gi;

export function maskSecrets(text: string): string {
  return text.replace(SECRET, (_all, before: string | undefined, at: string | undefined, key: string | undefined) =>
    key === undefined ? `${before}***${at}` : `${key}***`,
  );
}

/** Writes to the file, or to standard error when it is null. */
export function openJournal(file: string | null, level: string): Journal {
  const sink = destination({ dest: file ?? 2, sync: true, mkdir: true });
  const logger = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    sink,
  );
  return {
    log: (severity, message) => logger[severity === 'warning' ? 'warn' : severity](maskSecrets(message)),
    reopen: () => {
      if (file !== null) sink.reopen();
    },
    flush: () => sink.flushSync(),
  };
}
