import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { promisify } from 'node:util';
import { establishedSockets } from '@reactor/core';
import type { Target } from './probe.js';

/** This machine's TCP connections, as its kernel knows them; another one stands in for it where there is none. */
export interface Connections {
  /** Those established to which the far end has long not acknowledged a byte of what was sent. */
  unanswered(): Promise<readonly Connection[]>;
  /** Ends them at once, both directions: whoever holds one gets an error. Answers how many there were. */
  end(which: readonly Ending[]): Promise<number>;
}

export interface Connection {
  readonly local: Target;
  readonly remote: Target;
}

/** One connection, or all to that far end. */
export type Ending = { readonly remote: Target; readonly local?: Target };

/**
 * Sent so often in vain, each time after twice the wait: 3 s at least, 15 times what the way there and back took before.
 * A machine answers within a millisecond, also when the program that was sent something is stopped or busy: its kernel does.
 */
const RETRANSMISSIONS = 4;
/** A bound on the length of one command line. */
const ENDED_AT_ONCE = 200;
const END_LIMIT_MS = 5_000;
const MOST_OUTPUT_BYTES = 4 * 1024 * 1024;

const execute = promisify(execFile);

/** The real thing: the kernel's tables, and `ss --kill` of iproute2, which needs INET_DIAG_DESTROY (Debian's and Ubuntu's kernels have it). */
export const kernelConnections: Connections = {
  unanswered: async () => {
    return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => unansweredIn(textOf(file)));
  },
  end: async (which) => {
    let ended = 0;
    for (let at = 0; at < which.length; at += ENDED_AT_ONCE) ended += await endThese(which.slice(at, at + ENDED_AT_ONCE));
    return ended;
  },
};

/** Empty when there is no such table. At once: through the thread pool, page by page, it costs the processor three times as much. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

async function endThese(which: readonly Ending[]): Promise<number> {
  const filter = which.flatMap(({ remote, local }, index) => [
    ...(index === 0 ? [] : ['or']),
    ...(local === undefined ? ['dst', socket(remote)] : ['(', 'dst', socket(remote), 'and', 'src', socket(local), ')']),
  ]);
  const words = ['--kill', '--no-header', '--tcp', '--numeric', 'state', 'established', '(', ...filter, ')'];
  const { stdout } = await execute('ss', words, { timeout: END_LIMIT_MS, maxBuffer: MOST_OUTPUT_BYTES });
  return stdout.split('\n').filter(Boolean).length;
}

const socket = ({ host, port }: Target): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`;

/** Something was sent and is not acknowledged; not the other timers, as when the far end has no room for more. */
const RETRANSMISSION = '01';

/** Reads a table in the kernel's format: `  0: LOCAL:PORT REMOTE:PORT STATE TX:RX TIMER:WHEN RETRANSMISSIONS ...`, hexadecimal. */
export function unansweredIn(table: string): readonly Connection[] {
  return establishedSockets(table).flatMap((line) => {
    const [, local, remote, , , timer, retransmissions] = line.split(/ +/, 7);
    if (!timer?.startsWith(`${RETRANSMISSION}:`)) return [];
    if (Number.parseInt(retransmissions ?? '', 16) < RETRANSMISSIONS) return [];
    return [{ local: targetOf(local!), remote: targetOf(remote!) }];
  });
}

/** `0B4D5A0A:4E21` is 10.90.77.11:20001: each 32-bit word in this machine's byte order (little-endian), the port in order. */
function targetOf(text: string): Target {
  const [address = '', port = ''] = text.split(':');
  const words = address.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse());
  return { host: hostOf(bytes), port: Number.parseInt(port, 16) };
}

/** An IPv4 peer of an IPv6 socket, ::ffff:a.b.c.d. */
const MAPPED_V4 = `${'00'.repeat(10)}FFFF`;

function hostOf(bytes: readonly string[]): string {
  if (bytes.length === 16 && !bytes.join('').startsWith(MAPPED_V4)) {
    const groups = Array.from({ length: 8 }, (_, index) => bytes.slice(2 * index, 2 * index + 2).join(''));
    // The one spelling of an address that URLs know is ours, too.
    return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
  }
  return bytes
    .slice(-4)
    .map((byte) => Number.parseInt(byte, 16))
    .join('.');
}
