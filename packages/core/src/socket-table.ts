/**
 * The kernel's tables of TCP sockets, /proc/net/tcp and tcp6: a header, then a line per socket,
 *
 *     `  12: LOCAL:PORT REMOTE:PORT ST ...`
 *
 * with addresses of 8 (IPv4) or 32 hexadecimal digits. Most lines of a busy machine are of connections that have ended and
 * wait out their time, tens of thousands of them, so a line is looked at in one place before it is taken apart.
 */
const IPV4_DIGITS = 8;
const IPV6_DIGITS = 32;
/** A colon and four digits of a port, and the space behind them. */
const PORT_CHARACTERS = 6;
const [ZERO, ONE, COLON] = [48, 49, 58];

/** The lines of the sockets that are ESTABLISHED (`01`), without leading spaces. */
export function establishedSockets(table: string): readonly string[] {
  const found: string[] = [];
  for (let start = table.indexOf('\n') + 1; start > 0 && start < table.length; ) {
    const end = table.indexOf('\n', start);
    const number = table.indexOf(':', start);
    if (number < 0) break;
    const local = number + 2;
    const digits = table.charCodeAt(local + IPV4_DIGITS) === COLON ? IPV4_DIGITS : IPV6_DIGITS;
    const state = local + 2 * (digits + PORT_CHARACTERS);
    if (table.charCodeAt(state + 1) === ONE && table.charCodeAt(state) === ZERO)
      found.push(table.slice(start, end < 0 ? undefined : end).trimStart());
    start = end + 1;
  }
  return found;
}
