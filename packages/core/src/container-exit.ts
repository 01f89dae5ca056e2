const SIGNALS: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
};

/**
 * How a container ended, in plain words that complete "the container …". 125-127 are what Docker and shells report when
 * the command itself could not be run; above 128 is 128 + the signal.
 */
export function describeExit(exitCode: number | null, oomKilled: boolean): string {
  if (oomKilled) return 'was killed: it needed more memory than mem_limit allows';
  if (exitCode === null) return 'ended';
  if (exitCode === 0) return 'ended by itself (exit code 0); the command must keep running';
  if (exitCode === 125) return 'could not be run by Docker (exit code 125)';
  if (exitCode === 126) return 'could not run its command: not executable or no permission (exit code 126)';
  if (exitCode === 127) return 'could not run its command: no such file in the image (exit code 127)';
  if (exitCode === 137) return 'was killed from outside (exit code 137, SIGKILL)';
  if (exitCode === 139) return 'crashed (exit code 139, SIGSEGV: segmentation fault)';
  const signal = exitCode > 128 ? SIGNALS[exitCode - 128] : undefined;
  if (signal !== undefined) return `was ended by a signal (exit code ${exitCode}, ${signal})`;
  return `failed (exit code ${exitCode})`;
}
