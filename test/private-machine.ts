/**
 * This machine with private copies of /etc, /usr, /var and /run: what is installed there, no other process sees, and it is
 * gone at the end. A mount namespace with an overlay over each; network and processes are those of the caller.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { ROOT } from './source-tree.js';

export interface Outcome {
  readonly status: number;
  /** Standard output and standard error, as they came. */
  readonly text: string;
}

export interface PrivateMachine {
  run(command: string, ...args: readonly string[]): Promise<Outcome>;
  /** Files that differ from the machine's own, sorted; a deleted one counts too. */
  changed(): Promise<readonly string[]>;
  /** Ends every process left in it. */
  close(): Promise<void>;
}

/** Long enough for an installation with a build before it. */
const COMMAND_LIMIT_MS = 120_000;

const SETUP = `
set -e
mount -t tmpfs none "$1"
for directory in etc usr var run; do
  mkdir -p "$1/$directory/upper" "$1/$directory/work"
  mount -t overlay overlay -o "lowerdir=/$directory,upperdir=$1/$directory/upper,workdir=$1/$directory/work" "/$directory"
done
echo ready
exec cat`;

/** `directory` must be empty and not be below the four that are copied. */
export async function openPrivateMachine(directory: string): Promise<PrivateMachine> {
  // `cat` holds the namespace until its standard input ends, which it also does when this process dies.
  const holder: ChildProcess = spawn('unshare', ['--mount', '--propagation', 'private', 'bash', '-c', SETUP, 'bash', directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [first] = await Promise.race([once(holder.stdout!, 'data'), once(holder, 'exit')]);
  if (String(first) !== 'ready\n') throw new Error('no private machine: mount namespaces or overlays are not available here');
  const namespace = `/proc/${holder.pid}/ns/mnt`;
  const identity = readlinkSync(namespace);

  const run = (command: string, ...args: readonly string[]): Promise<Outcome> =>
    new Promise((resolve) => {
      const options = { cwd: ROOT, timeout: COMMAND_LIMIT_MS, maxBuffer: 2 ** 24 };
      execFile('nsenter', [`--mount=${namespace}`, `--wd=${ROOT}`, command, ...args], options, (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ status, text: `${stdout}${stderr}` });
      });
    });

  const changed = async (): Promise<readonly string[]> => {
    const { text } = await run('bash', '-c', 'cd "$1" && find */upper ! -type d', 'bash', directory);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `/${line.replace('/upper/', '/')}`)
      .sort();
  };

  const close = async (): Promise<void> => {
    const gone = once(holder, 'exit');
    for (const pid of processesIn(identity)) {
      if (pid !== holder.pid) process.kill(pid, 'SIGKILL');
    }
    holder.stdin!.end();
    await gone;
  };
  return { run, changed, close };
}

/** Ids of the processes whose mount namespace this is. */
function processesIn(identity: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/ns/mnt`) === identity;
      } catch {
        return false; // ended meanwhile
      }
    });
}
