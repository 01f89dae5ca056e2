import { FILE_PATH, type LogLevel, type Meter, type PortProblem, ReactorError } from '@reactor/core';

export interface HaproxyOptions {
  /** Absolute. Everything haproxy needs lies below it, and it outlives the daemon that started it. */
  readonly directory: string;
  /** Absolute path of haproxy. */
  readonly binary: string;
  /** Lines of the global section, from the allow-list of the configuration: user, group, nbthread, log. */
  readonly globalOptions: readonly string[];
  readonly maxConnections: number;
  readonly clientTimeoutMs: number;
  /** A socket that other programs may read figures from; null offers none. */
  readonly statsPath: string | null;
  /** Octal. */
  readonly statsMode: string;
  readonly portProblem: PortProblem;
  readonly meter: Meter;
  readonly log: (level: LogLevel, message: string) => void;
  /** Wall clock, milliseconds. */
  readonly now?: () => number;
}

const GLOBAL_LINE = /^(?:user|group|nbthread|log) [A-Za-z0-9_./: -]+$/;

/** Fails with `config_invalid` when something cannot be written into haproxy's configuration as it is. */
export function checkOptions({ directory, binary, statsPath, statsMode, globalOptions }: HaproxyOptions): void {
  for (const [key, path] of Object.entries({ directory, binary, stats_path: statsPath ?? directory })) {
    if (!FILE_PATH.test(path)) throw invalid(`${key}: '${path}' is not an absolute path of letters, digits, '.', '_' and '-'`);
  }
  if (!/^[0-7]{3}$/.test(statsMode)) throw invalid(`stats_mode: '${statsMode}' is not an octal mode`);
  const stray = globalOptions.find((line) => !GLOBAL_LINE.test(line));
  if (stray !== undefined) throw invalid(`global_opts: '${stray}' is not passed on`);
}

const invalid = (message: string) => new ReactorError('config_invalid', `haproxy ${message}`);
