import { FILE_PATH, type LogLevel, type Meter, type PortProblem, ReactorError } from '@reactor/core';

/** An nginx of our own: everything it needs lies below `directory`, and it outlives the daemon that started it. */
export interface OwnMode {
  readonly kind: 'own';
  /** Absolute. Every directory above it must be passable for `user`, whose workers reopen the log by themselves. */
  readonly directory: string;
  /** Account of the workers; used only when we are root. Null leaves it to nginx (nobody). */
  readonly user: string | null;
  /** 0: one per core. */
  readonly workers: number;
}

/** The nginx of the system: we add files to it, test it as a whole, and reload it. */
export interface SystemMode {
  readonly kind: 'system';
  /** Directory of which nginx includes `*.conf` at http level. */
  readonly configPath: string;
  /** Directory of sites, included after `configPath`. */
  readonly sitePath: string;
  readonly pidFile: string;
  /** Where the compact log of our sites is written, e.g. /var/log/nginx/reactor.log. */
  readonly logPath: string;
  /** nginx's main file; null is the one it was built with. */
  readonly mainFile: string | null;
}

export interface NginxOptions {
  readonly mode: OwnMode | SystemMode;
  /** Directory for generated certificates and their keys, and for what is tested before it is put in place. Ours alone. */
  readonly certificates: string;
  /** Absolute path of nginx. */
  readonly binary: string;
  /** The access log is rotated when it is larger. */
  readonly logLimitBytes: number;
  readonly portProblem: PortProblem;
  readonly meter: Meter;
  readonly log: (level: LogLevel, message: string) => void;
  /** Connections one worker of our own nginx may hold, clients and backends together. */
  readonly connections?: number;
  /** Wall clock, milliseconds. */
  readonly now?: () => number;
}

/** 16,384 is half for clients, half for backends, and about 4 MB of nginx's memory per worker. */
export const DEFAULT_CONNECTIONS = 16_384;

const ACCOUNT = /^[A-Za-z_][A-Za-z0-9_-]{0,31}$/;

/** Fails with `config_invalid` when a path or account cannot be written into nginx's configuration as it is. */
export function checkOptions(options: NginxOptions): void {
  const { mode } = options;
  const paths =
    mode.kind === 'own'
      ? { directory: mode.directory }
      : { config_path: mode.configPath, site_path: mode.sitePath, pid_file: mode.pidFile, log: mode.logPath };
  for (const [key, path] of Object.entries({ ...paths, certificates: options.certificates, binary: options.binary })) {
    if (!FILE_PATH.test(path)) {
      throw invalid(`nginx ${key}: '${path}' is not an absolute path of letters, digits, '.', '_' and '-'`);
    }
  }
  if (mode.kind === 'own' && mode.user !== null && !ACCOUNT.test(mode.user)) {
    throw invalid(`nginx user: '${mode.user}' is not an account name`);
  }
  if (mode.kind === 'own' && !(Number.isInteger(mode.workers) && mode.workers >= 0 && mode.workers <= 512)) {
    throw invalid(`nginx workers: expected 0 to 512, got ${mode.workers}`);
  }
}

const invalid = (message: string) => new ReactorError('config_invalid', message);
