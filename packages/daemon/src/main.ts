#!/usr/bin/env -S node --max-semi-space-size=1
// The flag: an idle daemon makes little garbage, and a small nursery keeps 30 MB out of its memory.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { type DaemonConfig, readDocument, resolveDaemon, withPushed } from '@reactor/config';
import { type ConfigDocument, describeError, ReactorError } from '@reactor/core';
import { type Daemon, startDaemon } from './daemon.js';
import { openJournal } from './journal.js';
import { startPatiently } from './patience.js';
import { systemClock } from './system-clock.js';
import { VERSION } from './version.js';

const USAGE = `reactord - autoscaling for plain Docker hosts: the daemon of one host

  reactord [--config FILE] [--log FILE] [--pidfile FILE]

  --config FILE   configuration (default /etc/reactor/reactor.conf; none there means defaults)
  --check         read the configuration, say what is wrong with it, and exit
  --log FILE      append the log there instead of standard error; SIGHUP reopens it
  --pidfile FILE  write the process id there while running
  --accept-state  take the shared cluster state that is found, even if it is not the one this host knows
  --version       print the version
  --help          print this

Runs in the foreground. SIGTERM ends it within 5 seconds; containers and the load balancer go on serving.
`;

const DEFAULT_CONFIG = '/etc/reactor/reactor.conf';
/** Ending must not take longer than an init script waits. */
const STOP_DEADLINE_MS = 5_000;

const fail = (message: string, status: number): never => {
  process.stderr.write(`reactord: ${message}\n`);
  process.exit(status);
};

function readOptions() {
  try {
    return parseArgs({
      options: {
        config: { type: 'string' },
        log: { type: 'string' },
        pidfile: { type: 'string' },
        'accept-state': { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        version: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return fail(`${describeError(error)}; see reactord --help`, 2);
  }
}

interface Read {
  readonly config: DaemonConfig;
  /** The same with what the cluster gives to this daemon over the file; the environment stays above both. */
  readonly resolve: (pushed: ConfigDocument) => DaemonConfig;
}

/** Exits with one line per mistake; warnings are told and do no harm. */
function readConfig(file: string | undefined): Read {
  const path = file ?? DEFAULT_CONFIG;
  try {
    const { document, places, warnings: read } = readDocument(readText(path, file !== undefined));
    const { config, warnings } = resolveDaemon(document, process.env, hostname(), places);
    for (const warning of [...read, ...warnings]) process.stderr.write(`reactord: ${path}: warning: ${warning.message}\n`);
    const resolve = (pushed: ConfigDocument) => resolveDaemon(withPushed(document, pushed), process.env, hostname()).config;
    return { config, resolve };
  } catch (error) {
    if (!(error instanceof ReactorError)) throw error;
    return fail(inFile(path, error), 1);
  }
}

/** A variable of the environment wins over the file, and a mistake in it is not the file's. */
function inFile(path: string, error: ReactorError): string {
  return 'variable' in error.details ? describeError(error) : `${path}: ${describeError(error)}`;
}

function readText(path: string, required: boolean): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    if (!required && (error as NodeJS.ErrnoException).code === 'ENOENT') return new Uint8Array();
    return fail(`cannot read ${path}: ${describeError(error)}`, 1);
  }
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options.help) return void process.stdout.write(USAGE);
  if (options.version) return void process.stdout.write(`${VERSION}\n`);
  const { config, resolve } = readConfig(options.config);
  if (options.check) return void process.stdout.write('the configuration is valid\n');

  const journal = openJournal(options.log ?? null, config.manager.logLevel);
  process.on('SIGHUP', journal.reopen);
  // A bug: say so and end. The supervisor starts a new process, which adopts everything; guessing on would risk more.
  const crash = (error: unknown): void => {
    journal.log('error', `unexpected, ending: ${error instanceof Error ? error.stack : String(error)}`);
    process.exit(70);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);

  let daemon: Daemon | null = null;
  let acceptState = options['accept-state'];
  const stopping = new AbortController();
  const end = async (signal: string): Promise<void> => {
    journal.log('info', `${signal}: stopping; containers and the load balancer go on serving`);
    const leave = (): never => {
      if (options.pidfile) rmSync(options.pidfile, { force: true });
      process.exit(0);
    };
    setTimeout(leave, STOP_DEADLINE_MS).unref();
    stopping.abort();
    // Half started is like killed, which does no harm: nothing depends on an orderly end.
    await daemon?.stop();
    leave();
  };
  process.once('SIGTERM', () => void end('SIGTERM'));
  process.once('SIGINT', () => void end('SIGINT'));

  try {
    daemon = await startPatiently({
      start: () => {
        const once = acceptState;
        // Forgotten by the first try; what the next one knows was learnt from the state that was accepted.
        acceptState = false;
        return startDaemon(config, journal.log, { acceptState: once, resolve });
      },
      sharedState: config.manager.state !== 'embedded',
      clock: systemClock,
      log: journal.log,
      signal: stopping.signal,
    });
  } catch (error) {
    if (!(error instanceof ReactorError)) throw error;
    journal.log('error', `cannot start: ${describeError(error)}`);
    return fail(describeError(error), 1);
  }
  // Not before: the init script takes it for the sign that the daemon serves.
  if (options.pidfile && daemon !== null) writeFileSync(options.pidfile, `${process.pid}\n`);
}

await main();
