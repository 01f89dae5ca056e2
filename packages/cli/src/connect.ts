import { type Client, createClient } from '@reactor/client';
import { TOKEN_VARIABLE } from '@reactor/core';
import type { CommandLine } from './command-line.js';
import type { Io } from './io.js';
import { clockTime } from './output/log-line.js';
import type { Output } from './output.js';
import { authKey } from './password.js';
import { UsageError } from './usage-error.js';

/** The daemon answers within this, or something is wrong that waiting does not mend. */
const DEFAULT_TIMEOUT_S = 10;
/** A day; timers of Node overflow at 24.8 days and then fire at once. */
const MAX_TIMEOUT_S = 86_400;

/** A client for the daemon that the options and the environment name; UsageError when they contradict themselves. */
export async function connect(line: CommandLine, io: Io, output: Output): Promise<Client> {
  const timeoutS = line.options.timeout ?? DEFAULT_TIMEOUT_S;
  if (timeoutS <= 0 || timeoutS > MAX_TIMEOUT_S)
    throw new UsageError(`--timeout: expected more than 0 and at most ${MAX_TIMEOUT_S} seconds`);
  const key = await authKey(line, io, output);
  let told = false;
  const onStale = (asOfMs: number): void => {
    if (!told) output.say(`warning: as of ${clockTime(asOfMs).slice(11, 19)}, the cluster state is out of reach`);
    told = true;
  };
  const token = io.env[TOKEN_VARIABLE] || null;
  return createClient({ api: line.options.api ?? DEFAULT_API, key, token, timeoutMs: timeoutS * 1000, onStale });
}

const DEFAULT_API = 'http://localhost:8080';
