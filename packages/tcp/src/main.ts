#!/usr/bin/env node
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import type { Answers, Command } from './command.js';
import { serveControl } from './control-server.js';
import { PROTOCOL, type ProxyDocument } from './document.js';
import { placesIn } from './home.js';
import { TcpProxy } from './proxy.js';

/**
 * The process that carries the connections: reactor-tcp DIRECTORY. It is nobody's child, so that connections outlive the
 * daemon; it decides nothing, and after a crash it serves the last document again before anybody tells it to.
 *
 * SIGTERM ends it with all its connections; SIGQUIT closes the ports and lets it end with its last connection.
 */
const directory = process.argv[2] ?? fail('expected the directory it lives in');
const places = placesIn(directory);

/** With nothing to serve and nobody left it ends; a little later, for a document may be on its way. */
const LEAVE_AFTER_MS = 10_000;
const LOOK_MS = 500;
/** Beyond this one thread is busy with connections that do nothing. */
const MOST_CLIENTS = 20_000;
/** Each client takes its own and the backend's; some are ours. */
const SOCKETS_PER_CLIENT = 2;
const OWN_FILES = 64;

function fail(message: string): never {
  process.stderr.write(`${new Date().toISOString()} ${message}\n`);
  process.exit(1);
}

/** What this process may hold open; Node has already raised it to the hard limit. */
function clientLimit(): number {
  const files = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? 1024);
  return Math.min(MOST_CLIENTS, Math.floor((files - OWN_FILES) / SOCKETS_PER_CLIENT));
}

function lastDocument(): ProxyDocument | null {
  try {
    const read = JSON.parse(readFileSync(places.document, 'utf8')) as ProxyDocument;
    return read.protocol === PROTOCOL ? read : null;
  } catch {
    return null;
  }
}

function remember(document: ProxyDocument): void {
  writeFileSync(`${places.document}.new`, JSON.stringify(document), { mode: 0o600 });
  renameSync(`${places.document}.new`, places.document);
}

mkdirSync(directory, { recursive: true, mode: 0o700 });
process.title = `reactor-tcp: ${directory}`;
process.on('uncaughtException', (error) => fail(`unexpected, ending: ${error.stack}`));

const proxy = new TcpProxy(clientLimit());
let control: Server | null = null;
let retired = false;

const retire = (): null => {
  retired = true;
  proxy.retire();
  // The next one takes both over.
  if (control !== null) rmSync(places.socket, { force: true });
  return null;
};

async function obey(command: Command): Promise<Answers[Command['do']]> {
  switch (command.do) {
    case 'greet':
      return { protocol: PROTOCOL, pid: process.pid };
    case 'apply': {
      const applied = await proxy.apply(command.document);
      remember(command.document);
      return applied;
    }
    case 'sight':
      return proxy.sight(Date.now());
    case 'sessions':
      return proxy.sessions();
    case 'kill':
      return proxy.kill(command.endpoint, command.client);
    case 'retire':
      return retire();
  }
}

const last = lastDocument();
if (last !== null) await proxy.apply(last);
control = await serveControl(places.socket, obey);
writeFileSync(places.pid, `${process.pid}\n`);

const leave = (): never => {
  // A successor has files of its own there.
  if (!retired) for (const file of [places.socket, places.pid]) rmSync(file, { force: true });
  process.exit(0);
};
process.on('SIGTERM', leave);
process.on('SIGQUIT', retire);
// A terminal that goes away is nothing to us.
process.on('SIGHUP', () => undefined);

let idleSinceMs = performance.now();
setInterval(() => {
  if (!proxy.isIdle) idleSinceMs = performance.now();
  if (performance.now() - idleSinceMs > (retired ? 0 : LEAVE_AFTER_MS)) leave();
}, LOOK_MS);
